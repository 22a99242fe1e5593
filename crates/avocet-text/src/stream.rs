//! Ids to text while they are being generated.

use crate::tokenizer::Tokenizer;
use crate::utf8::{Broken, take_text};

/// Turns ids, one after another, into text; a character whose bytes come in
/// several tokens is given out whole, and left out if it never comes whole.
#[derive(Debug, Default, Clone)]
pub struct StreamDecoder {
    pending: Vec<u8>,
}

impl StreamDecoder {
    /// A decoder at the start of a text.
    pub fn new() -> Self {
        Self::default()
    }

    /// The text that `id` completes; empty while a character is incomplete.
    pub fn push(&mut self, tokenizer: &Tokenizer, id: u32) -> String {
        let piece = tokenizer.piece(id).unwrap_or("\u{FFFD}".as_bytes());
        self.pending.extend_from_slice(piece);
        take_text(&mut self.pending, Broken::LeftOut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{any_text, tokenizer};

    #[test]
    fn the_pieces_of_a_stream_join_to_the_text() {
        let tokenizer = tokenizer();
        let mut state = 5;
        for _ in 0..500 {
            let text = any_text(&mut state);
            let mut stream = StreamDecoder::new();
            let ids = tokenizer.spell(&text);
            let joined: String = ids.iter().map(|&id| stream.push(&tokenizer, id)).collect();
            assert_eq!(joined, text);
        }
    }

    #[test]
    fn a_character_of_several_tokens_comes_out_whole() {
        let tokenizer = tokenizer();
        let mut stream = StreamDecoder::new();
        let pieces: Vec<String> = tokenizer
            .spell("😀")
            .into_iter()
            .map(|id| stream.push(&tokenizer, id))
            .collect();
        assert_eq!(pieces, ["", "", "", "😀"]);
    }

    #[test]
    fn a_character_that_never_comes_whole_is_left_out() {
        let tokenizer = tokenizer();
        let cut = &tokenizer.spell("😀")[..3];
        let ids = [
            cut,
            &tokenizer.spell("a"),
            cut,
            &tokenizer.spell("日é"),
            cut,
        ]
        .concat();
        let mut stream = StreamDecoder::new();
        let said: String = ids.iter().map(|&id| stream.push(&tokenizer, id)).collect();
        assert_eq!(said, "a日é");
        let mut pending = b"a\xF0\x9Fb\xFFc\xE6\x97".to_vec();
        assert_eq!(take_text(&mut pending, Broken::LeftOut), "abc");
    }

    #[test]
    fn broken_bytes_become_replacement_characters() {
        let mut pending = b"a\xF0\x9Fb\xFFc\xE6\x97".to_vec();
        assert_eq!(
            take_text(&mut pending, Broken::Replaced),
            "a\u{FFFD}b\u{FFFD}c"
        );
        assert_eq!(pending, b"\xE6\x97");
        let tokenizer = tokenizer();
        assert_eq!(tokenizer.decode(&[u32::MAX]), "\u{FFFD}");
        assert_eq!(
            tokenizer
                .decode(&tokenizer.spell("日")[..1])
                .chars()
                .count(),
            1
        );
    }
}
