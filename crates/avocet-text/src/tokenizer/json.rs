//! `tokenizer.json` of public models, read field by field into checked [`Parts`].

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;
use tokenizers::AddedToken;

use super::components::{check_normalizer, check_pre_tokenizer};
use super::decoder::Decoding;
use super::parts::{Added, BpeOptions, MAX_BYTES, Parts};
use super::post::Affixes;
use crate::error::TokenizerError;

/// What kind of model it is, read first: the others have a vocabulary of another type.
#[derive(Deserialize)]
struct Outline {
    model: OutlineModel,
}

#[derive(Deserialize)]
struct OutlineModel {
    /// Files of before 2021 lack it.
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Deserialize)]
struct HubFile {
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    added_tokens: Vec<HubAdded>,
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    pre_tokenizer: Value,
    #[serde(default)]
    post_processor: Value,
    #[serde(default)]
    decoder: Value,
    model: HubBpe,
}

#[derive(Deserialize)]
struct HubAdded {
    id: u32,
    content: String,
    #[serde(default)]
    single_word: bool,
    #[serde(default)]
    lstrip: bool,
    #[serde(default)]
    rstrip: bool,
    /// Absent in some older files, where it is the opposite of `special`.
    normalized: Option<bool>,
    special: bool,
}

#[derive(Deserialize)]
struct HubBpe {
    dropout: Option<f32>,
    unk_token: Option<String>,
    continuing_subword_prefix: Option<String>,
    end_of_word_suffix: Option<String>,
    #[serde(default)]
    fuse_unk: Option<bool>,
    #[serde(default)]
    byte_fallback: Option<bool>,
    #[serde(default)]
    ignore_merges: Option<bool>,
    vocab: HashMap<String, u32>,
    merges: Vec<Merge>,
}

/// A merge as today's files write it, or as older ones do.
#[derive(Deserialize)]
#[serde(untagged)]
enum Merge {
    Pair(String, String),
    Line(String),
}

/// Reads and checks a file.
pub(super) fn parse(json: &[u8]) -> Result<Parts, TokenizerError> {
    if json.len() > MAX_BYTES {
        return Err(TokenizerError::TooLong {
            bytes: json.len(),
            limit: MAX_BYTES,
        });
    }
    let outline: Outline = serde_json::from_slice(json)?;
    if let Some(kind) = outline.model.kind.filter(|kind| kind != "BPE") {
        let reason = format!("{kind:?}, only \"BPE\" is supported");
        return Err(TokenizerError::field("model.type", reason));
    }
    let file: HubFile = serde_json::from_slice(json)?;
    if let Some(version) = file.version.filter(|version| version != "1.0") {
        let reason = format!("{version:?}, only \"1.0\" is supported");
        return Err(TokenizerError::field("version", reason));
    }
    let HubBpe {
        dropout,
        unk_token,
        continuing_subword_prefix,
        end_of_word_suffix,
        fuse_unk,
        byte_fallback,
        ignore_merges,
        mut vocab,
        merges,
    } = file.model;
    if dropout.is_some_and(|dropout| dropout != 0.0) {
        return Err(TokenizerError::field(
            "model.dropout",
            "only null is supported",
        ));
    }
    for (field, affix) in [
        ("model.continuing_subword_prefix", continuing_subword_prefix),
        ("model.end_of_word_suffix", end_of_word_suffix),
    ] {
        if affix.is_some_and(|affix| !affix.is_empty()) {
            return Err(TokenizerError::field(field, "only null is supported"));
        }
    }
    check_normalizer(&file.normalizer)?;
    check_pre_tokenizer(&file.pre_tokenizer)?;
    let merges = check_merges(merges, &vocab)?;
    let added = added(file.added_tokens, &mut vocab)?;
    let options = BpeOptions {
        unk_token,
        fuse_unk: fuse_unk.unwrap_or(false),
        byte_fallback: byte_fallback.unwrap_or(false),
        ignore_merges: ignore_merges.unwrap_or(false),
    };
    if let Some(unk) = options
        .unk_token
        .as_ref()
        .filter(|unk| !vocab.contains_key(*unk))
    {
        let reason = format!("{unk:?} is not in model.vocab");
        return Err(TokenizerError::field("model.unk_token", reason));
    }
    Ok(Parts {
        decoding: Decoding::parse(&file.decoder)?,
        affixes: Affixes::parse(&file.post_processor)?,
        vocab,
        merges,
        added,
        normalizer: file.normalizer,
        pre_tokenizer: file.pre_tokenizer,
        options,
    })
}

fn check_merges(
    merges: Vec<Merge>,
    vocab: &HashMap<String, u32>,
) -> Result<Vec<(String, String)>, TokenizerError> {
    let check = |(index, merge)| {
        let field = format!("model.merges[{index}]");
        let (left, right) = match merge {
            Merge::Pair(left, right) => (left, right),
            Merge::Line(line) => match line.split_once(' ') {
                Some((left, right)) if !right.contains(' ') => (left.into(), right.into()),
                _ => return Err(TokenizerError::field(field, format!("{line:?} is no pair"))),
            },
        };
        super::gguf::check_merge(&left, &right, vocab)
            .map_err(|reason| TokenizerError::field(field, reason))?;
        Ok((left, right))
    };
    merges.into_iter().enumerate().map(check).collect()
}

/// Added tokens with their ids, put into the vocabulary so that the library gives them no others.
fn added(
    tokens: Vec<HubAdded>,
    vocab: &mut HashMap<String, u32>,
) -> Result<Vec<Added>, TokenizerError> {
    let check = |(index, token): (usize, HubAdded)| {
        let field = format!("added_tokens[{index}]");
        if token.content.is_empty() {
            return Err(TokenizerError::field(field, "has no content"));
        }
        let id = *vocab.entry(token.content.clone()).or_insert(token.id);
        if id != token.id {
            let reason = format!(
                "{:?} has id {}, in model.vocab {id}",
                token.content, token.id
            );
            return Err(TokenizerError::field(field, reason));
        }
        let added = AddedToken::from(token.content, token.special)
            .single_word(token.single_word)
            .lstrip(token.lstrip)
            .rstrip(token.rstrip)
            .normalized(token.normalized.unwrap_or(!token.special));
        Ok(Added { token: added, id })
    };
    tokens.into_iter().enumerate().map(check).collect()
}
