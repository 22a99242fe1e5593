//! Several questions about the same images, of whose answers one stands.

use avocet_text::Turn;

use crate::answer::Answer;
use crate::engine::Engine;
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
        let turns = |question: &String| [Turn::about(images.len(), question.as_str())];
        let begin = |question| self.sequence(images, &turns(question), options);
        let mut begun: Vec<_> = questions.iter().map(begin).collect::<Result<_, _>>()?;
        self.finish(&mut begun.iter_mut().collect::<Vec<_>>())?;
        let mut best: Option<(f64, Answer)> = None;
        for (question, sequence) in questions.iter().zip(begun) {
            let answer = sequence.into_answer();
            let sureness = match questions.len() {
                1 => 0.0,
                _ => self.sureness(images, &turns(question), &answer)?,
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
        let mut ids = self.tokenizer().question(turns)?.ids;
        let asked = ids.len();
        ids.extend(&answer.token_ids);
        let score = self.score(&ids, images, ScoreOptions::default())?;
        let said: Vec<f64> = score.logprobs[asked..].iter().flatten().copied().collect();
        Ok(said.iter().sum::<f64>() / said.len().max(1) as f64)
    }
}
