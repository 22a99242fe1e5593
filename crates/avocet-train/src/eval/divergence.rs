//! How far a model is from another that should say the same, such as one of coarser numbers.

use avocet_infer::{Engine, InferError, ScoreOptions};
use candle_core::Tensor;
use serde::Serialize;

use super::error::{EvalError, Result};

/// Tokens that are scored together; the next ones begin anew.
const WINDOW: usize = 512;

/// How two models differ on a text.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Divergence {
    /// Tokens that both scored.
    pub tokens_scored: usize,
    /// Perplexity of the first.
    pub perplexity_before: f64,
    /// Perplexity of the second.
    pub perplexity_after: f64,
    /// Largest difference of a logit.
    pub max_logit_difference: f64,
}

/// Scores `text` with both models, which share a tokenizer, in windows that begin anew.
///
/// Errors if the text has too few tokens to score.
pub fn divergence(before: &Engine, after: &Engine, text: &str) -> Result<Divergence> {
    let ids = before
        .tokenizer()
        .encode_raw(text)
        .map_err(InferError::from)?;
    if ids.len() < 2 {
        return Err(EvalError::TooShort { tokens: ids.len() });
    }
    let window = WINDOW.min(before.config().decoder.max_context);
    let options = ScoreOptions {
        logits: true,
        ..ScoreOptions::default()
    };
    let (mut sums, mut tokens, mut largest) = ([0.0; 2], 0, 0.0f64);
    for ids in ids.chunks(window) {
        let scores = [
            before.score(ids, &[], options)?,
            after.score(ids, &[], options)?,
        ];
        for (sum, score) in sums.iter_mut().zip(&scores) {
            *sum -= score.logprobs.iter().flatten().sum::<f64>();
        }
        tokens += scores[0].logprobs.iter().flatten().count();
        let [one, other] = scores.map(|score| score.logits.expect("they were asked for"));
        largest = largest.max(max_difference(&one, &other)?);
    }
    let perplexity = |sum: f64| (sum / tokens.max(1) as f64).exp();
    Ok(Divergence {
        tokens_scored: tokens,
        perplexity_before: perplexity(sums[0]),
        perplexity_after: perplexity(sums[1]),
        max_logit_difference: largest,
    })
}

fn max_difference(one: &Tensor, other: &Tensor) -> Result<f64> {
    let difference = (one - other)?.abs()?.flatten_all()?.max(0)?;
    Ok(f64::from(difference.to_scalar::<f32>()?))
}
