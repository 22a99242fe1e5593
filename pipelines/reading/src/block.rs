//! Blocks of text with their places, and the paragraphs of plain and Markdown texts.

use std::ops::Range;

/// A block of text, and where it stands in what it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// What is read.
    pub text: String,
    /// Bytes of the file from its first to its last letter, markup between them included.
    pub bytes: Range<usize>,
}

/// The paragraphs of a plain or Markdown text: what empty lines part.
pub fn paragraphs(text: &str) -> Vec<String> {
    let texts = placed_paragraphs(text).into_iter().map(|block| block.text);
    texts.collect()
}

/// As [`paragraphs`], each with its place in `text`.
pub fn placed_paragraphs(text: &str) -> Vec<Block> {
    let mut paragraphs: Vec<Block> = Vec::new();
    let (mut start, mut goes_on) = (0, false);
    for line in text.split_inclusive('\n') {
        let words = line.trim_end();
        let bytes = start..start + words.len();
        start += line.len();
        match paragraphs.last_mut().filter(|_| goes_on) {
            Some(last) if !words.is_empty() => {
                last.text.push('\n');
                last.text.push_str(words);
                last.bytes.end = bytes.end;
            }
            _ if !words.is_empty() => {
                let text = words.to_owned();
                paragraphs.push(Block { text, bytes });
            }
            _ => {}
        }
        goes_on = !words.is_empty();
    }
    paragraphs
}

/// `text` with typographic quotes, dashes and spaces as a keyboard has them, so that a small
/// vocabulary need not hold both.
pub fn keyboard(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\u{2018}' | '\u{2019}' => out.push('\''),
            '\u{201C}' | '\u{201D}' => out.push('"'),
            '\u{2010}'..='\u{2014}' => out.push('-'),
            '\u{2026}' => out.push_str("..."),
            '\u{A0}' => out.push(' '),
            '\u{B6}' => {}
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_lines_part_paragraphs() {
        let text = "a\nb\r\n\n  \n\nc";
        assert_eq!(paragraphs(text), ["a\nb", "c"]);
        let placed = placed_paragraphs(text);
        let raw = |block: &Block| &text[block.bytes.clone()];
        assert_eq!(placed.iter().map(raw).collect::<Vec<_>>(), ["a\nb", "c"]);
        assert_eq!(
            keyboard("\u{201C}it\u{2019}s\u{201D}\u{2026}"),
            "\"it's\"..."
        );
    }
}
