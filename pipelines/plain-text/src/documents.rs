//! Blocks of text joined into documents of a length that is read at once.

use std::ops::Range;

/// A shorter text teaches nothing.
pub(crate) const MIN_BYTES: usize = 40;

/// Joins `blocks` in their order to documents of at most `longest` bytes; a block longer than that
/// is cut between words.
pub(crate) fn join(blocks: &[String], longest: usize) -> Vec<String> {
    let mut documents = Vec::new();
    let mut document = String::new();
    for piece in blocks.iter().flat_map(|block| pieces(block, longest)) {
        if !document.is_empty() && document.len() + 1 + piece.len() > longest {
            documents.push(std::mem::take(&mut document));
        }
        if !document.is_empty() {
            document.push('\n');
        }
        document.push_str(piece);
    }
    documents.push(document);
    documents.retain(|document| document.len() >= MIN_BYTES);
    documents
}

/// `block` in pieces of at most `longest` bytes, 4 at least.
fn pieces(block: &str, longest: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = block;
    while rest.len() > longest {
        let most = rest.floor_char_boundary(longest);
        let at = rest[..most]
            .rfind(char::is_whitespace)
            .filter(|&at| at > 0)
            .unwrap_or(most);
        let (piece, after) = rest.split_at(at);
        pieces.push(piece.trim_end());
        rest = after.trim_start();
    }
    pieces.push(rest);
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

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
    fn documents_hold_all_words_in_order_and_no_more_than_fits() {
        let block = |index: usize| {
            format!("block{index} ")
                .repeat(index * 40 + 5)
                .trim()
                .to_owned()
        };
        let blocks: Vec<String> = (0..9).map(block).collect();
        let documents = join(&blocks, 1200);
        assert!(documents.iter().all(|document| document.len() <= 1200));
        assert!(join(&blocks, 100_000).len() == 1);
        let words = |texts: &[String]| -> Vec<String> {
            texts
                .iter()
                .flat_map(|text| text.split_whitespace().map(str::to_owned))
                .collect()
        };
        assert_eq!(words(&documents), words(&blocks));
    }

    #[test]
    fn a_block_without_spaces_is_cut_between_characters() {
        let documents = join(&["日".repeat(1000)], 1200);
        assert_eq!(documents.concat().replace('\n', ""), "日".repeat(1000));
        assert!(documents.iter().all(|document| document.len() <= 1200));
    }

    #[test]
    fn short_texts_are_left_out() {
        assert!(join(&["too short".into()], 1200).is_empty());
        assert!(join(&[], 1200).is_empty());
    }

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
