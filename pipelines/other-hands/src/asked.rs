//! A question about somebody else's picture, and what makes them.

use avocet_data::{Content, Sample, SampleError};
use avocet_text::Turn;
use rand_chacha::ChaCha8Rng;

use crate::error::OtherHandsError;

/// One picture, one question, and all answers that are right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// What it counts as when a set is looked at by itself.
    pub kind: &'static str,
    /// The package.
    pub source: String,
    /// The licence of the picture.
    pub licence: String,
    /// The picture file.
    pub picture: Vec<u8>,
    /// The question.
    pub question: String,
    /// The answer, and others that are as right.
    pub answers: Vec<String>,
    /// It is read off letter by letter.
    pub spelled: bool,
}

impl Asked {
    /// As a sample.
    ///
    /// Errors if a field is empty.
    pub fn sample(self) -> Result<Sample, SampleError> {
        let mut answers = Vec::new();
        for answer in self.answers {
            if !answers.contains(&answer) {
                answers.push(answer);
            }
        }
        let mut answers = answers.into_iter();
        let answer = answers.next().unwrap_or_default();
        let answer = if self.spelled {
            Turn::transcription(answer)
        } else {
            Turn::assistant(answer)
        };
        let turns = Content::Turns(vec![Turn::about(1, self.question), answer]);
        let images = vec![(self.picture, None)];
        let sample = Sample::new(self.kind, &self.source, &self.licence, images, turns)?;
        Ok(sample.accepting(answers.collect()))
    }
}

/// What an input gave.
#[derive(Debug)]
pub(crate) enum Made {
    /// These.
    Asked(Vec<Asked>),
    /// Nothing, for this reason.
    Unfit(&'static str),
}

/// What makes one set: everything read once, then any input by its number.
pub(crate) trait Maker: Send + Sync {
    /// How many inputs there are.
    fn len(&self) -> usize;

    /// The input of that number, below [`Self::len`]; all that is drawn comes from `rng`.
    ///
    /// Errors if a program that is needed fails for good.
    fn make(&self, index: usize, rng: &mut ChaCha8Rng) -> Result<Made, OtherHandsError>;

    /// The program that sets the pictures, with its version, as the bytes depend on it.
    fn tool(&self) -> Option<&str> {
        None
    }
}

/// "yes" or "no".
pub(crate) fn yes_or_no(yes: bool) -> Vec<String> {
    vec![if yes { "yes" } else { "no" }.to_owned()]
}
