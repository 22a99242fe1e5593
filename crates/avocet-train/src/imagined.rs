//! Questions about pictures that nobody drew: what a recogniser might make of a thing is made up
//! out of its own weights, and the decoder learns to say it.
//!
//! A training set shows few of the things that a recogniser tells apart. What the decoder has to
//! learn is to read its opinion aloud, and for that no picture is needed. The picture beside it
//! is a texture that says nothing, so that the decoder learns to pass over patches without letters.

mod posterior;
mod questions;
mod texture;
mod wording;

use std::sync::Arc;

use avocet_data::{Made, MadeSamples, Sample};
use avocet_infer::Onlooker;
use avocet_media::Recognition;
use avocet_text::Turn;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::error::Result;
use posterior::Posteriors;

/// What the samples are called in reports and metrics.
const NAME: &str = "concepts";
/// Questions about a picture.
const QUESTIONS: usize = 4;
/// Samples of an epoch; each is another in every epoch.
const COUNT: usize = 1 << 16;

/// An endless source of such samples: the same `seed` and drawings give the same. `drawings` are
/// what the recogniser makes of pictures at hand: features that go together there go together
/// here.
///
/// Errors if the recogniser cannot be run.
pub(crate) fn samples(
    onlooker: Arc<Onlooker>,
    drawings: &[Arc<Recognition>],
    seed: u64,
) -> Result<MadeSamples> {
    let posteriors = Posteriors::new(onlooker.clone(), drawings)?;
    let make = move |number: u64| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(number);
        let (recognition, class) = posteriors
            .draw(&mut rng)
            .map_err(|error| error.to_string())?;
        let concepts = onlooker.concepts();
        let picture = texture::paint(&mut rng).map_err(|error| error.to_string())?;
        let mut asked = || {
            let asked = questions::ask(concepts, &recognition, class, &mut rng);
            let from = (asked.kind, "made-up", "CC0-1.0");
            let (question, answer) = (asked.question, Turn::assistant(asked.answer));
            let sample = Sample::question(from, picture.clone(), None, &question, answer);
            sample.map_err(|error| error.to_string())
        };
        let sample = asked()?;
        let said = (1..QUESTIONS).map(|_| asked());
        Ok(Made {
            said: said.collect::<std::result::Result<_, _>>()?,
            sample,
            recognitions: vec![Arc::new(recognition)],
        })
    };
    Ok(MadeSamples {
        name: NAME.into(),
        count: COUNT,
        make: Box::new(make),
    })
}
