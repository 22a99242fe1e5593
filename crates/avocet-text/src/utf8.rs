//! Text out of bytes that come in pieces.

/// What becomes of bytes that are no character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    /// U+FFFD stands for them, as in the libraries that ours are compared with.
    Replaced,
    /// They are left out, as people who read an answer want it.
    LeftOut,
}

/// Takes from the front of `pending` all text that further bytes cannot change; at most three
/// bytes stay behind.
pub(crate) fn take_text(pending: &mut Vec<u8>, broken: Broken) -> String {
    let mut text = String::new();
    let mut done = 0;
    for chunk in pending.utf8_chunks() {
        text.push_str(chunk.valid());
        done += chunk.valid().len();
        let invalid = chunk.invalid();
        let ends_here = done + invalid.len() == pending.len();
        if invalid.is_empty() || (ends_here && is_incomplete(invalid)) {
            break;
        }
        text.extend((broken == Broken::Replaced).then_some('\u{FFFD}'));
        done += invalid.len();
    }
    pending.drain(..done);
    text
}

/// Whether more bytes could make `bytes` a character.
fn is_incomplete(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_bytes_are_left_out_or_replaced() {
        let broken = b"a\xF0\x9Fb\xFFc\xE6\x97";
        for (how, text) in [
            (Broken::LeftOut, "abc"),
            (Broken::Replaced, "a\u{FFFD}b\u{FFFD}c"),
        ] {
            let mut pending = broken.to_vec();
            assert_eq!(take_text(&mut pending, how), text);
            assert_eq!(pending, b"\xE6\x97");
        }
    }
}
