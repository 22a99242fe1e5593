//! What can be wrong with a question, an image or a record to score.

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum InferError {
    /// The last turn says nothing.
    #[error("the question is empty")]
    EmptyQuestion,
    /// The conversation does not end with the user.
    #[error("the last turn is not the user's: nothing to answer")]
    NothingToAnswer,
    /// Markers and images do not pair up.
    #[error("the text has {markers} <image> markers, but {images} images were given")]
    MarkerCount {
        /// Markers in the user's turns.
        markers: usize,
        /// Images given.
        images: usize,
    },
    /// The text does not fit.
    #[error("the text needs {tokens} tokens, but the context of the model holds {context}")]
    TooLong {
        /// Tokens of the text with its special tokens, and one for the answer.
        tokens: usize,
        /// Longest text of the model.
        context: usize,
    },
    /// The text is so long that it was not even encoded.
    #[error(
        "the text needs at least {tokens} tokens, but the context of the model holds {context}"
    )]
    FarTooLong {
        /// Fewest tokens that so many bytes can have.
        tokens: usize,
        /// Longest text of the model.
        context: usize,
    },
    /// The model cannot see.
    #[error("the model {model:?} has no vision tower: it cannot look at images")]
    Blind {
        /// Its name.
        model: String,
    },
    /// A token id that the model has not.
    #[error("token_ids[{index}] is {id}, but the vocabulary has {vocab_size} tokens")]
    UnknownToken {
        /// Its place.
        index: usize,
        /// The id.
        id: u32,
        /// How many there are.
        vocab_size: usize,
    },
    /// Tokenizer and network disagree.
    #[error("tokenizer.json has {tokenizer} tokens, but decoder.vocab_size is {model}")]
    VocabularySize {
        /// Tokens of the tokenizer.
        tokenizer: usize,
        /// Rows of the embedding table.
        model: usize,
    },
    /// The image could not be read.
    #[error(transparent)]
    Media(#[from] avocet_media::ImageError),
    /// A part of the image is missing, where only whole ones count.
    #[error("damaged image: {0}")]
    Damaged(avocet_media::Damage),
    /// The model folder could not be read.
    #[error(transparent)]
    Checkpoint(#[from] avocet_checkpoint::CheckpointError),
    /// The tokenizer could not be read.
    #[error(transparent)]
    Tokenizer(#[from] avocet_text::TokenizerError),
    /// A tensor operation failed.
    #[error("the network failed: {0}")]
    Tensor(#[from] candle_core::Error),
}
