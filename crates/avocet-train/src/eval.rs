//! How good a model is: held-out questions ([`Task`]) become answers ([`answer()`]), and answers
//! figures; or what it makes of given texts.
//!
//! Every [`Metric`] is held against its reference implementation on a fixed file:
//! `tests/golden/metrics.json`, written by `tests/golden/make_metrics.py`.

mod answer;
mod calibration;
mod caption;
mod divergence;
mod edits;
mod error;
mod group;
mod latex;
mod loss;
mod memorisation;
mod right;
mod scores;
mod shares;
mod shots;
mod task;
mod vqa;

pub use answer::{Outcome, answer};
pub use calibration::{calibrate, calibration_error};
pub use caption::{bleu, bleu_tokens, caption_words, cider};
pub use divergence::{Divergence, divergence};
pub use edits::{anls, edit_distance, exact_match, normalised};
pub use error::{EvalError, Result};
pub use group::SetFigures;
pub use latex::formula_edit_rate;
pub use loss::{KindLoss, LossReport, PositionLoss, measure_losses};
pub use memorisation::{Memorisation, SpanLength, completed_spans};
pub use scores::{Answered, Figures, Metric, figures_by_kind};
pub use shares::{Shares, shares_by_kind};
pub use shots::Shots;
pub use task::{Asked, DATASETS, Items, Task, row_notes};
pub use vqa::{VQA_PEOPLE, vqa_accuracy, vqa_normalised};
