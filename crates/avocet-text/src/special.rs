//! The special tokens: structure of a prompt that text cannot imitate.

/// A token that has a meaning of its own and no text.
///
/// Encoding never produces one: a user who types `<|end|>` gets its characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Special {
    /// Fills unused places; never a target.
    Pad,
    /// Stands where an image is; text after it may look at that image.
    Image,
    /// Opens a user's turn.
    User,
    /// Opens the model's turn.
    Assistant,
    /// Opens instructions for the whole conversation.
    System,
    /// Ends an answer or a document.
    End,
}

impl Special {
    /// Every special token, in the order of their ids in a tokenizer trained here.
    pub const ALL: [Special; 6] = [
        Special::Pad,
        Special::Image,
        Special::User,
        Special::Assistant,
        Special::System,
        Special::End,
    ];

    /// How the token is written in `tokenizer.json`.
    pub const fn name(self) -> &'static str {
        match self {
            Special::Pad => "<|pad|>",
            Special::Image => "<|image|>",
            Special::User => "<|user|>",
            Special::Assistant => "<|assistant|>",
            Special::System => "<|system|>",
            Special::End => "<|end|>",
        }
    }
}
