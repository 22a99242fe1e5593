//! What a tokenizer is made of, whatever file it came from.

use std::collections::HashMap;

use serde_json::Value;
use tokenizers::AddedToken;

use super::decoder::Decoding;
use super::post::Affixes;

/// Longest `tokenizer.json` read; public ones of 256 k tokens stay below.
pub(super) const MAX_BYTES: usize = 64 << 20;

/// Most ids of a vocabulary; public ones stay below 2^19.
pub(super) const MAX_VOCAB: u32 = 1 << 21;

/// All that makes a tokenizer of the library, checked.
pub(super) struct Parts {
    /// Every token with its id, added ones included.
    pub vocab: HashMap<String, u32>,
    pub merges: Vec<(String, String)>,
    pub added: Vec<Added>,
    pub normalizer: Value,
    pub pre_tokenizer: Value,
    pub decoding: Decoding,
    pub affixes: Affixes,
    pub options: BpeOptions,
}

/// How merges are applied to a word.
#[derive(Default)]
pub(super) struct BpeOptions {
    pub unk_token: Option<String>,
    pub fuse_unk: bool,
    pub byte_fallback: bool,
    pub ignore_merges: bool,
}

/// A token that is found in a text before anything else is done to it.
pub(super) struct Added {
    pub token: AddedToken,
    pub id: u32,
}
