//! Scores of answers against references; the answering itself is `avocet-infer`'s.
//!
//! Every [`Metric`] is held against its reference implementation on a fixed file:
//! `tests/golden/metrics.json`, written by `tests/golden/make_metrics.py`.

mod caption;
mod edits;
mod latex;
mod loss;
mod memorisation;
mod scores;
mod vqa;

pub use caption::{bleu, bleu_tokens, caption_words, cider};
pub use edits::{anls, edit_distance, exact_match, normalised};
pub use latex::formula_edit_rate;
pub use loss::{KindLoss, LossReport, PositionLoss, measure_losses};
pub use memorisation::{Memorisation, SpanLength, completed_spans};
pub use scores::{Answered, Figures, Metric, figures_by_kind};
pub use vqa::{VQA_PEOPLE, vqa_accuracy, vqa_normalised};
