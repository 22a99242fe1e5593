//! Answers on their way, and the step that takes many of them one token further.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use avocet_config::ConfidenceConfig;
use avocet_model::StepRows;
use avocet_text::{TextStream, Turn};
use candle_core::Tensor;

use crate::answer::{Answer, FinishReason, Timing, Usage};
use crate::cached_text::CachedText;
use crate::engine::Engine;
use crate::error::InferError;
use crate::images::Image;
use crate::sampler::{Sampler, SamplingOptions};

/// Tokens that a step reads, if it has no more sequences than that: what prompts have beyond is
/// read by the steps that follow, so that no other sequence waits for long.
const STEP_TOKENS: usize = 512;

/// An answer on its way: a text with its cache, and how its next token is chosen.
///
/// It joins and leaves the steps of others at any time, and gets the tokens that it would get
/// alone.
pub struct Sequence<'a> {
    text: CachedText,
    sampler: Sampler,
    stream: TextStream<'a>,
    most_tokens: usize,
    confidence: Option<&'a ConfidenceConfig>,
    answer: Answer,
    finished: bool,
    started: Instant,
    first_token: Option<Instant>,
    cancel: Cancel,
}

/// Ends a sequence from elsewhere: the next step takes it no further. Clones end the same one.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// The caller wants no more.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Sequence<'_> {
    /// What is said so far; the reason of its end holds once it [has ended](Self::is_finished).
    pub fn answer(&self) -> &Answer {
        &self.answer
    }

    /// Whether there is nothing more to come.
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// What ends this sequence before its time.
    pub fn cancel(&self) -> Cancel {
        self.cancel.clone()
    }

    /// Bytes of the keys and values that are kept for it; none once it is finished.
    pub fn cache_bytes(&self) -> usize {
        self.text.cache_bytes()
    }

    pub(crate) fn into_answer(self) -> Answer {
        self.answer
    }

    pub(crate) fn finish(&mut self, reason: FinishReason) {
        let answer = &mut self.answer;
        answer.finish_reason = reason;
        let (log, tokens) = (answer.log_probability, answer.token_ids.len());
        answer.confidence = match self.confidence {
            Some(config) => {
                let kind = config.kind(&answer.text, tokens);
                config.of(kind).confidence(log, tokens)
            }
            None => log.exp(),
        };
        self.finished = true;
        self.text.clear();
    }

    /// Takes the token that was chosen, which had this probability, as a logarithm.
    fn take(&mut self, id: u32, log_probability: f64, is_stop: bool) {
        let answer = &mut self.answer;
        answer.log_probability += log_probability;
        answer.usage.completion_tokens += 1;
        answer.token_ids.push(id);
        let first = *self.first_token.get_or_insert_with(Instant::now);
        answer.timing.first_token = first - self.started;
        answer.timing.decode = first.elapsed();
        if is_stop {
            return self.finish(FinishReason::Stop);
        }
        answer.text.push_str(&self.stream.push(id));
        if answer.usage.completion_tokens == self.most_tokens {
            return self.finish(FinishReason::Length);
        }
        self.text.push(id);
    }
}

impl Engine {
    /// Begins to answer the last turn; [`step`](Self::step) goes on. Images are encoded now.
    ///
    /// Errors before any work if the question is empty, markers and images differ in number, or
    /// the conversation does not fit into the context.
    pub fn sequence(
        &self,
        images: &[Image],
        turns: &[Turn],
        options: &SamplingOptions,
    ) -> Result<Sequence<'_>, InferError> {
        let started = Instant::now();
        let prompt = self.prompt(turns, images.len())?;
        self.sequence_of(started, prompt.ids, images, options)
    }

    /// Begins to go on behind `ids` (T), which were checked and began at `started`.
    pub(crate) fn sequence_of(
        &self,
        started: Instant,
        ids: Vec<u32>,
        images: &[Image],
        options: &SamplingOptions,
    ) -> Result<Sequence<'_>, InferError> {
        let room = self.config().decoder.max_context - ids.len();
        let latents = images.iter().map(|i| self.config().num_latents(i.grid()));
        let usage = Usage {
            prompt_tokens: ids.len(),
            completion_tokens: 0,
            vision_tokens: latents.sum(),
        };
        let text = self.text(ids, images)?;
        let most_tokens = options.max_tokens.min(room);
        Ok(Sequence {
            text,
            sampler: Sampler::new(options),
            stream: self.tokenizer().stream(),
            most_tokens,
            confidence: self.config().confidence.as_ref(),
            answer: Answer {
                text: String::new(),
                token_ids: Vec::new(),
                finish_reason: FinishReason::Length,
                log_probability: 0.0,
                confidence: 0.0,
                usage,
                timing: Timing {
                    vision: started.elapsed(),
                    ..Timing::default()
                },
            },
            finished: most_tokens == 0,
            started,
            first_token: None,
            cancel: Cancel::default(),
        })
    }

    /// Takes each of `sequences` that is not finished further, all in one pass of the network: by
    /// a token of its answer, or by a part of its prompt if that is long.
    ///
    /// A sequence gets the same tokens whatever others are in its steps. Errors if the network
    /// fails; then no token is chosen, and the step may be tried again.
    pub fn step(&self, sequences: &mut [&mut Sequence<'_>]) -> Result<(), InferError> {
        let (mut going, mut left) = (Vec::new(), STEP_TOKENS);
        for sequence in sequences.iter_mut() {
            if !sequence.finished && sequence.cancel.is_cancelled() {
                sequence.finish(FinishReason::Cancelled);
            }
            if !sequence.finished {
                // Each moves, however little the others left.
                let count = sequence.text.num_pending().min(left.max(1));
                left = left.saturating_sub(count);
                going.push((sequence, count));
            }
        }
        let texts = going.iter_mut().map(|(s, count)| (&mut s.text, *count));
        let rows = self.read(texts)?; // (n, D) each
        let (mut speaking, mut last) = (Vec::new(), Vec::new());
        for ((sequence, count), rows) in going.into_iter().zip(rows) {
            if sequence.text.num_pending() == 0 {
                last.push(rows.narrow(0, count - 1, 1)?); // (1, D)
                speaking.push(sequence);
            }
        }
        if speaking.is_empty() {
            return Ok(());
        }
        let (last, rows) = (Tensor::cat(&last, 0)?, StepRows::answer(last.len()));
        let logits = self.model().infer_logits(&last, rows); // (B, V)
        let logits = match logits.and_then(|logits| logits.to_vec2::<f32>()) {
            Ok(logits) => logits,
            Err(error) => {
                let texts = speaking.into_iter().map(|sequence| &mut sequence.text);
                texts.for_each(CachedText::unread_last);
                return Err(error.into());
            }
        };
        for (mut logits, sequence) in logits.into_iter().zip(speaking) {
            let (id, log) = self.choose(&mut sequence.sampler, &mut logits);
            sequence.take(id, log, self.tokenizer().is_stop(id));
        }
        Ok(())
    }

    /// Steps until all of `sequences` are finished.
    pub(crate) fn finish(&self, sequences: &mut [&mut Sequence<'_>]) -> Result<(), InferError> {
        while sequences.iter().any(|sequence| !sequence.finished) {
            self.step(sequences)?;
        }
        Ok(())
    }
}
