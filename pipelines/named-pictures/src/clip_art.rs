//! Clip art and icons of everyday things: what they are, whether they are this or that, and what
//! kind of thing they are. Persons and horses are here, which lists of photographs often lack.

use std::collections::BTreeMap;

use drawing::wording::ask;
use drawing::{Habits, Package, Sprite};
use pipeline::Split;
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::artists::hand;
use crate::drawn::{Drawn, TRAIN};
use crate::error::NamedPicturesError;
use crate::hands::{ManyHands, Thing, Wordings};
use crate::icons::Icons;
use crate::nouns::{Meaning, Nouns};
use crate::titles;
use crate::vector::trimmed;
use crate::wording;

/// Drawings are kept at this size and scaled from there.
const LONGEST: u32 = 160;
/// Larger files are mostly traced photographs, and slow.
const LARGEST: usize = 300_000;
/// No name has more drawings than this.
const MOST: usize = 40;
const CLIP_ART: &str = "usr/share/openclipart/svg/";

const HABITS: Habits = Habits {
    turn: 0.3,
    cut: 0.06,
    square: 0.0,
    round: 0.03,
    rounded: 0.0,
    wave: 0.0,
    grey: 0.08,
    tint: 0.2,
    grounds: &TRAIN,
};

/// The share of questions for the name, or whether it is that; and of those whether it is of a kind.
/// The others ask of which kind it is.
const SHARES: (f64, f64) = (0.55, 0.33);

/// Clip art with names.
#[derive(Debug)]
pub struct ClipArt {
    set: ManyHands,
    /// The coarse words for each thing, most special first; none where they are not known.
    kinds: Vec<Vec<&'static str>>,
    /// The things of each coarse word.
    of_kind: BTreeMap<&'static str, Vec<usize>>,
    /// Each thing as often as it was drawn.
    by_drawing: Vec<usize>,
}

/// A drawing, what it is and by whom.
type Found = (String, Meaning, usize, Sprite);

impl ClipArt {
    /// Reads the drawings of the split: clip art that says what it shows, and icons of things. Also
    /// returns what was left out, with the reason.
    ///
    /// Errors if a package is not what it should be.
    pub fn load(
        art: &Package,
        icons: &[Package],
        (wordnet, split): (&Package, Split),
        texts: Vec<Sprite>,
    ) -> Result<(Self, Vec<(String, String)>), NamedPicturesError> {
        let nouns = Nouns::read(wordnet)?;
        let mut files = art.files(&[".svg"])?;
        files.retain(|member| Split::of_name(member) == split);
        let results = files
            .par_iter()
            .map(|member| Ok((member, clip(art, member, &nouns)?)))
            .collect::<Result<Vec<_>, NamedPicturesError>>()?;
        let (mut found, mut left_out): (Vec<Found>, Vec<(String, String)>) = Default::default();
        for (member, result) in results {
            match result {
                Ok((name, meaning, sprite)) => found.push((name, meaning, 0, sprite)),
                Err(reason) => {
                    let member = member.strip_prefix(CLIP_ART).unwrap_or(member);
                    left_out.push((member.to_owned(), reason.to_owned()));
                }
            }
        }
        let mut hands = vec![hand(art)];
        for package in icons {
            let set = Icons::read(package)?;
            let number = hands.len();
            let names = set.own_names();
            let names: Vec<&str> = names.filter(|name| Split::of_name(name) == split).collect();
            let drawn = names.par_iter().filter_map(|icon| {
                let (name, meaning) = titles::whole(icon, &nouns)?;
                let sprite = set.drawing(icon, LONGEST, "#222")?;
                Some((name, meaning, number, sprite))
            });
            found.extend(drawn.collect::<Vec<_>>());
            hands.push(hand(package));
        }
        let (things, kinds) = things(found);
        if things.len() < 2 {
            return Err(art
                .broken(CLIP_ART, "fewer than two drawings with names")
                .into());
        }
        let wordings = Wordings {
            what: &wording::THING,
            whether: &wording::IS_THING,
            with_article: true,
        };
        let mut of_kind: BTreeMap<&'static str, Vec<usize>> = BTreeMap::new();
        for (index, kinds) in kinds.iter().enumerate() {
            for kind in kinds {
                of_kind.entry(kind).or_default().push(index);
            }
        }
        let by_drawing = things.iter().enumerate();
        let by_drawing = by_drawing.flat_map(|(index, thing)| vec![index; thing.drawings.len()]);
        let clip_art = Self {
            by_drawing: by_drawing.collect(),
            set: ManyHands::new(things, hands, HABITS, wordings, texts),
            kinds,
            of_kind,
        };
        Ok((clip_art, left_out))
    }

