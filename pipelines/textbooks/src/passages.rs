//! Long texts cut to passages of a length that a question can be asked about.

use std::ops::Range;

use reading::Block;

/// A passage ends with the first block that gives it so many words.
const ENOUGH_WORDS: usize = 100;
/// A passage has no more words than this.
pub(crate) const MOST_WORDS: usize = 180;
/// Nor more bytes: a text without spaces is one word.
const MOST_BYTES: usize = 2000;

/// A passage, and the bytes of the file that it was read from.
///
/// A block longer than a passage is cut at the ends of sentences; its passages then share the
/// bytes of the whole block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Passage {
    pub text: String,
    pub bytes: Range<usize>,
}

/// Joins `blocks` in their order to passages of 100 to 180 words that end where a block ends; one
/// that stands before a long block, and the last, may be shorter.
pub(crate) fn passages(blocks: &[Block]) -> Vec<Passage> {
    let mut passages = Vec::new();
    let mut open: Option<Passage> = None;
    for block in blocks {
        for piece in pieces(&block.text) {
            let joined = |open: &Passage| {
                count(&open.text) + count(piece) <= MOST_WORDS
                    && open.text.len() + 1 + piece.len() <= MOST_BYTES
            };
            if !open.as_ref().is_none_or(joined) {
                passages.extend(open.take());
            }
            match &mut open {
                Some(open) => {
                    open.text.push('\n');
                    open.text.push_str(piece);
                    open.bytes.end = open.bytes.end.max(block.bytes.end);
                }
                None => {
                    open = Some(Passage {
                        text: piece.to_owned(),
                        bytes: block.bytes.clone(),
                    });
                }
            }
            if open
                .as_ref()
                .is_some_and(|open| count(&open.text) >= ENOUGH_WORDS)
            {
                passages.extend(open.take());
            }
        }
    }
    passages.extend(open);
    passages
}

/// Whole sentences of `text` as long as they fit into a passage; a sentence that does not is cut
/// between words, a word that does not between letters.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text.trim();
    while count(rest) > MOST_WORDS || rest.len() > MOST_BYTES {
        let (mut fits, mut sentence) = (0, 0);
        for (words, (start, word)) in words(rest).enumerate() {
            let end = start + word.len();
            if words >= MOST_WORDS || end > MOST_BYTES {
                break;
            }
            fits = end;
            if ends_a_sentence(word) {
                sentence = end;
            }
        }
        let at = match (sentence, fits) {
            (0, 0) => rest.floor_char_boundary(MOST_BYTES),
            (0, fits) => fits,
            (sentence, _) => sentence,
        };
        pieces.push(&rest[..at]);
        rest = rest[at..].trim_start();
    }
    pieces.push(rest);
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// The words of `text` with their places.
pub(crate) fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let place = |word: &str| word.as_ptr() as usize - text.as_ptr() as usize;
    text.split_whitespace().map(move |word| (place(word), word))
}

pub(crate) fn count(text: &str) -> usize {
    text.split_whitespace().count()
}

pub(crate) fn ends_a_sentence(word: &str) -> bool {
    let closed = word.trim_end_matches(['"', '\'', ')', ']', '\u{201D}', '\u{2019}']);
    closed.ends_with(['.', '!', '?'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(lengths: &[usize]) -> Vec<Block> {
        let mut start = 0;
        let block = |&words: &usize| {
            let sentence = "one two three four five. ".repeat(words.div_ceil(5));
            let text = sentence.trim().to_owned();
            let bytes = start..start + text.len();
            start = bytes.end + 2;
            Block { text, bytes }
        };
        lengths.iter().map(block).collect()
    }

    #[test]
    fn passages_end_with_blocks_and_hold_every_word_once() {
        let lengths = [5, 60, 60, 20, 170, 90, 95, 400, 5, 10];
        let blocks = blocks(&lengths);
        let made = passages(&blocks);
        let counts: Vec<usize> = made.iter().map(|passage| count(&passage.text)).collect();
        assert_eq!(counts, [125, 20, 170, 90, 95, 180, 180, 55]);
        assert_eq!(counts.iter().sum::<usize>(), lengths.iter().sum::<usize>());
        // The first is three blocks; those cut out of one block have its bytes.
        assert_eq!(made[0].bytes, 0..blocks[2].bytes.end);
        assert_eq!(made[5].bytes, blocks[7].bytes);
        assert_eq!(made[7].bytes, blocks[7].bytes.start..blocks[9].bytes.end);
        assert!(made[5].text.ends_with("five."));
    }

    #[test]
    fn a_text_without_spaces_is_cut_too() {
        let text = "日".repeat(3000);
        let bytes = 0..text.len();
        let made = passages(&[Block { text, bytes }]);
        assert!(made.iter().all(|passage| passage.text.len() <= MOST_BYTES));
        let letters: String = made.iter().map(|passage| passage.text.as_str()).collect();
        assert_eq!(letters.replace('\n', "").chars().count(), 3000);
        assert_eq!(passages(&[]), []);
    }
}
