//! The questions of easy-VQA, asked about any number of shapes.

use drawing::Rgb;
use drawing::wording::upper_first;
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

/// The shapes' names.
pub const SHAPES: [&str; 3] = ["circle", "rectangle", "triangle"];

/// The colours' names.
pub const COLOURS: [(&str, Rgb); 8] = [
    ("black", [0, 0, 0]),
    ("gray", [128, 128, 128]),
    ("red", [255, 0, 0]),
    ("blue", [0, 0, 255]),
    ("green", [0, 255, 0]),
    ("yellow", [255, 255, 0]),
    ("brown", [165, 42, 42]),
    ("teal", [0, 128, 128]),
];

/// A shape as it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figure {
    /// One of [`SHAPES`].
    pub shape: &'static str,
    /// One of the names in [`COLOURS`].
    pub colour: &'static str,
}

/// Asks whether there is `{}`, a colour's shape or a shape.
const PRESENT: [&str; 4] = [
    "is there a {}?",
    "is there a {} in the image?",
    "is a {} present?",
    "does the image contain a {}?",
];

/// Asks whether there is no `{}`.
const ABSENT: [&str; 4] = [
    "is there not a {}?",
    "is there not a {} in the image?",
    "is no {} present?",
    "does the image not contain a {}?",
];

const WHICH_SHAPE: [&str; 3] = [
    "what shape is in the image?",
    "what shape does the image contain?",
    "what shape is present?",
];
const WHICH_COLOUR: [&str; 2] = ["what color is the {}?", "what is the color of the {}?"];
const HOW_MANY: [&str; 3] = [
    "how many shapes are there?",
    "how many shapes are in the image?",
    "how many shapes does the image contain?",
];
const NUMBERS: [&str; 4] = ["zero", "one", "two", "three"];

/// A question about the figures and its answer, in small letters at half.
pub fn ask(scene: &[Figure], rng: &mut ChaCha8Rng) -> (String, String) {
    let (question, answer) = match rng.random_range(0..100) {
        0..45 => whether(scene, rng),
        45..50 if scene.len() == 1 => how_many(scene, rng),
        45..60 if scene.len() > 1 => how_many(scene, rng),
        _ => what(scene, rng).unwrap_or_else(|| whether(scene, rng)),
    };
    let question = if rng.random_bool(0.5) {
        question
    } else {
        upper_first(&question)
    };
    (question, answer)
}

/// Whether something is there or is not, with as many yes as no.
fn whether(scene: &[Figure], rng: &mut ChaCha8Rng) -> (String, String) {
    let yes = rng.random_bool(0.5);
    let negated = rng.random_bool(0.5);
    let wanted = yes != negated; // whether the thing asked for is to be there
    let by_colour = rng.random_bool(0.6);
    let things: Vec<String> = if by_colour {
        let there = |name: &str| scene.iter().any(|figure| figure.colour == name);
        let names = COLOURS
            .iter()
            .map(|(name, _)| *name)
            .filter(|name| there(name) == wanted);
        names.map(|name| format!("{name} shape")).collect()
    } else {
        let there = |name: &str| scene.iter().any(|figure| figure.shape == name);
        SHAPES
            .iter()
            .filter(|name| there(name) == wanted)
            .map(|name| (*name).to_owned())
            .collect()
    };
    let Some(thing) = things.choose(rng) else {
        // All three shapes are there: then none is absent, but a colour is.
        return whether(scene, rng);
    };
    let wordings = if negated { &ABSENT } else { &PRESENT };
    let wording = wordings.choose(rng).expect("there are four");
    (
        wording.replace("{}", thing),
        if yes { "yes" } else { "no" }.to_owned(),
    )
}

/// The shape or colour of a figure; none if no figure is the only one of its kind.
fn what(scene: &[Figure], rng: &mut ChaCha8Rng) -> Option<(String, String)> {
    let figure = scene.choose(rng)?;
    let alone = scene.len() == 1;
    let only_colour = scene.iter().filter(|f| f.colour == figure.colour).count() == 1;
    let only_shape = scene.iter().filter(|f| f.shape == figure.shape).count() == 1;
    if rng.random_bool(0.5) {
        let question = if alone && rng.random_bool(0.7) {
            (*WHICH_SHAPE.choose(rng)?).to_owned()
        } else if only_colour {
            format!("what is the {} shape?", figure.colour)
        } else {
            return None;
        };
        return Some((question, figure.shape.to_owned()));
    }
    let thing = match (alone && rng.random_bool(0.5), only_shape) {
        (true, _) => "shape",
        (false, true) => figure.shape,
        (false, false) => return None,
    };
    Some((
        WHICH_COLOUR.choose(rng)?.replace("{}", thing),
        figure.colour.to_owned(),
    ))
}

fn how_many(scene: &[Figure], rng: &mut ChaCha8Rng) -> (String, String) {
    let wording = *HOW_MANY.choose(rng).expect("there are three");
    (
        wording.to_owned(),
        NUMBERS
            .get(scene.len())
            .copied()
            .unwrap_or("many")
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    /// Reads the question and looks at the scene, by rules of its own.
    fn expected(question: &str, scene: &[Figure]) -> String {
        let question = question.to_lowercase();
        let words: Vec<&str> = question.trim_end_matches('?').split(' ').collect();
        let named = |name: &str| words.contains(&name);
        let fits = |figure: &&Figure| {
            let colours: Vec<_> = COLOURS.iter().filter(|(name, _)| named(name)).collect();
            let shapes: Vec<_> = SHAPES.iter().filter(|name| named(name)).collect();
            colours.iter().all(|(name, _)| *name == figure.colour)
                && shapes.iter().all(|name| **name == figure.shape)
        };
        let matching: Vec<&Figure> = scene.iter().filter(fits).collect();
        if words[0] == "how" {
            return ["zero", "one", "two", "three"][scene.len()].to_owned();
        }
        if words[0] == "what" {
            assert_eq!(matching.len(), 1, "{question} about {scene:?}");
            let colour = named("color");
            return if colour {
                matching[0].colour
            } else {
                matching[0].shape
            }
            .to_owned();
        }
        let negated = named("not") || named("no");
        if matching.is_empty() == negated {
            "yes"
        } else {
            "no"
        }
        .to_owned()
    }

    #[test]
    fn every_answer_agrees_with_its_question() {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut yes = 0;
        let mut whether = 0;
        for n in 0..6000 {
            let scene: Vec<Figure> = (0..n % 3 + 1)
                .map(|_| Figure {
                    shape: SHAPES.choose(&mut rng).unwrap(),
                    colour: COLOURS.choose(&mut rng).unwrap().0,
                })
                .collect();
            let (question, answer) = ask(&scene, &mut rng);
            assert_eq!(
                answer,
                expected(&question, &scene),
                "{question} about {scene:?}"
            );
            yes += usize::from(answer == "yes");
            whether += usize::from(answer == "yes" || answer == "no");
        }
        let share = yes as f64 / whether as f64;
        assert!((0.46..0.54).contains(&share), "{yes} yes of {whether}");
    }
}
