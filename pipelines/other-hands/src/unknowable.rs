//! What nobody can know: what noise and blanks show, what a plot without words is of, and what no
//! photograph tells.

use drawing::{Package, PackageError};
use image::imageops::blur;
use image::{Rgb, RgbImage};
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use crate::asked::{Asked, Made, Maker};
use crate::error::OtherHandsError;
use crate::files::png;
use crate::order::shuffled;
use crate::photographs::{Photograph, free_photographs};

/// Asked of what shows nothing.
const WHAT: [&str; 5] = [
    "What is this?",
    "What does the picture show?",
    "What do you see?",
    "What does it say?",
    "Which emoji is this?",
];
/// Asked of photographs.
const UNTOLD: [&str; 6] = [
    "Who took this photograph?",
    "What is the name of the person in the picture?",
    "How much does it cost?",
    "What does the sign say?",
    "On which day was this taken?",
    "Which street is this?",
];
/// Asked of plots.
const OF_WHAT: [&str; 3] = [
    "Which company's profit is plotted here?",
    "In which country was this measured?",
    "Which year does the curve begin in?",
];
/// Right about anything here; the first is what is asked for.
const NOT_SURE: [&str; 2] = ["not sure", "I do not know"];
/// Right as well where nothing is shown.
const NOTHING: [&str; 6] = [
    "nothing",
    "noise",
    "blank",
    "a blank picture",
    "it is blank",
    "only noise",
];
/// The folder of plots in the manual of mathematics.
const PLOTS: &str = "/_images/";

/// The set: blanks, noise, plots and photographs by turns.
pub(crate) struct Unknowable {
    source: String,
    photographs: Vec<Photograph>,
    manual: Package,
    plots: Vec<String>,
}

impl Unknowable {
    /// Reads the photographs and lists the plots.
    ///
    /// Errors if a package is not what it should be.
    pub fn load(
        photographs: &Package,
        manual: &Package,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, OtherHandsError> {
        let mut plots = manual.files(&[".png"])?;
        plots.retain(|member| format!("/{member}").contains(PLOTS));
        if plots.is_empty() {
            return Err(manual.broken(PLOTS, "no plot in it").into());
        }
        Ok(Self {
            source: photographs.name.clone(),
            photographs: shuffled(free_photographs(photographs)?, rng),
            manual: manual.clone(),
            plots: shuffled(plots, rng),
        })
    }

    fn plot(&self, number: usize) -> Result<Vec<u8>, PackageError> {
        self.manual.read(&self.plots[number])
    }
}

/// One colour, or two that run into each other.
fn blank(rng: &mut ChaCha8Rng) -> RgbImage {
    let (width, height) = (rng.random_range(40..=400), rng.random_range(40..=400));
    let mut colour = || -> [u8; 3] { std::array::from_fn(|_| rng.random()) };
    let (one, other) = (colour(), colour());
    let other = if rng.random_bool(0.3) { other } else { one };
    RgbImage::from_fn(width, height, |x, _| {
        Rgb(drawing::between(one, other, x as f32 / width as f32))
    })
}

/// Every pixel by chance, sometimes softened.
fn noise(rng: &mut ChaCha8Rng) -> RgbImage {
    let (width, height) = (rng.random_range(40..=260), rng.random_range(40..=260));
    let noise = RgbImage::from_fn(width, height, |_, _| {
        Rgb(std::array::from_fn(|_| rng.random()))
    });
    let soft = *[0.0, 0.0, 1.0, 3.0].choose(rng).expect("there are some");
    if soft > 0.0 {
        blur(&noise, soft)
    } else {
        noise
    }
}

impl Maker for Unknowable {
    fn len(&self) -> usize {
        // No plot and no photograph is shown twice.
        4 * self.photographs.len().min(self.plots.len())
    }

    fn make(&self, index: usize, rng: &mut ChaCha8Rng) -> Result<Made, OtherHandsError> {
        let number = index / 4;
        let ours = |picture: &RgbImage| {
            let file = png(picture).map_err(OtherHandsError::picture("made-up"))?;
            Ok::<_, OtherHandsError>((file, "made-up".to_owned(), "CC0-1.0".to_owned()))
        };
        let (kind, (picture, source, licence), wordings) = match index % 4 {
            0 => ("blank", ours(&blank(rng))?, &WHAT[..]),
            1 => ("noise", ours(&noise(rng))?, &WHAT[..]),
            2 => {
                let manual = &self.manual;
                let from = (manual.name.clone(), manual.licence.clone());
                ("plot", (self.plot(number)?, from.0, from.1), &OF_WHAT[..])
            }
            _ => {
                let one = &self.photographs[number];
                let from = (self.source.clone(), one.licence.clone());
                ("untold", (one.file()?, from.0, from.1), &UNTOLD[..])
            }
        };
        let also = if index % 4 < 2 { &NOTHING[..] } else { &[] };
        let answers = NOT_SURE.iter().chain(also);
        let question = *wordings.choose(rng).expect("there are wordings");
        Ok(Made::Asked(vec![Asked {
            kind,
            source,
            licence,
            picture,
            question: question.to_owned(),
            answers: answers.map(|answer| (*answer).to_owned()).collect(),
            spelled: false,
        }]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use rand::SeedableRng;

    #[test]
    fn not_sure_is_right_about_all_and_nothing_about_what_is_empty() {
        let fixture = fixture::packages();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let set = Unknowable::load(&fixture.gcompris, &fixture.manual, &mut rng).unwrap();
        for index in 0..set.len() {
            let Made::Asked(asked) = set.make(index, &mut rng).unwrap() else {
                panic!("every input gives a question")
            };
            let one = &asked[0];
            assert_eq!(one.answers[0], "not sure");
            let empty = matches!(one.kind, "blank" | "noise");
            assert_eq!(one.answers.contains(&"nothing".to_owned()), empty);
            assert!(
                image::load_from_memory(&one.picture).is_ok(),
                "{}",
                one.kind
            );
        }
    }
}
