//! What can go wrong while a model is evaluated.

use avocet_data::DataError;
use avocet_data::rows::RowError;
use avocet_infer::InferError;

use crate::error::TrainError;

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// The dataset could not be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A row is wrong.
    #[error(transparent)]
    Row(#[from] RowError),
    /// There are too few examples to show.
    #[error("{examples} examples, too few to show {shots}")]
    FewExamples {
        /// Examples there are.
        examples: usize,
        /// Examples that stand before each question.
        shots: usize,
    },
    /// A text is too short to be scored.
    #[error("the text has {tokens} tokens, too few to score")]
    TooShort {
        /// Its tokens.
        tokens: usize,
    },
    /// A question's picture cannot be looked at.
    #[error("{id}: {cause}")]
    Image {
        /// The question.
        id: String,
        /// What is wrong with the picture.
        cause: Box<InferError>,
    },
    /// The model could not answer.
    #[error(transparent)]
    Infer(#[from] InferError),
    /// The model could not read the texts.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}

/// Result of anything that evaluates.
pub type Result<T> = std::result::Result<T, EvalError>;
