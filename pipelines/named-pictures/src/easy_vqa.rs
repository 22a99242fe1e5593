//! The questions and pictures of the package easy-vqa, as they are.

use std::collections::HashMap;

use avocet_data::Truth;
use drawing::Package;
use pipeline::Split;

use crate::drawn::Drawn;
use crate::error::NamedPicturesError;
use crate::shape_questions::{COLOURS, SHAPES};

/// One split of easy-VQA.
#[derive(Debug)]
pub struct EasyVqa {
    questions: Vec<(String, String, usize)>,
    images: Vec<Vec<u8>>,
    truths: HashMap<usize, Truth>,
    source: String,
    licence: String,
}

impl EasyVqa {
    /// Reads a split out of the package.
    ///
    /// Errors if a file is missing or a question asks about a picture that is not there.
    pub fn load(package: &Package, split: Split) -> Result<Self, NamedPicturesError> {
        let folder = format!("easy_vqa/data/{}", split.name());
        let list = format!("{folder}/questions.json");
        let questions: Vec<(String, String, usize)> =
            serde_json::from_str(&package.text(&list)?).map_err(|e| package.broken(&list, e))?;
        let num_images = questions
            .iter()
            .map(|(_, _, image)| image + 1)
            .max()
            .unwrap_or(0);
        let images = (0..num_images)
            .map(|image| package.read(&format!("{folder}/images/{image}.png")))
            .collect::<Result<_, _>>()?;
        let truths = truths(&questions);
        let (source, licence) = (package.name.clone(), package.licence.clone());
        Ok(Self {
            questions,
            images,
            truths,
            source,
            licence,
        })
    }

    /// How many questions there are.
    pub fn count(&self) -> usize {
        self.questions.len()
    }

    /// The question at `index`, which is below [`Self::count`].
    pub fn question(&self, index: usize) -> Drawn {
        let (question, answer, image) = &self.questions[index];
        Drawn {
            image: self.images[*image].clone(),
            question: question.clone(),
            answer: answer.clone(),
            also_right: Vec::new(),
            more: Vec::new(),
            truth: self.truths.get(image).cloned(),
            source: self.source.clone(),
            licence: self.licence.clone(),
        }
    }
}

/// What each picture shows, where its questions together say so.
fn truths(questions: &[(String, String, usize)]) -> HashMap<usize, Truth> {
    let mut known: HashMap<usize, (Option<&str>, Option<&str>)> = HashMap::new();
    for (question, answer, image) in questions {
        let (colour, shape) = known.entry(*image).or_default();
        let negated = question.contains(" not ") || question.contains(" no ");
        // Every picture shows one shape: what is there, or not absent, is that shape.
        let there = (answer == "yes") != negated && ["yes", "no"].contains(&answer.as_str());
        let asks = question.starts_with("what");
        let named = |name: &str| question.split([' ', '?']).any(|word| word == name);
        for (name, _) in COLOURS {
            if answer == name || ((there || asks) && named(name)) {
                *colour = Some(name);
            }
        }
        for name in SHAPES {
            if answer == name || ((there || asks) && named(name)) {
                *shape = Some(name);
            }
        }
    }
    let name = |(image, (colour, shape)): (usize, (Option<&str>, Option<&str>))| {
        Some((image, Truth::Name(format!("{} {}", colour?, shape?))))
    };
    known.into_iter().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_picture_shows_follows_from_its_questions() {
        let asked =
            |question: &str, answer: &str, image| (question.to_owned(), answer.to_owned(), image);
        let truths = truths(&[
            asked("what color is the rectangle?", "blue", 0),
            asked("is there not a teal shape?", "no", 1),
            asked("is there a circle in the image?", "yes", 1),
            asked("is there a red shape?", "no", 2),
            asked("what shape is present?", "circle", 2),
        ]);
        assert_eq!(
            truths.get(&0),
            Some(&Truth::Name("blue rectangle".to_owned()))
        );
        assert_eq!(truths.get(&1), Some(&Truth::Name("teal circle".to_owned())));
        assert_eq!(truths.get(&2), None);
    }
}
