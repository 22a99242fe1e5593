//! A claim of a description beside what the arithmetic says, and the numbers that the description of
//! the large 2023 system gives.

use serde::Serialize;

use crate::figure::Figure;

/// A claim of the description.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Claim {
    /// What it is about.
    pub part: &'static str,
    /// As described.
    pub described: &'static str,
    /// As recomputed.
    pub recomputed: String,
    /// Whether the two agree, in a few words.
    pub agrees: String,
    /// What explains a difference, or goes with it; may be empty.
    pub remark: String,
    /// The numbers with their formulas.
    pub figures: Vec<Figure>,
}

/// Tokens of pre-training, counted with repeats.
pub const TOKENS: f64 = 13e12;
/// FLOP of pre-training.
pub const WORK: f64 = 2.15e25;
/// Tokens of a sequence.
pub const SEQUENCE: u64 = 8192;
/// Tokens of the full batch.
pub const BATCH: f64 = 60e6;
/// The described training layout: tensor, pipeline, data.
pub const LAYOUT: (u64, u64, u64) = (8, 15, 208);
/// The described serving layout: tensor, pipeline.
pub const SERVING: (u64, u64) = (8, 16);

pub(crate) fn claim(
    part: &'static str,
    described: &'static str,
    recomputed: String,
    agrees: impl Into<String>,
    remark: impl Into<String>,
    figures: Vec<Figure>,
) -> Claim {
    Claim {
        part,
        described,
        recomputed,
        agrees: agrees.into(),
        remark: remark.into(),
        figures,
    }
}

/// "yes" if `ours` is within `tolerance` of `theirs`, otherwise how far off they are.
pub(crate) fn verdict(theirs: f64, ours: f64, tolerance: f64) -> String {
    let off = theirs / ours - 1.0;
    if off.abs() <= tolerance {
        "yes".into()
    } else if off > 0.0 {
        format!("no: {:.0} % high", 100.0 * off)
    } else {
        format!("no: {:.0} % low", -100.0 * off)
    }
}
