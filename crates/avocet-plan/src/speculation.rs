//! Speculative decoding: what drafts gain, and how much of that a mixture takes back.

use serde::Serialize;

use crate::error::{Result, positive, refuse};
use crate::gpu::Gpu;
use crate::model::ModelShape;
use crate::serve_layout::ServeLayout;
use crate::serving::decode;

/// A draft of some tokens, checked in one step of the large model.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Draft {
    /// Drafted tokens.
    pub tokens: u32,
    /// Chance that a drafted token is accepted.
    pub acceptance: f64,
    /// Seconds of drafting a token over those of a step of the large model.
    pub cost: f64,
}

/// What speculation brings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Speculation {
    /// Requests at work.
    pub requests: f64,
    /// Tokens that a step makes on average: (1 - a^(K+1)) / (1 - a).
    pub tokens_a_step: f64,
    /// Checking K + 1 tokens over a step of one.
    pub step_ratio: f64,
    /// Tokens a second with drafts over those without.
    pub gain: f64,
    /// The same if checking more tokens touched no more experts.
    pub gain_same_experts: f64,
    /// Experts of a layer that a step touches without and with drafts.
    pub touched: (f64, f64),
}

impl Draft {
    /// Errors if a number is out of range.
    pub fn check(&self) -> Result<()> {
        if !(0.0..1.0).contains(&self.acceptance) {
            let reason = format!("is {}, must be at least 0 and below 1", self.acceptance);
            return refuse("acceptance", reason);
        }
        if self.tokens == 0 || self.tokens > 64 {
            return refuse(
                "draft",
                format!("is {} tokens, must be 1 to 64", self.tokens),
            );
        }
        positive("draft-cost", self.cost)
    }

    /// Tokens of a step on average (Leviathan et al. 2023, arXiv:2211.17192, equation 1).
    pub(crate) fn tokens_a_step(&self) -> f64 {
        let missed = 1.0 - self.acceptance.powi(self.tokens as i32 + 1);
        missed / (1.0 - self.acceptance)
    }
}

/// What `draft` brings to `requests` requests that remember `context` tokens.
///
/// Errors if the draft is out of range.
pub fn speculate(
    gpu: &Gpu,
    model: &ModelShape,
    layout: &ServeLayout,
    requests: f64,
    context: f64,
    draft: &Draft,
) -> Result<Speculation> {
    draft.check()?;
    let checked = f64::from(draft.tokens) + 1.0;
    let plain = decode(gpu, model, layout, requests, context, 1.0);
    let together = decode(gpu, model, layout, requests, context, checked);
    let tokens_a_step = draft.tokens_a_step();
    let gain = |step_s: f64| {
        let drafting = f64::from(draft.tokens) * draft.cost * plain.token_s;
        tokens_a_step * plain.token_s / (step_s + drafting)
    };
    // The experts' share of the step stays as it was where no more of them are touched, unless the
    // arithmetic itself takes longer.
    let dearer = (together.layer.experts - plain.layer.experts).max(0.0);
    let layers = model.num_layers as f64;
    Ok(Speculation {
        requests,
        tokens_a_step,
        step_ratio: together.token_s / plain.token_s,
        gain: gain(together.token_s),
        gain_same_experts: gain((together.token_s - layers * dearer).max(plain.token_s)),
        touched: (plain.touched, together.touched),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::known;

    #[test]
    fn a_mixture_takes_back_part_of_what_drafts_gain_at_small_batches() {
        let gpu = Gpu::named("h800").unwrap();
        let model = known::deepseek_v3();
        let layout = ServeLayout {
            overlap: false,
            ..ServeLayout::experts(&model, 16).unwrap()
        };
        let draft = Draft {
            tokens: 3,
            acceptance: 0.7,
            cost: 0.02,
        };
        let few = speculate(&gpu, &model, &layout, 1.0, 4096.0, &draft).unwrap();
        assert!((few.tokens_a_step - 2.533).abs() < 1e-3, "{few:?}");
        assert!(few.touched.1 > 2.0 * few.touched.0, "{few:?}");
        assert!(
            few.gain < few.gain_same_experts && few.gain > 1.0,
            "{few:?}"
        );
        let many = speculate(&gpu, &model, &layout, 512.0, 4096.0, &draft).unwrap();
        assert!(many.gain < few.gain, "full batches gain less: {many:?}");
    }

    #[test]
    fn a_certain_or_a_negative_chance_is_refused() {
        for acceptance in [1.0, -0.1, f64::NAN] {
            let draft = Draft {
                tokens: 3,
                acceptance,
                cost: 0.1,
            };
            assert!(
                draft
                    .check()
                    .unwrap_err()
                    .to_string()
                    .contains("acceptance")
            );
        }
    }
}
