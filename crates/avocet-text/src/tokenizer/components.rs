//! The steps that a `tokenizer.json` may take before merging: which ones, with which values.
//!
//! The `tokenizers` library panics, or allocates without end, on some of them; only those that
//! pass here reach it.

use serde_json::Value;

use crate::error::TokenizerError;

/// Most steps in a row.
const MAX_STEPS: usize = 16;
/// Deepest nesting of sequences.
const MAX_DEPTH: usize = 4;
/// Longest regular expression in bytes; public ones stay below 400.
const MAX_PATTERN: usize = 4096;
/// How many times longer than a text all replacements together may make it.
const MAX_GROWTH: usize = 64;

const NORMALIZERS: [&str; 10] = [
    "NFC",
    "NFD",
    "NFKC",
    "NFKD",
    "Lowercase",
    "Strip",
    "StripAccents",
    "Prepend",
    "Replace",
    "ByteLevel",
];
const PRE_TOKENIZERS: [&str; 7] = [
    "ByteLevel",
    "Split",
    "Digits",
    "Metaspace",
    "Punctuation",
    "Whitespace",
    "WhitespaceSplit",
];

/// Checks the steps that change a text.
pub(super) fn check_normalizer(value: &Value) -> Result<(), TokenizerError> {
    let mut growth = 1;
    for (field, step) in steps("normalizer", value, "normalizers")? {
        match check_kind(&field, step, &NORMALIZERS)? {
            "Prepend" => {
                let text = string(&field, step, "prepend")?;
                if text.is_empty() || text.len() > 16 {
                    return Err(TokenizerError::field(field, "prepend: 1 to 16 bytes"));
                }
            }
            "Replace" => {
                let shortest = match check_pattern(&field, step)? {
                    Pattern::Literal(text) => text.len(),
                    Pattern::Regex => 1,
                };
                let content = string(&field, step, "content")?;
                growth *= content.len().div_ceil(shortest).max(1);
                if growth > MAX_GROWTH {
                    let reason = format!("content: makes a text over {MAX_GROWTH} times longer");
                    return Err(TokenizerError::field(field, reason));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Checks the steps that cut a text into words.
pub(super) fn check_pre_tokenizer(value: &Value) -> Result<(), TokenizerError> {
    for (field, step) in steps("pre_tokenizer", value, "pretokenizers")? {
        if check_kind(&field, step, &PRE_TOKENIZERS)? == "Split" {
            check_pattern(&field, step)?;
        }
    }
    Ok(())
}

/// The steps of a component, its sequences unrolled, each with its path; none if it is null.
pub(super) fn steps<'a>(
    field: &str,
    value: &'a Value,
    list: &str,
) -> Result<Vec<(String, &'a Value)>, TokenizerError> {
    let mut steps = Vec::new();
    if !value.is_null() {
        unroll(field, value, list, 0, &mut steps)?;
    }
    Ok(steps)
}

fn unroll<'a>(
    field: &str,
    value: &'a Value,
    list: &str,
    depth: usize,
    steps: &mut Vec<(String, &'a Value)>,
) -> Result<(), TokenizerError> {
    if value["type"] != "Sequence" {
        steps.push((field.to_owned(), value));
        return match steps.len() > MAX_STEPS {
            true => Err(TokenizerError::field(
                field,
                format!("over {MAX_STEPS} steps"),
            )),
            false => Ok(()),
        };
    }
    if depth == MAX_DEPTH {
        return Err(TokenizerError::field(
            field,
            format!("nested over {MAX_DEPTH} deep"),
        ));
    }
    let Some(inner) = value[list].as_array() else {
        return Err(TokenizerError::field(
            format!("{field}.{list}"),
            "is no list",
        ));
    };
    for (index, step) in inner.iter().enumerate() {
        unroll(
            &format!("{field}.{list}[{index}]"),
            step,
            list,
            depth + 1,
            steps,
        )?;
    }
    Ok(())
}

/// The type of a step, if it is one of `known`.
pub(super) fn check_kind<'a>(
    field: &str,
    step: &'a Value,
    known: &[&str],
) -> Result<&'a str, TokenizerError> {
    let kind = string(field, step, "type")?;
    if known.contains(&kind) {
        return Ok(kind);
    }
    let reason = format!("{kind:?}, only {} are supported", known.join(", "));
    Err(TokenizerError::field(format!("{field}.type"), reason))
}

/// A field of a step that must be text.
pub(super) fn string<'a>(
    field: &str,
    step: &'a Value,
    name: &str,
) -> Result<&'a str, TokenizerError> {
    step[name]
        .as_str()
        .ok_or_else(|| TokenizerError::field(format!("{field}.{name}"), "is no text"))
}

/// What a step looks for.
pub(super) enum Pattern<'a> {
    /// This text.
    Literal(&'a str),
    /// What a regular expression matches.
    Regex,
}

/// The pattern of a step, which must not be empty.
pub(super) fn check_pattern<'a>(
    field: &str,
    step: &'a Value,
) -> Result<Pattern<'a>, TokenizerError> {
    let pattern = &step["pattern"];
    let (text, found) = match (pattern["String"].as_str(), pattern["Regex"].as_str()) {
        (Some(text), None) => (text, Pattern::Literal(text)),
        (None, Some(text)) => (text, Pattern::Regex),
        _ => {
            let reason = "is neither {\"String\": ..} nor {\"Regex\": ..}";
            return Err(TokenizerError::field(format!("{field}.pattern"), reason));
        }
    };
    if text.is_empty() || text.len() > MAX_PATTERN {
        let reason = format!("{} bytes, only 1 to {MAX_PATTERN} are read", text.len());
        return Err(TokenizerError::field(format!("{field}.pattern"), reason));
    }
    Ok(found)
}
