//! One answer, or one text gone on with, handed out as it comes.

use std::ops::ControlFlow;
use std::time::Instant;

use avocet_text::Turn;
use tracing::info;

use crate::answer::{Answer, FinishReason};
use crate::engine::Engine;
use crate::error::InferError;
use crate::images::Image;
use crate::sampler::SamplingOptions;
use crate::sequence::Sequence;

impl Engine {
    /// Answers the last turn; `on_text` gets each whole piece of text as it comes and may stop the
    /// answer.
    ///
    /// Errors before any work if the question is empty, markers and images differ in number, or
    /// the conversation does not fit into the context.
    pub fn answer(
        &self,
        images: &[Image],
        turns: &[Turn],
        options: &SamplingOptions,
        on_text: impl FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Answer, InferError> {
        self.hand_out(self.sequence(images, turns, options)?, on_text)
    }

    /// Goes on with `text`, which is nothing but text, without the frame of a conversation;
    /// otherwise as [`answer`](Self::answer).
    ///
    /// Errors before any work if the text is empty or does not fit into the context.
    pub fn complete(
        &self,
        text: &str,
        options: &SamplingOptions,
        on_text: impl FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Answer, InferError> {
        let started = Instant::now();
        self.check_text_length(text.len())?;
        let ids = self.tokenizer().opening(text)?;
        if ids.is_empty() {
            return Err(InferError::EmptyQuestion);
        }
        self.check_ids(&ids)?;
        self.check_length(ids.len() + 1)?;
        self.hand_out(self.sequence_of(started, ids, &[], options)?, on_text)
    }

    fn hand_out(
        &self,
        mut sequence: Sequence<'_>,
        mut on_text: impl FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Answer, InferError> {
        while !sequence.is_finished() {
            let before = sequence.answer();
            let (tokens, bytes) = (before.token_ids.len(), before.text.len());
            self.step(&mut [&mut sequence])?;
            let answer = sequence.answer();
            let spoke = answer.token_ids.len() > tokens;
            if spoke
                && answer.finish_reason != FinishReason::Stop
                && on_text(&answer.text[bytes..]).is_break()
            {
                sequence.finish(FinishReason::Cancelled);
            }
        }
        let answer = sequence.into_answer();
        info!(
            prompt_tokens = answer.usage.prompt_tokens,
            prefill_s = (answer
                .timing
                .first_token
                .saturating_sub(answer.timing.vision))
            .as_secs_f64(),
            tokens = answer.usage.completion_tokens,
            tokens_per_s = answer.decode_tokens_per_s(),
            "answered"
        );
        Ok(answer)
    }
}
