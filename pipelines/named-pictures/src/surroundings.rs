//! Lines of text for what stands around drawings on screens.

use drawing::{Face, Package, Sprite, strip};
use rand::Rng;
use rand::SeedableRng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::error::NamedPicturesError;

/// How many lines there are; they are drawn once.
const LINES: usize = 240;
const WORDS: &str = "usr/share/dict/american-english";

/// Lines of words in the faces of `families`.
///
/// Errors if a package lacks its file or has no face that can be read.
pub fn lines(words: &Package, families: &[Package]) -> Result<Vec<Sprite>, NamedPicturesError> {
    let list = words.text(WORDS)?;
    let plain = |word: &&str| word.chars().all(|c| c.is_ascii_alphabetic());
    let list: Vec<&str> = list.lines().filter(plain).collect();
    let families = families
        .par_iter()
        .map(drawing::family)
        .collect::<Result<Vec<_>, _>>()?;
    let faces: Vec<&Face> = families.iter().flatten().collect();
    let line = |number: usize| {
        let mut rng = ChaCha8Rng::seed_from_u64(number as u64);
        let words = (0..rng.random_range(1..9)).filter_map(|_| list.choose(&mut rng));
        let line = words.copied().collect::<Vec<_>>().join(" ");
        strip(faces.choose(&mut rng)?, &line)
    };
    Ok((0..LINES).into_par_iter().filter_map(line).collect())
}
