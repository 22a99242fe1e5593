//! Log-probabilities of given tokens, for evaluation and parity.

use avocet_model::StepRows;
use candle_core::{IndexOp, Tensor};

use crate::engine::Engine;
use crate::error::InferError;
use crate::images::Image;
use crate::sampler::{likeliest, log_probability};

/// Rows of logits computed at once.
const ROWS_AT_ONCE: usize = 256;

/// What a model thinks of a row of tokens.
#[derive(Debug, Clone)]
pub struct Score {
    /// `log p(token i | tokens before it)`; `None` for the first and for tokens without a row in
    /// the head.
    pub logprobs: Vec<Option<f64>>,
    /// Logits after each token (T, V), if asked for.
    pub logits: Option<Tensor>,
    /// The greedy continuation, exactly as long as asked for: an `<|end|>` does not end it.
    pub greedy_ids: Vec<u32>,
}

/// What to compute beside the log-probabilities.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScoreOptions {
    /// Keep the logits.
    pub logits: bool,
    /// Append so many greedy tokens.
    pub greedy: usize,
}

impl Engine {
    /// Ids of a text as written, refused before encoding if it cannot fit into the context.
    pub fn encode_as_written(&self, text: &str) -> Result<Vec<u32>, InferError> {
        self.check_text_length(text.len())?;
        Ok(self.tokenizer().encode_raw(text)?)
    }

    /// Scores `ids` (T); its image tokens stand for `images`, in order.
    ///
    /// Errors if there are no ids, one is not in the vocabulary, image tokens and images differ in
    /// number, or ids and greedy tokens together are longer than the context.
    pub fn score(
        &self,
        ids: &[u32],
        images: &[Image],
        options: ScoreOptions,
    ) -> Result<Score, InferError> {
        if ids.is_empty() {
            return Err(InferError::EmptyQuestion);
        }
        self.check_ids(ids)?;
        let markers = self.tokenizer().num_images(ids);
        if markers != images.len() {
            return Err(InferError::MarkerCount {
                markers,
                images: images.len(),
            });
        }
        self.check_length(ids.len() + options.greedy)?;

        let mut text = self.text(ids.to_vec(), images)?;
        let (mut logprobs, mut kept) = (vec![None], Vec::new());
        let (mut last, mut greedy_ids) = (Vec::new(), Vec::new());
        loop {
            while text.num_pending() > 0 {
                let (start, rows) = (text.num_read(), text.num_pending().min(ROWS_AT_ONCE));
                let kind = if start < ids.len() {
                    StepRows::prompt(rows)
                } else {
                    StepRows::answer(rows)
                };
                let hidden = self.read([(&mut text, rows)])?.swap_remove(0); // (rows, D)
                let logits = self.model().infer_logits(&hidden, kind)?; // (rows, V)
                for row in 0..rows {
                    last = logits.i(row)?.to_vec1::<f32>()?;
                    if let Some(&next) = ids.get(start + row + 1) {
                        logprobs.push(log_probability(&last, next));
                    }
                }
                if options.logits && start < ids.len() {
                    kept.push(logits);
                }
            }
            if greedy_ids.len() == options.greedy {
                break;
            }
            let id = likeliest(&last);
            greedy_ids.push(id);
            if greedy_ids.len() < options.greedy {
                text.push(id);
            }
        }
        let keep = || Tensor::cat(&kept, 0); // (T, V)
        Ok(Score {
            logprobs,
            logits: options.logits.then(keep).transpose()?,
            greedy_ids,
        })
    }
}
