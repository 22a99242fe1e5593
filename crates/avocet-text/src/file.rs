//! `tokenizer.json` as we accept it: the Hugging Face format, narrowed to
//! byte-level BPE without normaliser, and checked in full before use.
//!
//! The `tokenizers` library panics on some files, so it never sees this JSON:
//! only vocabulary and merges that passed [`TokenizerFile::parse`] reach it.

use crate::bytes;
use crate::error::TokenizerError;
use crate::special::Special;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::{HashMap, HashSet};
use tokenizers::models::bpe::BPE;

/// Longest `tokenizer.json` read; public ones of 256 k tokens stay below.
pub(crate) const MAX_BYTES: usize = 64 << 20;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenizerFile {
    pub version: String,
    pub truncation: Absent,
    pub padding: Absent,
    pub added_tokens: Vec<AddedToken>,
    pub normalizer: Absent,
    pub pre_tokenizer: ByteLevel,
    pub post_processor: Absent,
    pub decoder: ByteLevel,
    pub model: Bpe,
}

/// A field that must be null: we do nothing for it, so it may ask for nothing.
pub(crate) type Absent = Option<IgnoredAny>;

/// One special token.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddedToken {
    pub id: u32,
    pub content: String,
    pub single_word: bool,
    pub lstrip: bool,
    pub rstrip: bool,
    pub normalized: bool,
    pub special: bool,
}

/// The only way of cutting text that we have.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ByteLevel {
    #[serde(rename = "type")]
    pub kind: String,
    pub add_prefix_space: bool,
    #[serde(rename = "trim_offsets")]
    _trim_offsets: bool,
    pub use_regex: bool,
}

/// Vocabulary and merges, in rank order.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bpe {
    #[serde(rename = "type")]
    pub kind: String,
    pub dropout: Absent,
    pub unk_token: Absent,
    pub continuing_subword_prefix: Absent,
    pub end_of_word_suffix: Absent,
    pub fuse_unk: bool,
    pub byte_fallback: bool,
    pub ignore_merges: bool,
    pub vocab: HashMap<String, u32>,
    pub merges: Vec<(String, String)>,
}

/// What the checks leave behind for the tokenizer's tables.
pub(crate) struct Checked {
    /// Bytes of each id; empty for special tokens.
    pub pieces: Vec<Vec<u8>>,
    /// Ids of [`Special::ALL`].
    pub special_ids: [u32; 6],
    pub vocab: HashMap<String, u32>,
    pub merges: Vec<(String, String)>,
}

impl TokenizerFile {
    /// Reads and checks `json`.
    pub fn parse(json: &[u8]) -> Result<Checked, TokenizerError> {
        if json.len() > MAX_BYTES {
            return Err(TokenizerError::TooLong {
                bytes: json.len(),
                limit: MAX_BYTES,
            });
        }
        let file: TokenizerFile = serde_json::from_slice(json)?;
        file.check()
    }

    fn check(self) -> Result<Checked, TokenizerError> {
        expect_value("version", &self.version, "1.0")?;
        for (field, value) in [
            ("truncation", self.truncation),
            ("padding", self.padding),
            ("normalizer", self.normalizer),
            ("post_processor", self.post_processor),
        ] {
            expect_null(field, value)?;
        }
        self.pre_tokenizer.check("pre_tokenizer")?;
        self.decoder.check("decoder")?;
        self.model.check_options()?;
        let special_ids = check_added(&self.added_tokens, &self.model.vocab)?;
        let pieces = check_vocab(&self.model.vocab)?;
        check_merges(&self.model)?;
        Ok(Checked {
            pieces,
            special_ids,
            vocab: self.model.vocab,
            merges: self.model.merges,
        })
    }
}

impl ByteLevel {
    fn check(&self, field: &str) -> Result<(), TokenizerError> {
        expect_value(&format!("{field}.type"), &self.kind, "ByteLevel")?;
        if field == "pre_tokenizer" && (self.add_prefix_space || !self.use_regex) {
            return Err(TokenizerError::field(
                field,
                "only add_prefix_space = false with use_regex = true is supported",
            ));
        }
        Ok(())
    }
}

impl Bpe {
    fn check_options(&self) -> Result<(), TokenizerError> {
        expect_value("model.type", &self.kind, "BPE")?;
        for (field, value) in [
            ("model.dropout", self.dropout),
            ("model.unk_token", self.unk_token),
            (
                "model.continuing_subword_prefix",
                self.continuing_subword_prefix,
            ),
            ("model.end_of_word_suffix", self.end_of_word_suffix),
        ] {
            expect_null(field, value)?;
        }
        for (field, set) in [
            ("model.fuse_unk", self.fuse_unk),
            ("model.byte_fallback", self.byte_fallback),
            ("model.ignore_merges", self.ignore_merges),
        ] {
            if set {
                return Err(TokenizerError::field(field, "only false is supported"));
            }
        }
        Ok(())
    }
}

fn expect_value(field: &str, found: &str, wanted: &str) -> Result<(), TokenizerError> {
    if found == wanted {
        return Ok(());
    }
    Err(TokenizerError::field(
        field,
        format!("{found:?}, only {wanted:?} is supported"),
    ))
}

