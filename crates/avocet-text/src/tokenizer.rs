//! Byte-level BPE over the `tokenizers` library: trained, loaded, and applied.

use crate::bytes;
use crate::error::TokenizerError;
use crate::file::{self, Checked, TokenizerFile};
use crate::special::Special;
use crate::utf8::{Broken, take_text};
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
        trainer.feed(texts.into_iter(), split).map_err(library)?;
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
        let mut text = take_text(&mut pending, Broken::Replaced);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{any_text, below, sentences, tokenizer};
    use serde_json::{Value, json};

    #[test]
    fn any_text_survives_encoding_and_spelling() {
        let tokenizer = tokenizer();
        let mut state = 1;
        for _ in 0..2000 {
            let text = any_text(&mut state);
            assert_eq!(tokenizer.decode(&tokenizer.encode(&text)), text);
            assert_eq!(tokenizer.decode(&tokenizer.spell(&text)), text);
        }
    }

    #[test]
    fn typed_special_tokens_are_plain_characters() {
        let tokenizer = tokenizer();
        for special in Special::ALL {
            let text = format!("say {} now{}", special.name(), special.name());
            for ids in [tokenizer.encode(&text), tokenizer.spell(&text)] {
                assert!(
                    !ids.iter().any(|&id| tokenizer.is_special(id)),
                    "{special:?}"
                );
                assert_eq!(tokenizer.decode(&ids), text);
            }
            assert_eq!(tokenizer.decode(&[tokenizer.special(special)]), "");
        }
    }

    #[test]
    fn spelling_gives_one_token_a_character() {
        let tokenizer = tokenizer();
        let text = "The red bicycle, 12!";
        assert_eq!(tokenizer.spell(text).len(), text.chars().count());
        assert!(tokenizer.encode(text).len() < text.chars().count());
        let merged = Tokenizer::train_bpe(["ßßßß"], 264).unwrap();
        assert_eq!(
            merged.spell("ßß").len(),
            2,
            "a character that training merged"
        );
        assert_eq!(
            tokenizer.spell("😀").len(),
            4,
            "a character never seen, as its bytes"
        );
    }

    #[test]
    fn training_repeats_byte_for_byte_whatever_the_order() {
        let first = tokenizer();
        let mut texts = sentences(200);
        texts.reverse();
        let second = Tokenizer::train_bpe(texts, 320).unwrap();
        assert_eq!(first.to_bytes(), second.to_bytes());
        assert_eq!(first.vocab_size(), 320);
    }

    #[test]
    fn the_written_file_loads_as_the_same_tokenizer() {
        let first = tokenizer();
        let second = Tokenizer::from_bytes(first.to_bytes()).unwrap();
        assert_eq!(first.to_bytes(), second.to_bytes());
        let text = "what is this picture of";
        assert_eq!(first.encode(text), second.encode(text));
    }

    #[test]
    fn the_library_reads_our_file_and_agrees() {
        let ours = tokenizer();
        let theirs = tokenizers::Tokenizer::from_bytes(ours.to_bytes()).unwrap();
        for text in [
            "the red bicycle  is\n\n 12",
            "it's Straße, 日本!",
            " <image> <| ",
        ] {
            assert_eq!(
                ours.encode(text),
                theirs.encode(text, false).unwrap().get_ids()
            );
        }
    }

    #[test]
    fn a_long_run_of_one_character_is_encoded() {
        let tokenizer = tokenizer();
        for letter in [" ", "a", "\n", "!"] {
            let text = letter.repeat(200_000);
            assert_eq!(tokenizer.decode(&tokenizer.encode(&text)), text);
        }
    }

    fn error_of(change: impl FnOnce(&mut Value)) -> String {
        let mut file: Value = serde_json::from_slice(tokenizer().to_bytes()).unwrap();
        change(&mut file);
        match Tokenizer::from_bytes(&serde_json::to_vec(&file).unwrap()) {
            Ok(_) => panic!("accepted"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn errors_name_the_field() {
        let cases: Vec<(&str, String)> = vec![
            (
                "normalizer",
                error_of(|f| {
                    f["normalizer"] = json!({"type": "Precompiled", "precompiled_charsmap": null})
                }),
            ),
            (
                "FixedLength",
                error_of(|f| f["pre_tokenizer"]["type"] = json!("FixedLength")),
            ),
            (
                "model.merges[0]",
                error_of(|f| f["model"]["merges"][0] = json!(["a", "zzz"])),
            ),
            (
                "model.merges[3]",
                error_of(|f| f["model"]["merges"][3] = f["model"]["merges"][2].clone()),
            ),
            (
                "id 9999, but there are 320",
                error_of(|f| f["model"]["vocab"]["a"] = json!(9999)),
            ),
            (
                "is taken twice",
                error_of(|f| f["model"]["vocab"]["a"] = json!(71)),
            ),
            (
                "<|image|> is missing",
                error_of(|f| {
                    f["added_tokens"].as_array_mut().unwrap().remove(1);
                }),
            ),
            (
                "added_tokens[0]",
                error_of(|f| f["added_tokens"][0]["content"] = json!("<unk>")),
            ),
            (
                "added_tokens[2]",
                error_of(|f| f["added_tokens"][2]["id"] = json!(3)),
            ),
            (
                "model.byte_fallback",
                error_of(|f| f["model"]["byte_fallback"] = json!(true)),
            ),
            ("version", error_of(|f| f["version"] = json!("2.0"))),
            ("surprise", error_of(|f| f["surprise"] = json!(1))),
        ];
        for (wanted, message) in cases {
            assert!(
                message.contains(wanted),
                "{wanted:?} is not named by {message:?}"
            );
        }
        let small = Tokenizer::train_bpe(["a"], 261).err().unwrap().to_string();
        assert!(small.contains("261") && small.contains("262"), "{small}");
    }

    #[test]
    fn mutated_files_never_panic() {
        let good = tokenizer().to_bytes().to_vec();
        let mut state = 3;
        let (mut loaded, mut refused) = (0, 0);
        for round in 0..2000 {
            let mut bytes = good.clone();
            match round % 4 {
                0 => bytes.truncate(below(&mut state, good.len())),
                1 => {
                    let at = below(&mut state, good.len());
                    bytes[at] = below(&mut state, 256) as u8;
                }
                2 => {
                    let at = below(&mut state, good.len());
                    bytes[at] = b"0123456789\"[]{},:"[below(&mut state, 17)];
                }
                _ => {
                    let at = below(&mut state, good.len());
                    let end = (at + below(&mut state, 40)).min(good.len());
                    bytes.drain(at..end);
                }
            }
            match Tokenizer::from_bytes(&bytes) {
                Ok(tokenizer) => {
                    loaded += 1;
                    let text = "what is <|end|> 日本";
                    assert_eq!(tokenizer.decode(&tokenizer.encode(text)), text);
                }
                Err(_) => refused += 1,
            }
        }
        assert_eq!(loaded + refused, 2000);
        assert!(refused > 1000, "{refused} refused");
    }
}