    /// Draws one of the things and asks about it.
    ///
    /// Errors if the picture cannot be written.
    pub fn draw(&self, rng: &mut ChaCha8Rng) -> Result<Drawn, NamedPicturesError> {
        let choice = rng.random::<f64>();
        if choice < SHARES.0 || self.of_kind.len() < 2 {
            let index = if rng.random_bool(0.5) {
                rng.random_range(0..self.kinds.len())
            } else {
                *self.by_drawing.choose(rng).expect("things have drawings")
            };
            let asked = self.set.ask(index, rng);
            return self.set.show(index, asked, rng);
        }
        let kind = self.any_kind(rng);
        if choice < SHARES.0 + SHARES.1 {
            let yes = rng.random_bool(0.5);
            let index = if yes {
                self.one_of(kind, rng)
            } else {
                self.none_of(kind, rng)
            };
            let (_, wordings) = wording::KINDS
                .iter()
                .find(|(of, _)| *of == kind)
                .expect("every kind is asked for");
            let asked = (ask(wordings, rng), yes_or_no(yes), Vec::new());
            return self.set.show(index, asked, rng);
        }
        let index = self.one_of(kind, rng);
        let mut kinds = self.kinds[index].iter().map(|kind| (*kind).to_owned());
        let answer = kinds.next().unwrap_or_default();
        let asked = (ask(&wording::WHICH_KIND, rng), answer, kinds.collect());
        self.set.show(index, asked, rng)
    }

    fn any_kind(&self, rng: &mut ChaCha8Rng) -> &'static str {
        let number = rng.random_range(0..self.of_kind.len());
        self.of_kind
            .keys()
            .nth(number)
            .expect("it is below their number")
    }

    fn one_of(&self, kind: &str, rng: &mut ChaCha8Rng) -> usize {
        let things = &self.of_kind[kind];
        *things.choose(rng).expect("every kind has things")
    }

    /// A thing that is of another kind and not of this one; of any kind equally often.
    fn none_of(&self, kind: &str, rng: &mut ChaCha8Rng) -> usize {
        loop {
            let other = self.any_kind(rng);
            let index = self.one_of(other, rng);
            if !self.kinds[index].contains(&kind) {
                return index;
            }
            // What falls under every kind that there is would be looked for in vain.
            if self.kinds.iter().all(|kinds| kinds.contains(&kind)) {
                return index;
            }
        }
    }
}

fn yes_or_no(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}

/// The name, meaning and drawing of a file, or why there is none.
fn clip(
    art: &Package,
    member: &str,
    nouns: &Nouns,
) -> Result<Result<(String, Meaning, Sprite), &'static str>, NamedPicturesError> {
    let file = art.read(member)?;
    if file.len() > LARGEST {
        return Ok(Err("too large"));
    }
    let text = String::from_utf8_lossy(&file);
    if !is_free(&text) {
        return Ok(Err("not in the public domain"));
    }
    let path = member.strip_prefix(CLIP_ART).unwrap_or(member);
    let Some((name, meaning)) = titles::name(path, title(&text), nouns) else {
        return Ok(Err("its title names no thing"));
    };
    let Some(sprite) = trimmed(&file, LONGEST) else {
        return Ok(Err("the drawing does not read or is empty"));
    };
    Ok(Ok((name, meaning, sprite)))
}

/// Whether the file says that it is in the public domain, and names no other licence.
fn is_free(svg: &str) -> bool {
    let said = ["PublicDomain", "publicdomain", "Public Domain"];
    said.iter().any(|words| svg.contains(words)) && !svg.contains("licenses/GPL")
}

/// The first title of the file's description of itself.
fn title(svg: &str) -> &str {
    let after = svg
        .split_once("<dc:title")
        .and_then(|(_, rest)| rest.split_once('>'));
    after
        .and_then(|(_, rest)| rest.split_once("</dc:title>"))
        .map_or("", |(title, _)| title.trim())
}

/// The drawings of one name together, and the coarse words of each.
fn things(found: Vec<Found>) -> (Vec<Thing>, Vec<Vec<&'static str>>) {
    let mut named: BTreeMap<String, (Meaning, Vec<(usize, Sprite)>)> = BTreeMap::new();
    for (name, meaning, hand, sprite) in found {
        let (_, drawings) = named.entry(name).or_insert((meaning, Vec::new()));
        if drawings.len() < MOST {
            drawings.push((hand, sprite));
        }
    }
    let thing = |(name, (meaning, drawings)): (String, (Meaning, Vec<(usize, Sprite)>))| {
        let group = meaning
            .kinds
            .first()
            .copied()
            .unwrap_or_default()
            .to_owned();
        let thing = Thing {
            name,
            also: meaning.words,
            group,
            drawings,
        };
        (thing, meaning.kinds)
    };
    named.into_iter().map(thing).unzip()
}
