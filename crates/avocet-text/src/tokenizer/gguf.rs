//! GGUF's `gpt2` tokenizer: a byte-level vocabulary, merges, and the name of a way to cut words.

use std::collections::HashMap;

use serde_json::{Value, json};
use tokenizers::AddedToken;

use super::decoder::Decoding;
use super::parts::{Added, BpeOptions, MAX_VOCAB, Parts};
use super::post::Affixes;
use crate::error::TokenizerError;

/// A token that stands for what has no token.
pub(super) const UNKNOWN: i32 = 2;
/// A token of structure, without text.
pub(super) const CONTROL: i32 = 3;
/// A token with text that is found in a text before anything else.
pub(super) const USER_DEFINED: i32 = 4;

/// GGUF metadata of a `gpt2` tokenizer.
#[derive(Debug, Clone, Default)]
pub struct Gpt2Parts {
    /// `tokenizer.ggml.tokens`, by id.
    pub tokens: Vec<String>,
    /// `tokenizer.ggml.merges`: pairs joined by a space, first ones first.
    pub merges: Vec<String>,
    /// `tokenizer.ggml.token_type`: 1 normal, 2 unknown, 3 control, 4 user defined, 5 unused,
    /// 6 byte; empty if all are normal.
    pub types: Vec<i32>,
    /// `tokenizer.ggml.pre`.
    pub pre: String,
    /// `tokenizer.ggml.bos_token_id`.
    pub bos: Option<u32>,
    /// `tokenizer.ggml.eos_token_id`.
    pub eos: Option<u32>,
    /// `tokenizer.ggml.add_bos_token`; absent, the way of cutting words decides.
    pub add_bos: Option<bool>,
    /// `tokenizer.ggml.add_eos_token`.
    pub add_eos: Option<bool>,
}

const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const GPT4O: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const TEKKEN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// A way to cut words, as `tokenizer.ggml.pre` names it.
struct Cut {
    normalizer: Value,
    pre_tokenizer: Value,
    ignore_merges: bool,
    add_bos: bool,
}

