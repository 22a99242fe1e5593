//! The narrowest `tokenizer.json`: byte-level BPE that changes no text, in which no text is a
//! special token.

use serde_json::Value;

use super::decoder::Decoding;
use super::parts::{Added, Parts};
use crate::bytes::byte_of;
use crate::error::TokenizerError;
use crate::special::Special;

/// Errors, naming the field, if encoding could change a text, or merges could make one of
/// [`Special`].
pub(super) fn check(parts: &Parts) -> Result<(), TokenizerError> {
    let cut = &parts.pre_tokenizer;
    let only = |field: &str, wanted: &str| {
        let reason = format!("only {wanted} is supported in a model of our own form");
        Err(TokenizerError::field(field, reason))
    };
    if !parts.normalizer.is_null() {
        return only("normalizer", "null");
    }
    if cut["type"] != "ByteLevel"
        || cut["add_prefix_space"] != false
        || cut["use_regex"] == Value::Bool(false)
    {
        let wanted = "ByteLevel with add_prefix_space = false and use_regex = true";
        return only("pre_tokenizer", wanted);
    }
    if parts.decoding != Decoding::byte_level() {
        return only("decoder", "ByteLevel");
    }
    let options = &parts.options;
    for (field, set) in [
        ("model.unk_token", options.unk_token.is_some()),
        ("model.fuse_unk", options.fuse_unk),
        ("model.byte_fallback", options.byte_fallback),
        ("model.ignore_merges", options.ignore_merges),
    ] {
        if set {
            return only(field, "its default");
        }
    }
    let is_special = |token: &str| Special::ALL.iter().any(|special| special.name() == token);
    for (index, Added { token, .. }) in parts.added.iter().enumerate() {
        let plain = token.special
            && !(token.single_word || token.lstrip || token.rstrip || token.normalized);
        if !plain || !is_special(&token.content) {
            let wanted = "a special token of our own without other flags";
            return only(&format!("added_tokens[{index}]"), wanted);
        }
    }
    let is_bytes = |token: &str| !token.is_empty() && token.chars().all(|c| byte_of(c).is_some());
    let mut tokens = parts.vocab.keys();
    if let Some(token) = tokens.find(|token| !is_special(token) && !is_bytes(token)) {
        return only(&format!("model.vocab[{token:?}]"), "the byte alphabet");
    }
    for (index, (left, right)) in parts.merges.iter().enumerate() {
        let joined = format!("{left}{right}");
        let mut tokens = [left, right, &joined].into_iter();
        if let Some(special) = tokens.find(|token| is_special(token)) {
            let (field, reason) = (
                format!("model.merges[{index}]"),
                format!("makes or uses {special}"),
            );
            return Err(TokenizerError::field(field, reason));
        }
    }
    Ok(())
}
