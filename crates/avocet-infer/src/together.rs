//! Many questions answered together.

use avocet_text::Turn;

use crate::answer::Answer;
use crate::engine::Engine;
use crate::error::InferError;
use crate::images::Image;
use crate::sampler::SamplingOptions;
use crate::sequence::Sequence;

/// A conversation that ends with a question.
#[derive(Debug, Clone)]
pub struct Question {
    /// The images that its markers stand for, in order.
    pub images: Vec<Image>,
    /// What was said so far.
    pub turns: Vec<Turn>,
}

impl Engine {
    /// Answers all `questions`; each gets the answer that it would get alone.
    ///
    /// A question that cannot be answered fails alone.
    pub fn answer_together(
        &self,
        questions: &[Question],
        options: &SamplingOptions,
    ) -> Result<Vec<Result<Answer, InferError>>, InferError> {
        let begin = |question: &Question| self.sequence(&question.images, &question.turns, options);
        let mut begun: Vec<Result<Sequence<'_>, InferError>> =
            questions.iter().map(begin).collect();
        let mut sequences: Vec<&mut Sequence<'_>> = begun.iter_mut().flatten().collect();
        self.finish(&mut sequences)?;
        let begun = begun.into_iter();
        Ok(begun.map(|one| one.map(Sequence::into_answer)).collect())
    }
}
