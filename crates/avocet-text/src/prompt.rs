//! Conversations and documents as the network sees them.
//!
//! `<|user|><|image|>What is this?<|assistant|>a red bicycle<|end|>`: only the
//! answer and its `<|end|>` are learned. A document is `text<|end|>`, all learned.

use crate::special::Special;
use crate::tokenizer::Tokenizer;
use serde::{Deserialize, Serialize};

/// Marks the place of an image in the text of a user's turn.
pub const IMAGE_MARKER: &str = "<image>";

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Instructions for the whole conversation.
    System,
    /// Who asks.
    User,
    /// The model.
    Assistant,
}

/// What one speaker says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Turn {
    /// Who speaks.
    pub role: Role,
    /// The text; in a user's turn each [`IMAGE_MARKER`] stands for an image.
    pub text: String,
    /// One token per character, as for a transcription.
    #[serde(default)]
    pub spelled: bool,
}

impl Turn {
    /// Instructions for the whole conversation.
    pub fn system(text: impl Into<String>) -> Self {
        Self {
            role: Role::System,
            text: text.into(),
            spelled: false,
        }
    }

    /// What the user says; each [`IMAGE_MARKER`] in it stands for an image.
    pub fn user(text: impl Into<String>) -> Self {
        Self {
            role: Role::User,
            text: text.into(),
            spelled: false,
        }
    }

    /// What the model says.
    pub fn assistant(text: impl Into<String>) -> Self {
        Self {
            role: Role::Assistant,
            text: text.into(),
            spelled: false,
        }
    }

    /// What the model reads off a picture, letter by letter.
    pub fn transcription(text: impl Into<String>) -> Self {
        Self {
            role: Role::Assistant,
            text: text.into(),
            spelled: true,
        }
    }

    /// How many images the turn has.
    pub fn num_images(&self) -> usize {
        match self.role {
            Role::User => self.text.matches(IMAGE_MARKER).count(),
            Role::System | Role::Assistant => 0,
        }
    }
}

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
    fn push(&mut self, id: u32, answer: bool) {
        self.ids.push(id);
        self.answer.push(answer);
    }

    fn extend(&mut self, ids: Vec<u32>, answer: bool) {
        self.answer.resize(self.answer.len() + ids.len(), answer);
        self.ids.extend(ids);
    }

    /// For each token the index of the latest image at or before it.
    pub fn latest_image(&self, tokenizer: &Tokenizer) -> Vec<Option<u32>> {
        let image = tokenizer.special(Special::Image);
        let mut latest = None;
        let step = |&id: &u32| {
            if id == image {
                latest = Some(latest.map_or(0, |index| index + 1));
            }
            latest
        };
        self.ids.iter().map(step).collect()
    }
}

/// Encodes a finished conversation, as for training or scoring.
pub fn encode(tokenizer: &Tokenizer, turns: &[Turn]) -> Prompt {
    let mut prompt = Prompt::default();
    for turn in turns {
        encode_turn(tokenizer, turn, &mut prompt);
    }
    prompt
}

/// Encodes a conversation and opens the model's turn, as for generation.
pub fn encode_question(tokenizer: &Tokenizer, turns: &[Turn]) -> Prompt {
    let mut prompt = encode(tokenizer, turns);
    prompt.push(tokenizer.special(Special::Assistant), false);
    prompt
}

/// Encodes a plain text, every token of it a target.
pub fn document(tokenizer: &Tokenizer, text: &str) -> Prompt {
    let mut prompt = Prompt::default();
    prompt.extend(tokenizer.encode(text), true);
    prompt.push(tokenizer.special(Special::End), true);
    prompt
}

fn encode_turn(tokenizer: &Tokenizer, turn: &Turn, prompt: &mut Prompt) {
    let text_ids = |text: &str| match turn.spelled {
        true => tokenizer.spell(text),
        false => tokenizer.encode(text),
    };
    match turn.role {
        Role::System => {
            prompt.push(tokenizer.special(Special::System), false);
            prompt.extend(text_ids(&turn.text), false);
        }
        Role::User => {
            prompt.push(tokenizer.special(Special::User), false);
            for (index, part) in turn.text.split(IMAGE_MARKER).enumerate() {
                if index > 0 {
                    prompt.push(tokenizer.special(Special::Image), false);
                    prompt.images += 1;
                }
                prompt.extend(text_ids(part), false);
            }
        }
        Role::Assistant => {
            prompt.push(tokenizer.special(Special::Assistant), false);
            prompt.extend(text_ids(&turn.text), true);
            prompt.push(tokenizer.special(Special::End), true);
        }
    }
}
