//! Log-probabilities of given tokens, for evaluation and parity.

use candle_core::{IndexOp, Tensor};

use crate::engine::Engine;
use crate::error::InferError;
use crate::images::Image;
use crate::sampler::{likeliest, log_probability};

/// Rows of logits held at once.
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
        Ok(self.language().encode_raw(text)?)
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
        let markers = self.language().num_images(ids);
        if markers != images.len() {
            return Err(InferError::MarkerCount {
                markers,
                images: images.len(),
            });
        }
        self.check_length(ids.len() + options.greedy)?;

        let keys = self.keys(images)?;
        let mut cache = self.model().new_cache(ids.len() + options.greedy)?;
        let seen = self.language().visible_images(ids);
        let hidden = self.model().forward_cached(ids, &seen, &keys, &mut cache)?; // (T, D)

        let mut logprobs = vec![None];
        let mut kept = Vec::new();
        let mut last = Vec::new();
        for start in (0..ids.len()).step_by(ROWS_AT_ONCE) {
            let rows = ROWS_AT_ONCE.min(ids.len() - start);
            let logits = self.model().logits(&hidden.narrow(0, start, rows)?)?; // (rows, V)
            for row in 0..rows {
                last = logits.i(row)?.to_vec1::<f32>()?;
                if let Some(&next) = ids.get(start + row + 1) {
                    logprobs.push(log_probability(&last, next));
                }
            }
            if options.logits {
                kept.push(logits);
            }
        }
        let logits = if options.logits {
            Some(Tensor::cat(&kept, 0)?)
        } else {
            None
        }; // (T, V)

        let images = seen.last().copied().unwrap_or((0, 0));
        let mut greedy_ids = Vec::new();
        while greedy_ids.len() < options.greedy {
            let id = likeliest(&last);
            greedy_ids.push(id);
            if greedy_ids.len() == options.greedy {
                break;
            }
            let hidden = self
                .model()
                .forward_cached(&[id], &[images], &keys, &mut cache)?; // (1, D)
            last = self
                .model()
                .logits(&hidden)?
                .flatten_all()?
                .to_vec1::<f32>()?;
        }
        Ok(Score {
            logprobs,
            logits,
            greedy_ids,
        })
    }
}