fn expect_null(field: &str, value: Absent) -> Result<(), TokenizerError> {
    match value {
        None => Ok(()),
        Some(_) => Err(TokenizerError::field(field, "only null is supported")),
    }
}

fn check_added(
    added: &[AddedToken],
    vocab: &HashMap<String, u32>,
) -> Result<[u32; 6], TokenizerError> {
    for (index, token) in added.iter().enumerate() {
        let field = format!("added_tokens[{index}]");
        if !Special::ALL
            .iter()
            .any(|special| special.name() == token.content)
        {
            let reason = format!("unknown token {:?}", token.content);
            return Err(TokenizerError::field(field, reason));
        }
        if !token.special || token.single_word || token.lstrip || token.rstrip || token.normalized {
            return Err(TokenizerError::field(
                field,
                "only special = true without other flags",
            ));
        }
        match vocab.get(&token.content) {
            Some(&id) if id == token.id => {}
            Some(&id) => {
                let reason = format!(
                    "{:?} has id {}, in model.vocab {id}",
                    token.content, token.id
                );
                return Err(TokenizerError::field(field, reason));
            }
            None => {
                let reason = format!("{:?} is not in model.vocab", token.content);
                return Err(TokenizerError::field(field, reason));
            }
        }
    }
    let mut ids = [0; 6];
    for (id, special) in ids.iter_mut().zip(Special::ALL) {
        let mut same = added.iter().filter(|token| token.content == special.name());
        *id = match (same.next(), same.next()) {
            (Some(token), None) => token.id,
            (None, _) => {
                let reason = format!("{} is missing", special.name());
                return Err(TokenizerError::field("added_tokens", reason));
            }
            (Some(_), Some(_)) => {
                let reason = format!("{} appears more than once", special.name());
                return Err(TokenizerError::field("added_tokens", reason));
            }
        };
    }
    Ok(ids)
}

/// Ids must be 0..len, and every token special or made of the byte alphabet.
fn check_vocab(vocab: &HashMap<String, u32>) -> Result<Vec<Vec<u8>>, TokenizerError> {
    let mut pieces: Vec<Option<Vec<u8>>> = vec![None; vocab.len()];
    for (token, &id) in vocab {
        let field = || format!("model.vocab[{token:?}]");
        let Some(piece) = pieces.get_mut(id as usize) else {
            let reason = format!("id {id}, but there are {} tokens", vocab.len());
            return Err(TokenizerError::field(field(), reason));
        };
        if piece.is_some() {
            return Err(TokenizerError::field(
                field(),
                format!("id {id} is taken twice"),
            ));
        }
        let special = Special::ALL.iter().any(|special| special.name() == token);
        let bytes = if special {
            Vec::new()
        } else {
            let bytes: Option<Vec<u8>> = token.chars().map(bytes::byte_of).collect();
            bytes.filter(|bytes| !bytes.is_empty()).ok_or_else(|| {
                TokenizerError::field(field(), "empty, or not of the byte alphabet")
            })?
        };
        *piece = Some(bytes);
    }
    if let Some(byte) = (0..=255).find(|&b| !vocab.contains_key(&bytes::char_of(b).to_string())) {
        let reason = format!("byte {byte:#04x} ({:?}) is missing", bytes::char_of(byte));
        return Err(TokenizerError::field("model.vocab", reason));
    }
    pieces
        .into_iter()
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| TokenizerError::field("model.vocab", "an id has no token"))
}

/// Both sides and their joining must be tokens, none of them special.
fn check_merges(model: &Bpe) -> Result<(), TokenizerError> {
    let mut seen = HashSet::with_capacity(model.merges.len());
    for (index, (left, right)) in model.merges.iter().enumerate() {
        let field = || format!("model.merges[{index}]");
        let joined = format!("{left}{right}");
        for token in [left, right, &joined] {
            if Special::ALL.iter().any(|special| special.name() == token) {
                return Err(TokenizerError::field(
                    field(),
                    format!("makes or uses {token}"),
                ));
            }
            if !model.vocab.contains_key(token) {
                let reason = format!("{token:?} is not in model.vocab");
                return Err(TokenizerError::field(field(), reason));
            }
        }
        if !seen.insert((left, right)) {
            return Err(TokenizerError::field(field(), "appears twice"));
        }
    }
    Ok(())
}

/// The file of a BPE model that training made.
pub(crate) fn write(bpe: &BPE) -> Result<Vec<u8>, TokenizerError> {
    let mut tokenizer = tokenizers::Tokenizer::new(bpe.clone());
    let byte_level = tokenizers::pre_tokenizers::byte_level::ByteLevel::new(false, false, true);
    tokenizer.with_pre_tokenizer(Some(byte_level));
    tokenizer.with_decoder(Some(byte_level));
    let added = Special::ALL.map(|special| tokenizers::AddedToken::from(special.name(), true));
    let library = |error: tokenizers::Error| TokenizerError::Library(error.to_string());
    tokenizer.add_special_tokens(added).map_err(library)?;
    Ok(tokenizer.to_string(false).map_err(library)?.into_bytes())
}
