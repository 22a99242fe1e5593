//! Several questions about the same images, of whose answers one stands.

use avocet_text::Turn;

use crate::answer::Answer;
use crate::engine::Engine;
use crate::error::InferError;
use crate::images::Image;
use crate::sampler::SamplingOptions;

impl Engine {
    /// Asks each of `questions` about `images`, and gives the answer that the model is surest of,
    /// by the mean log-probability of its tokens; `None` without questions.
    ///
    /// Errors as [`answer`](Self::answer) does.
    pub fn surest_answer(
        &self,
        images: &[Image],
        questions: &[String],
        options: &SamplingOptions,
    ) -> Result<Option<Answer>, InferError> {
        let turns = |question: &String| [Turn::about(images.len(), question.as_str())];
        let begin = |question| self.sequence(images, &turns(question), options);
        let mut begun: Vec<_> = questions.iter().map(begin).collect::<Result<_, _>>()?;
        self.finish(&mut begun.iter_mut().collect::<Vec<_>>())?;
        let mut best: Option<Answer> = None;
        for answer in begun.into_iter().map(|sequence| sequence.into_answer()) {
            let surer = |best: &Answer| sureness(&answer) > sureness(best);
            if best.as_ref().is_none_or(surer) {
                best = Some(answer);
            }
        }
        Ok(best)
    }
}

/// Mean log-probability of the answer's tokens, its end included.
fn sureness(answer: &Answer) -> f64 {
    answer.log_probability / answer.token_ids.len().max(1) as f64
}
