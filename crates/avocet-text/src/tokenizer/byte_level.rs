//! The narrowest `tokenizer.json`: byte-level BPE that changes no text, in which no text is a
//! special token.

use serde_json::Value;

use super::decoder::Decoding;
use super::parts::Parts;
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
    for (index, (left, right)) in parts.merges.iter().enumerate() {
        let joined = format!("{left}{right}");
        let names = Special::ALL.map(Special::name);
        let mut tokens = [left, right, &joined].into_iter();
        if let Some(special) = tokens.find(|token| names.contains(&token.as_str())) {
            let (field, reason) = (
                format!("model.merges[{index}]"),
                format!("makes or uses {special}"),
            );
            return Err(TokenizerError::field(field, reason));
        }
    }
    Ok(())
}
