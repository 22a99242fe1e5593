//! Byte-level BPE over the `tokenizers` library: trained, loaded, and applied.

use crate::bytes;
use crate::error::TokenizerError;
use crate::file::{self, Checked, TokenizerFile};
use crate::special::Special;
use crate::stream::take_text;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tokenizers::models::bpe::{BPE, BpeTrainer, Vocab};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{Model, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer, Trainer};

/// Longest token in characters of the byte alphabet that training makes.
const MAX_TOKEN_LENGTH: usize = 24;

/// Text to ids and back, without loss for any text.
///
/// Bytes are the alphabet, so nothing is unknown; special tokens come only from
/// [`Tokenizer::special`], never from text.
pub struct Tokenizer {
    json: Vec<u8>,
    bpe: BPE,
    /// Bytes of each id; empty for special tokens.
    pieces: Vec<Vec<u8>>,
    special_ids: [u32; 6],
    byte_ids: [u32; 256],
    /// Characters beyond ASCII that are one token.
    char_ids: HashMap<char, u32>,
}

impl Tokenizer {
    /// Loads a `tokenizer.json`, which may come from anyone.
    ///
    /// Errors name the field if the file is not byte-level BPE in our form.
    pub fn from_bytes(json: &[u8]) -> Result<Self, TokenizerError> {
        let Checked {
            pieces,
            special_ids,
            vocab,
            merges,
        } = TokenizerFile::parse(json)?;
        let mut byte_ids = [0; 256];
        let mut char_ids = HashMap::new();
        for (piece, id) in pieces.iter().zip(0u32..) {
            if let [byte] = piece[..] {
                byte_ids[usize::from(byte)] = id;
            } else if let Some(letter) = single_char(piece) {
                char_ids.insert(letter, id);
            }
        }
        let vocab: Vocab = vocab.into_iter().collect();
        let build = || BPE::builder().vocab_and_merges(vocab, merges).build();
        let bpe = catch_unwind(AssertUnwindSafe(build))
            .map_err(|_| TokenizerError::Library("the library failed on it".into()))?
            .map_err(|error| TokenizerError::Library(error.to_string()))?;
        Ok(Self {
            json: json.to_vec(),
            bpe,
            pieces,
            special_ids,
            byte_ids,
            char_ids,
        })
    }

    /// Learns `vocab_size` tokens (fewer if `texts` have no more pairs) from
    /// `texts`: special tokens first, then the 256 bytes, then merges.
    ///
    /// The same texts in any order give the same tokenizer, byte for byte.
    /// Errors if `vocab_size` is below 262.
    pub fn train_bpe<I, S>(texts: I, vocab_size: usize) -> Result<Self, TokenizerError>
    where
        I: IntoIterator<Item = S>,
        I::IntoIter: Send,
        S: AsRef<str> + Send,
    {
        let least = Special::ALL.len() + 256;
        if vocab_size < least {
            return Err(TokenizerError::VocabularyTooSmall {
                wished: vocab_size,
                least,
            });
        }
        let added = |special: Special| tokenizers::AddedToken::from(special.name(), true);
        let mut trainer = BpeTrainer::builder()
            .vocab_size(vocab_size)
            .show_progress(false)
            .min_frequency(2)
            .max_token_length(Some(MAX_TOKEN_LENGTH))
            .initial_alphabet((0..=255).map(bytes::char_of).collect())
            .special_tokens(Special::ALL.map(added).to_vec())
            .build();
        let library = |error: tokenizers::Error| TokenizerError::Library(error.to_string());
        trainer
            .feed(texts.into_iter(), |text| Ok(split(text)?))
            .map_err(library)?;
        let mut bpe = BPE::default();
        trainer.train(&mut bpe).map_err(library)?;
        Self::from_bytes(&file::write(&bpe)?)
    }

    /// The `tokenizer.json` of this tokenizer: the bytes it was loaded from.
    pub fn to_bytes(&self) -> &[u8] {
        &self.json
    }

    /// Number of ids.
    pub fn vocab_size(&self) -> usize {
        self.pieces.len()
    }

    /// The id of a special token.
    pub fn special(&self, special: Special) -> u32 {
        self.special_ids[special as usize]
    }

    /// Whether `id` is a special token.
    pub fn is_special(&self, id: u32) -> bool {
        self.special_ids.contains(&id)
    }

    /// The bytes that `id` stands for, none for special tokens; `None` if there
    /// is no such id.
    pub fn piece(&self, id: u32) -> Option<&[u8]> {
        self.pieces.get(id as usize).map(Vec::as_slice)
    }

    /// Cuts `text` into as few tokens as the merges give.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        self.merged(text)
            .unwrap_or_else(|_| self.bytes_of(text).collect())
    }

    fn merged(&self, text: &str) -> Result<Vec<u32>, tokenizers::Error> {
        let mut ids = Vec::with_capacity(text.len() / 3 + 1);
        for word in split(text)? {
            ids.extend(self.bpe.tokenize(&word)?.into_iter().map(|token| token.id));
        }
        Ok(ids)
    }

    /// Cuts `text` into one token per character, or into the bytes of a
    /// character that has no token of its own.
    ///
    /// This is BPE-dropout at 1.0 (arXiv:1910.13267) but for characters beyond
    /// ASCII; used for transcriptions, so that each letter read is one token.
    pub fn spell(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::with_capacity(text.len());
        let mut buffer = [0; 4];
        for letter in text.chars() {
            match self.char_ids.get(&letter) {
                Some(&id) => ids.push(id),
                None => ids.extend(self.bytes_of(letter.encode_utf8(&mut buffer))),
            }
        }
        ids
    }

    fn bytes_of(&self, text: &str) -> impl Iterator<Item = u32> {
        text.bytes().map(|byte| self.byte_ids[usize::from(byte)])
    }

    /// The text of `ids`. Special tokens have none; bytes that are not UTF-8 and
    /// ids that do not exist become U+FFFD.
    pub fn decode(&self, ids: &[u32]) -> String {
        let mut pending = Vec::new();
        for &id in ids {
            pending.extend_from_slice(self.piece(id).unwrap_or("\u{FFFD}".as_bytes()));
        }
        let mut text = take_text(&mut pending);
        text.push_str(&String::from_utf8_lossy(&pending));
        text
    }
}

/// The one character that `piece` spells, if it is one.
fn single_char(piece: &[u8]) -> Option<char> {
    let mut chars = std::str::from_utf8(piece).ok()?.chars();
    chars.next().filter(|_| chars.next().is_none())
}

/// Words of `text` in the byte alphabet, as GPT-2 cuts them; merges stay within.
fn split(text: &str) -> Result<Vec<String>, tokenizers::Error> {
    let mut words = PreTokenizedString::from(text);
    ByteLevel::new(false, false, true).pre_tokenize(&mut words)?;
    let splits = words.get_splits(OffsetReferential::Original, OffsetType::None);
    Ok(splits
        .into_iter()
        .map(|(word, _, _)| word.to_owned())
        .collect())
}
