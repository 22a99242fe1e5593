//! The tokens of a faster-whisper folder, spelled in letters that stand for bytes.

use std::collections::HashMap;
use std::path::Path;

use super::error::WhisperModelError;

/// The token behind the last one that is text.
const END: &str = "<|endoftext|>";
/// Longest token of text.
const MAX_TOKEN_BYTES: usize = 256;

/// Letter by letter the byte that is meant: printable ones stand for themselves, the others for
/// letters from U+0100 on, in order (GPT-2's tokenizer).
fn letters() -> HashMap<char, u8> {
    let is_plain = |byte: u8| matches!(byte, 33..=126 | 161..=172 | 174..=255);
    let mut next = 0x100u32;
    (0..=255u8)
        .filter_map(|byte| {
            let letter = if is_plain(byte) {
                Some(char::from(byte))
            } else {
                next += 1;
                char::from_u32(next - 1)
            };
            Some((letter?, byte))
        })
        .collect()
}

/// The bytes of every token of text, in the order of their ids.
///
/// `text` is a `vocabulary.json` (one list) or a `vocabulary.txt` (a token a line). Errors if no
/// token ends the text, or one is not spelled as it should be.
pub(super) fn tokens(path: &Path, text: &str) -> Result<Vec<Vec<u8>>, WhisperModelError> {
    let wrong = |part: String, reason: String| WhisperModelError::Model {
        path: path.to_owned(),
        part,
        reason,
    };
    let spelled: Vec<String> = if path.extension().is_some_and(|ending| ending == "json") {
        serde_json::from_str(text)
            .map_err(|cause| wrong("the list of tokens".into(), cause.to_string()))?
    } else {
        text.split('\n').map(str::to_owned).collect()
    };
    let Some(end) = spelled.iter().position(|token| token == END) else {
        return Err(wrong(END.into(), "is not among the tokens".into()));
    };
    let letters = letters();
    spelled[..end]
        .iter()
        .enumerate()
        .map(|(id, token)| {
            let bytes: Option<Vec<u8>> = token
                .trim_end_matches('\r')
                .chars()
                .map(|letter| letters.get(&letter).copied())
                .collect();
            bytes
                .filter(|bytes| bytes.len() <= MAX_TOKEN_BYTES)
                .ok_or_else(|| {
                    wrong(
                        format!("token {id}"),
                        "is not in the letters of bytes".into(),
                    )
                })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_become_their_bytes() {
        let read = tokens(
            Path::new("vocabulary.txt"),
            "!\nĠthe\nÃ©\nĊ\n<|endoftext|>\n<|x|>\n",
        );
        let read = read.expect("the list is fine");
        assert_eq!(
            read,
            [b"!".to_vec(), b" the".to_vec(), "é".into(), b"\n".to_vec()]
        );
        let json = tokens(Path::new("v.json"), r#"["a","","<|endoftext|>"]"#);
        assert_eq!(json.expect("the list is fine"), [b"a".to_vec(), vec![]]);
    }

    #[test]
    fn every_byte_has_a_letter() {
        let mut bytes: Vec<u8> = letters().into_values().collect();
        bytes.sort_unstable();
        assert_eq!(bytes, (0..=255).collect::<Vec<u8>>());
    }

    #[test]
    fn a_list_that_is_none_is_refused_with_the_place() {
        let message = |text| {
            tokens(Path::new("vocabulary.txt"), text)
                .expect_err(text)
                .to_string()
        };
        assert!(message("a\nb\n").contains("<|endoftext|>"));
        assert!(message("a\n日\n<|endoftext|>").contains("token 1"));
        assert!(tokens(Path::new("v.json"), "{}").is_err());
    }
}
