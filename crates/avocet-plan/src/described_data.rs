//! What was described of the data that the large 2023 system saw, and how it was put into batches.

use crate::claim::{BATCH, Claim, SEQUENCE, TOKENS, claim, verdict};
use crate::count::Count;
use crate::figure::Figure;
use crate::model::ModelShape;
use avocet_report::numbers::{digits, percent, short};

/// Claims about batches, data and the second stage of training.
pub(crate) fn batch_claims(model: &ModelShape) -> Vec<Claim> {
    let active = Count::of(model).active as f64;
    let (top_k, experts) = model.mixture.map_or((1.0, 1.0), |mixture| {
        (mixture.top_k as f64, mixture.num_experts as f64)
    });
    let an_expert = Figure::new(
        "tokens of a batch for each expert",
        "tokens",
        "batch * top_k / experts",
        &[("batch", BATCH), ("top_k", top_k), ("experts", experts)],
    );
    let busiest = Figure::new(
        "busiest expert of a micro-batch by even chance, over the mean",
        "",
        "1 + sqrt(2 * log_experts * (experts / top_k - 1) / tokens)",
        &[
            ("log_experts", experts.ln()),
            ("experts", experts),
            ("top_k", top_k),
            ("tokens", SEQUENCE as f64),
        ],
    );
    let words = Figure::new(
        "words",
        "",
        "tokens * share",
        &[("tokens", TOKENS), ("share", 0.75)],
    );
    let (least, most) = (
        Figure::new(
            "different tokens if all were code",
            "tokens",
            "tokens / 4",
            &[("tokens", TOKENS)],
        ),
        Figure::new(
            "different tokens if all were text",
            "tokens",
            "tokens / 2",
            &[("tokens", TOKENS)],
        ),
    );
    let vision = Figure::new(
        "work of 2 T more tokens with images",
        "FLOP",
        "6 * active * tokens",
        &[("active", active), ("tokens", 2e12)],
    );
    vec![
        claim(
            "batch",
            "60 M tokens, 7.5 M for each expert",
            format!("{} for each expert", short(an_expert.value)),
            verdict(7.5e6, an_expert.value, 0.01),
            "",
            vec![an_expert],
        ),
        claim(
            "load balancing",
            "expert use kept roughly equal",
            format!(
                "by even chance the busiest of 8k tokens gets {} of the mean",
                percent(busiest.value)
            ),
            "plausible",
            "so an equal load costs nothing but a router without favourites",
            vec![busiest],
        ),
        claim(
            "data",
            "13 T tokens with repeats: text twice, code 4 times",
            format!(
                "{} to {} different tokens",
                short(least.value),
                short(most.value)
            ),
            "consistent",
            "",
            vec![least, most],
        ),
        claim(
            "data, in words",
            "13 T \"words\"",
            format!("tokens: ~{} words at 0.75 a token", short(words.value)),
            "no: tokens",
            "",
            vec![words],
        ),
        claim(
            "vision",
            "~2 T more tokens after text alone",
            format!(
                "{} FLOP, {} of pre-training",
                digits(vision.value),
                percent(2e12 / TOKENS)
            ),
            "plausible",
            "the tower and the cross-attention, whose sizes are not described, come on top",
            vec![vision],
        ),
    ]
}
