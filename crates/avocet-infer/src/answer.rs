//! An answer, and what is told of it.

use std::time::Duration;

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FinishReason {
    /// The model said that it is done.
    Stop,
    /// The most tokens asked for, or the end of the context, was reached.
    Length,
    /// The caller wanted no more.
    Cancelled,
}

/// What an answer used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Usage {
    /// Tokens of the conversation, special ones included.
    pub prompt_tokens: usize,
    /// Tokens of the answer, its end included.
    pub completion_tokens: usize,
    /// Rows of image latents the text could attend to.
    pub vision_tokens: usize,
}

/// How long an answer took.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Timing {
    /// Encoding images that were not remembered.
    pub vision: Duration,
    /// From the question to the first token of the answer, vision included.
    pub first_token: Duration,
    /// From the first token to the last.
    pub decode: Duration,
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// What the model says.
    pub text: String,
    /// The tokens of it, its end included if it was said.
    pub token_ids: Vec<u32>,
    /// Why it ended.
    pub finish_reason: FinishReason,
    /// The logarithm of the probability that the model gave all of its tokens together.
    pub log_probability: f64,
    /// How probable it is that the answer is right, 0 to 1: that probability, or what the model's
    /// calibration makes of it. It holds once the answer has ended.
    pub confidence: f64,
    /// What it used.
    pub usage: Usage,
    /// How long it took.
    pub timing: Timing,
}

impl Answer {
    /// Tokens a second after the first; `None` if there was no second token.
    pub fn decode_tokens_per_s(&self) -> Option<f64> {
        let (tokens, seconds) = (
            self.usage.completion_tokens,
            self.timing.decode.as_secs_f64(),
        );
        (tokens > 1 && seconds > 0.0).then(|| (tokens - 1) as f64 / seconds)
    }
}
