//! A conversation or a document as the network gets it.

/// One row of ids and what of it is learned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prompt {
    /// Tokens, special ones included.
    pub ids: Vec<u32>,
    /// For each token whether it is a loss target: answers and their `<|end|>`.
    pub answer: Vec<bool>,
    /// How many `<|image|>` tokens there are.
    pub images: usize,
}

impl Prompt {
    pub(crate) fn push(&mut self, id: u32, answer: bool) {
        self.ids.push(id);
        self.answer.push(answer);
    }

    pub(crate) fn extend(&mut self, ids: Vec<u32>, answer: bool) {
        self.answer.resize(self.answer.len() + ids.len(), answer);
        self.ids.extend(ids);
    }
}