impl Cut {
    /// By regular expressions, one after another.
    fn by(patterns: &[&str]) -> Self {
        let split = |pattern: &&str| {
            json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated",
                "invert": false})
        };
        let mut steps: Vec<Value> = patterns.iter().map(split).collect();
        steps.push(
            json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
            "use_regex": false}),
        );
        Self {
            normalizer: Value::Null,
            pre_tokenizer: json!({"type": "Sequence", "pretokenizers": steps}),
            ignore_merges: false,
            add_bos: false,
        }
    }

    /// After Unicode's canonical composition, which llama.cpp leaves out.
    fn composed(self) -> Self {
        Self {
            normalizer: json!({"type": "NFC"}),
            ..self
        }
    }

    /// A word that is a token needs no merges, and a text starts with BOS.
    fn whole_words_and_bos(self) -> Self {
        Self {
            ignore_merges: true,
            add_bos: true,
            ..self
        }
    }

    /// Names are llama.cpp's.
    fn named(pre: &str) -> Option<Self> {
        Some(match pre {
            "gpt-2" | "phi-2" | "exaone4" | "mellum" | "a.x-4.0" => Self::by(&[GPT2]),
            "olmo" | "mpt" => Self::by(&[GPT2]).composed(),
            "smollm" | "starcoder" | "refact" | "command-r" | "codeshell" | "exaone"
            | "minerva-7b" => Self::by(&[r"\p{N}", GPT2]),
            "llama3" | "llama-v3" | "llama-bpe" | "falcon3" | "pixtral" | "lfm2" => {
                Self::by(&[LLAMA3]).whole_words_and_bos()
            }
            "dbrx" | "smaug-bpe" => Self::by(&[LLAMA3]),
            "qwen2" | "deepseek-r1-qwen" => Self::by(&[QWEN2]).composed(),
            "stablelm2" | "megrez" | "grok-2" | "hunyuan" => Self::by(&[QWEN2]),
            "gpt-4o" | "llama4" => Self::by(&[GPT4O]),
            "tekken" => Self::by(&[TEKKEN]).whole_words_and_bos(),
            "default" => Self::by(&[r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"]),
            _ => return None,
        })
    }
}

/// Checks the metadata and turns it into what a `tokenizer.json` would say.
///
/// Words are normalised as the models' own tokenizers do it (NFC for Qwen, OLMo and MPT).
pub(super) fn parts(parts: Gpt2Parts) -> Result<Parts, TokenizerError> {
    let key = |name: &str| format!("tokenizer.ggml.{name}");
    let Some(cut) = Cut::named(&parts.pre) else {
        let reason = format!("unknown pre-tokenizer {:?}", parts.pre);
        return Err(TokenizerError::metadata(key("pre"), reason));
    };
    let mut parts = parts;
    check_lengths(&parts.tokens, &parts.types)?;
    name_empty(&mut parts.tokens);
    let mut vocab = HashMap::with_capacity(parts.tokens.len());
    for (token, id) in parts.tokens.iter().zip(0u32..) {
        if let Some(other) = vocab.insert(token.clone(), id) {
            let reason = format!("{token:?} is token {other} too");
            return Err(TokenizerError::metadata(
                key(&format!("tokens[{id}]")),
                reason,
            ));
        }
    }
    let added = parts.tokens.iter().zip(&parts.types).zip(0u32..);
    let added = added.filter(|((_, kind), _)| [UNKNOWN, CONTROL, USER_DEFINED].contains(kind));
    let added = added.map(|((token, &kind), id)| Added {
        token: AddedToken::from(token.clone(), kind != USER_DEFINED).normalized(false),
        id,
    });
    let affixes = affixes(
        (parts.bos, parts.add_bos.unwrap_or(cut.add_bos)),
        (parts.eos, parts.add_eos.unwrap_or(false)),
        parts.tokens.len(),
    )?;
    let merge = |(index, line): (usize, &String)| {
        let field = || key(&format!("merges[{index}]"));
        // A token may itself begin with a space in vocabularies that are not byte-level.
        let space = line
            .char_indices()
            .skip(1)
            .find(|&(_, letter)| letter == ' ');
        let Some((at, _)) = space else {
            return Err(TokenizerError::metadata(
                field(),
                format!("{line:?} is no pair"),
            ));
        };
        let (left, right) = (&line[..at], &line[at + 1..]);
        check_merge(left, right, &vocab)
            .map_err(|reason| TokenizerError::metadata(field(), reason))?;
        Ok((left.to_owned(), right.to_owned()))
    };
    let merges: Result<Vec<_>, _> = parts.merges.iter().enumerate().map(merge).collect();
    Ok(Parts {
        merges: merges?,
        added: added.collect(),
        vocab,
        normalizer: cut.normalizer,
        pre_tokenizer: cut.pre_tokenizer,
        decoding: Decoding::byte_level(),
        affixes,
        options: BpeOptions {
            ignore_merges: cut.ignore_merges,
            ..BpeOptions::default()
        },
    })
}

/// Both sides and their joining must be tokens; the reason otherwise.
pub(super) fn check_merge(
    left: &str,
    right: &str,
    vocab: &HashMap<String, u32>,
) -> Result<(), String> {
    let mut joined = String::with_capacity(left.len() + right.len());
    joined.push_str(left);
    joined.push_str(right);
    match [left, right, &joined]
        .iter()
        .find(|token| !vocab.contains_key(**token))
    {
        Some(token) => Err(format!("{token:?} is not in the vocabulary")),
        None => Ok(()),
    }
}

/// Tokens must be there, not too many, and have a type each if they have any.
pub(super) fn check_lengths(tokens: &[String], types: &[i32]) -> Result<(), TokenizerError> {
    if tokens.is_empty() || tokens.len() > MAX_VOCAB as usize {
        let reason = format!("{} tokens, only 1 to {MAX_VOCAB} are read", tokens.len());
        return Err(TokenizerError::metadata("tokenizer.ggml.tokens", reason));
    }
    if !types.is_empty() && types.len() != tokens.len() {
        let reason = format!("{} types for {} tokens", types.len(), tokens.len());
        return Err(TokenizerError::metadata(
            "tokenizer.ggml.token_type",
            reason,
        ));
    }
    Ok(())
}

/// Gives tokens without text a name, as llama.cpp does.
pub(super) fn name_empty(tokens: &mut [String]) {
    for (id, token) in tokens
        .iter_mut()
        .enumerate()
        .filter(|(_, token)| token.is_empty())
    {
        *token = format!("[EMPTY_{id}]");
    }
}

/// The tokens that the metadata puts around a text: each an id and whether it is put.
pub(super) fn affixes(
    bos: (Option<u32>, bool),
    eos: (Option<u32>, bool),
    num_tokens: usize,
) -> Result<Affixes, TokenizerError> {
    let one = |name: &str, (id, put): (Option<u32>, bool)| match (id, put) {
        (Some(id), _) if id as usize >= num_tokens => {
            let reason = format!("id {id}, but there are {num_tokens} tokens");
            Err(TokenizerError::metadata(
                format!("tokenizer.ggml.{name}"),
                reason,
            ))
        }
        (Some(id), true) => Ok(vec![id]),
        _ => Ok(Vec::new()),
    };
    Ok(Affixes {
        before: one("bos_token_id", bos)?,
        after: one("eos_token_id", eos)?,
    })
}
