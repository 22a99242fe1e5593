//! The `decoder` of a `tokenizer.json`: how tokens become text again.

use serde_json::Value;

use super::components::{Pattern, check_kind, check_pattern, steps, string};
use crate::bytes::byte_of;
use crate::error::TokenizerError;

/// What the steps of a decoder do, token by token, and once at the start of a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Decoding {
    /// Characters stand for bytes, as GPT-2 writes them.
    pub byte_level: bool,
    /// Literal replacements within a token, in order.
    pub replaced: Vec<(String, String)>,
    /// `<0x0A>` stands for a byte.
    pub byte_fallback: bool,
    /// What the start of a text loses.
    pub leading: Leading,
}

/// What the start of a text loses: the space that encoding put there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Leading {
    /// Nothing.
    #[default]
    Kept,
    /// At most so many spaces.
    Spaces(usize),
    /// Every space of the first token, as `Metaspace` does.
    FirstToken,
}

const DECODERS: [&str; 6] = [
    "ByteLevel",
    "Replace",
    "ByteFallback",
    "Fuse",
    "Strip",
    "Metaspace",
];

impl Decoding {
    /// SentencePiece's: U+2581 is a space, with byte fallback.
    pub fn sentence_piece(leading: Leading) -> Self {
        Self {
            byte_level: false,
            replaced: vec![("\u{2581}".into(), " ".into())],
            byte_fallback: true,
            leading,
        }
    }

    /// GPT-2's.
    pub fn byte_level() -> Self {
        Self {
            byte_level: true,
            ..Self::default()
        }
    }

    /// Reads the decoder of a file.
    pub fn parse(value: &Value) -> Result<Self, TokenizerError> {
        if value.is_null() {
            let reason = "null joins tokens by spaces, which is not supported";
            return Err(TokenizerError::field("decoder", reason));
        }
        let steps = steps("decoder", value, "decoders")?;
        let alone = steps.len() == 1;
        let (mut decoding, mut fused) = (Self::default(), false);
        for (field, step) in steps {
            let refuse = |reason: &str| Err(TokenizerError::field(field.clone(), reason));
            match check_kind(&field, step, &DECODERS)? {
                "ByteLevel" if alone => decoding.byte_level = true,
                "ByteLevel" => return refuse("only alone is supported"),
                "Fuse" => fused = true,
                "Strip" => decoding.leading = stripped(&field, step, fused)?,
                _ if fused => return refuse("only Strip is supported after Fuse"),
                "ByteFallback" => decoding.byte_fallback = true,
                "Replace" => {
                    let Pattern::Literal(pattern) = check_pattern(&field, step)? else {
                        return refuse("only a String pattern is supported");
                    };
                    let content = string(&field, step, "content")?;
                    decoding.replaced.push((pattern.into(), content.into()));
                }
                _ => {
                    let mark = string(&field, step, "replacement")?;
                    if mark.chars().count() != 1 {
                        return refuse("replacement: only one character is supported");
                    }
                    decoding.replaced.push((mark.into(), " ".into()));
                    // Files of before 2024 say whether, not where, a space is put first.
                    let never = step["prepend_scheme"] == "never"
                        || (step["prepend_scheme"].is_null() && step["add_prefix_space"] == false);
                    if !never {
                        decoding.leading = Leading::FirstToken;
                    }
                }
            }
        }
        Ok(decoding)
    }

    /// The bytes that a token stands for.
    pub fn bytes_of(&self, token: &str) -> Vec<u8> {
        if self.byte_level {
            let bytes: Option<Vec<u8>> = token.chars().map(byte_of).collect();
            return bytes.unwrap_or_else(|| token.as_bytes().to_vec());
        }
        let mut text = token.to_owned();
        for (pattern, content) in &self.replaced {
            text = text.replace(pattern, content);
        }
        match fallback_byte(&text).filter(|_| self.byte_fallback) {
            Some(byte) => vec![byte],
            None => text.into_bytes(),
        }
    }
}

fn stripped(field: &str, step: &Value, fused: bool) -> Result<Leading, TokenizerError> {
    let start = step["start"].as_u64().filter(|&start| start <= 16);
    match start {
        Some(start) if fused && step["content"] == " " && step["stop"] == 0 => {
            Ok(Leading::Spaces(start as usize))
        }
        _ => {
            let reason = "only up to 16 spaces at the start, after Fuse, are supported";
            Err(TokenizerError::field(field, reason))
        }
    }
}

/// The byte that `<0x0A>` and the like stand for.
pub(super) fn fallback_byte(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    match digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        true => u8::from_str_radix(digits, 16).ok(),
        false => None,
    }
}
