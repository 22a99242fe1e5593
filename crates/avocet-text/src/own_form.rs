//! Our own models' form of conversations and documents, made of special tokens that no typed text
//! can produce.
//!
//! `<|user|><|image|>What is this?<|assistant|>a red bicycle<|end|>`: only the
//! answer and its `<|end|>` are learned. A document is `text<|end|>`, all learned; one with
//! pictures is `<|image|>text<|image|>text<|end|>`, all learned but the images' places.

use std::collections::HashMap;

use crate::bytes;
use crate::error::TokenizerError;
use crate::prompt::Prompt;
use crate::special::Special;
use crate::tokenizer::Tokenizer;
use crate::turn::{Part, Role, Turn, stretches};

/// The tokens of our own form.
#[derive(Debug)]
pub struct OwnForm {
    /// Ids of [`Special::ALL`].
    special_ids: [u32; 6],
    byte_ids: [u32; 256],
    /// Characters beyond ASCII that are one token.
    char_ids: HashMap<char, u32>,
}

impl OwnForm {
    /// Finds them in a tokenizer.
    ///
    /// Errors if it lacks a special token or a byte, or if an id stands for nothing.
    pub(crate) fn new(tokenizer: &Tokenizer) -> Result<Self, TokenizerError> {
        let mut special_ids = [0; 6];
        for (id, special) in special_ids.iter_mut().zip(Special::ALL) {
            let found = tokenizer.id(special.name());
            *id = found
                .filter(|&id| tokenizer.is_special(id))
                .ok_or_else(|| {
                    let reason = format!("{} is missing", special.name());
                    TokenizerError::field("added_tokens", reason)
                })?;
        }
        let mut char_ids = HashMap::new();
        for id in 0..tokenizer.vocab_size() as u32 {
            if tokenizer.token(id).is_none() {
                let reason = format!("id {id} has no token, but there are higher ones");
                return Err(TokenizerError::field("model.vocab", reason));
            }
            let letter = single_char(tokenizer.pieces().get(id));
            if let Some(letter) = letter.filter(|letter| !letter.is_ascii()) {
                char_ids.insert(letter, id);
            }
        }
        let mut byte_ids = [0; 256];
        for (id, byte) in byte_ids.iter_mut().zip(0..=255u8) {
            let letter = bytes::char_of(byte);
            *id = tokenizer.id(&letter.to_string()).ok_or_else(|| {
                let reason = format!("byte {byte:#04x} ({letter:?}) is missing");
                TokenizerError::field("model.vocab", reason)
            })?;
        }
        Ok(Self {
            special_ids,
            byte_ids,
            char_ids,
        })
    }

    /// The id of a special token.
    pub(crate) fn special(&self, special: Special) -> u32 {
        self.special_ids[special as usize]
    }

    /// The ids of all special tokens.
    pub(crate) fn special_ids(&self) -> [u32; 6] {
        self.special_ids
    }

    /// Encodes a finished conversation, as for training or scoring.
    pub(crate) fn conversation(
        &self,
        tokenizer: &Tokenizer,
        turns: &[Turn],
    ) -> Result<Prompt, TokenizerError> {
        let mut prompt = Prompt::default();
        for turn in turns {
            self.extend_by(tokenizer, turn, &mut prompt)?;
        }
        Ok(prompt)
    }

    /// Encodes a conversation and opens the model's turn, as for generation.
    pub(crate) fn question(
        &self,
        tokenizer: &Tokenizer,
        turns: &[Turn],
    ) -> Result<Prompt, TokenizerError> {
        let mut prompt = self.conversation(tokenizer, turns)?;
        prompt.push(self.special(Special::Assistant), false);
        Ok(prompt)
    }

    /// Encodes a document: its text is a target, the places of its pictures are not.
    pub(crate) fn document(
        &self,
        tokenizer: &Tokenizer,
        parts: &[Part],
    ) -> Result<Prompt, TokenizerError> {
        let mut prompt = Prompt::default();
        let encode = |text: &str| tokenizer.encode_text(text);
        self.extend_by_parts(parts, encode, true, &mut prompt)?;
        prompt.push(self.special(Special::End), true);
        Ok(prompt)
    }

    fn extend_by(
        &self,
        tokenizer: &Tokenizer,
        turn: &Turn,
        prompt: &mut Prompt,
    ) -> Result<(), TokenizerError> {
        let encode = |text: &str| match turn.spelled {
            true => Ok(self.spell(text)),
            false => tokenizer.encode_text(text),
        };
        match turn.role {
            Role::System => {
                prompt.push(self.special(Special::System), false);
                prompt.extend(encode(&turn.text())?, false);
            }
            Role::User => {
                prompt.push(self.special(Special::User), false);
                self.extend_by_parts(&turn.parts, encode, false, prompt)?;
            }
            Role::Assistant => {
                prompt.push(self.special(Special::Assistant), false);
                prompt.extend(encode(&turn.text())?, true);
                prompt.push(self.special(Special::End), true);
            }
        }
        Ok(())
    }

    /// Appends what is said, with an image token, never a target, in the place of each picture.
    fn extend_by_parts(
        &self,
        parts: &[Part],
        encode: impl Fn(&str) -> Result<Vec<u32>, TokenizerError>,
        answer: bool,
        prompt: &mut Prompt,
    ) -> Result<(), TokenizerError> {
        for (index, text) in stretches(parts).iter().enumerate() {
            if index > 0 {
                prompt.push(self.special(Special::Image), false);
                prompt.images += 1;
            }
            prompt.extend(encode(text)?, answer);
        }
        Ok(())
    }

    /// Cuts `text` into one token per character, or into the bytes of a
    /// character that has no token of its own.
    ///
    /// This is BPE-dropout at 1.0 (arXiv:1910.13267) but for characters beyond
    /// ASCII; used for transcriptions, so that each letter read is one token.
    fn spell(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::with_capacity(text.len());
        let mut buffer = [0; 4];
        for letter in text.chars() {
            match self.char_ids.get(&letter) {
                Some(&id) => ids.push(id),
                None => {
                    let bytes = letter.encode_utf8(&mut buffer).bytes();
                    ids.extend(bytes.map(|byte| self.byte_ids[usize::from(byte)]));
                }
            }
        }
        ids
    }
}

/// The one character that `piece` spells, if it is one.
fn single_char(piece: &[u8]) -> Option<char> {
    let mut chars = std::str::from_utf8(piece).ok()?.chars();
    chars.next().filter(|_| chars.next().is_none())
}

#[cfg(test)]
mod tests;
