//! Several questions about the same images, of whose answers one stands.

use std::ops::ControlFlow;

use avocet_text::Turn;

use crate::engine::{Answer, Engine};
use crate::error::InferError;
use crate::images::Image;
use crate::sampler::SamplingOptions;
use crate::score::ScoreOptions;

impl Engine {
    /// Asks each of `questions` about `images`, and gives the answer that the model is surest of;
    /// `None` without questions.
    ///
    /// Errors as [`answer`](Self::answer) does.
    pub fn surest_answer(
        &self,
        images: &[Image],
        questions: &[String],
        options: &SamplingOptions,
    ) -> Result<Option<Answer>, InferError> {
        let mut best: Option<(f64, Answer)> = None;
        for question in questions {
            let turns = [Turn::about(images.len(), question.as_str())];
            let answer = self.answer(images, &turns, options, |_| ControlFlow::Continue(()))?;
            let sureness = match questions.len() {
                1 => 0.0,
                _ => self.sureness(images, &turns, &answer)?,
            };
            if best.as_ref().is_none_or(|(surest, _)| sureness > *surest) {
                best = Some((sureness, answer));
            }
        }
        Ok(best.map(|(_, answer)| answer))
    }

    /// Mean log-probability of the answer's tokens, its end included.
    fn sureness(
        &self,
        images: &[Image],
        turns: &[Turn],
        answer: &Answer,
    ) -> Result<f64, InferError> {
        let mut ids = self.language().question(turns)?.ids;
        let asked = ids.len();
        ids.extend(&answer.token_ids);
        let score = self.score(&ids, images, ScoreOptions::default())?;
        let said: Vec<f64> = score.logprobs[asked..].iter().flatten().copied().collect();
        Ok(said.iter().sum::<f64>() / said.len().max(1) as f64)
    }
}
