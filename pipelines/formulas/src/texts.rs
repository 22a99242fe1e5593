//! What paragraphs and documents say: sentences of Alice, of the Python documentation and
//! WordNet's glosses, and of the files given, each for good in one split.

use std::fs;
use std::path::Path;

use avocet_fetch::Sources;
use pipeline::Split;
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use reading::{blocks, keyboard, paragraphs};

use crate::error::FormulasError;
use crate::split::is_held_out;

/// The opening of Alice's Adventures in Wonderland.
const ALICE: &str = include_str!("../../../assets/texts/alice.txt");
/// Pieces of text have at least this many words, but for the last of a block.
const PIECE_WORDS: usize = 14;
/// A shorter text is no sentence.
const LEAST_WORDS: usize = 4;
/// Words longer than this are no words of a text.
const LONGEST_WORD: usize = 26;
/// Where the packages keep what is used of them.
const WORDNET: [&str; 3] = ["data.noun", "data.verb", "data.adj"];
const WORDNET_FOLDER: &str = "usr/share/wordnet";
const PYTHON_FOLDER: &str = "usr/share/doc/python3.11/html";
const PYTHON_PAGES: [&str; 4] = ["library", "tutorial", "howto", "faq"];

/// Pieces of text with the same origin, in their order.
#[derive(Debug)]
pub struct Source {
    /// Where they come from.
    pub name: String,
    /// Under which licence.
    pub licence: String,
    /// A sentence or a few.
    pub pieces: Vec<String>,
}

/// All texts of a split.
#[derive(Debug, Default)]
pub struct Texts {
    sources: Vec<Source>,
}

/// Some pieces of one source.
#[derive(Debug)]
pub struct Passage<'a> {
    /// Where they come from.
    pub source: &'a Source,
    /// One after another.
    pub pieces: &'a [String],
}

impl Texts {
    /// The text that the program brings.
    pub fn bundled(split: Split) -> Self {
        let mut texts = Self::default();
        texts.add("alice", "public domain", &paragraphs(ALICE), split);
        texts
    }

    /// Adds WordNet and the Python documentation.
    ///
    /// Errors if one cannot be fetched or read.
    pub fn fetch(&mut self, sources: &Sources, split: Split) -> Result<(), FormulasError> {
        let wordnet = sources.folder("wordnet")?.join(WORDNET_FOLDER);
        let mut glosses = Vec::new();
        for file in WORDNET {
            let path = wordnet.join(file);
            let text = fs::read_to_string(&path).map_err(FormulasError::io(&path))?;
            let gloss = |line: &str| Some(line.split_once(" | ")?.1.trim().to_owned());
            glosses.extend(text.lines().filter_map(gloss));
        }
        self.add("wordnet", &sources.get("wordnet")?.licence, &glosses, split);
        let root = sources.folder("python-doc")?.join(PYTHON_FOLDER);
        let mut found = Vec::new();
        for folder in PYTHON_PAGES {
            let folder = root.join(folder);
            let entries = fs::read_dir(&folder).map_err(FormulasError::io(&folder))?;
            let mut pages = Vec::new();
            for entry in entries {
                let path = entry.map_err(FormulasError::io(&folder))?.path();
                if path.extension().is_some_and(|ending| ending == "html") {
                    pages.push(path);
                }
            }
            pages.sort();
            for path in pages {
                let page = fs::read_to_string(&path).map_err(FormulasError::io(&path))?;
                // Code, whose line breaks matter, is no running text.
                found.extend(blocks(&page).into_iter().filter(|b| !b.contains('\n')));
            }
        }
        let licence = &sources.get("python-doc")?.licence;
        self.add("python-doc", licence, &found, split);
        Ok(())
    }

    /// Adds a file of plain or Markdown text.
    pub fn add_file(&mut self, path: &Path, licence: &str, text: &str, split: Split) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        self.add(&format!("file/{name}"), licence, &paragraphs(text), split);
    }

    fn add(&mut self, name: &str, licence: &str, blocks: &[String], split: Split) {
        let held_out = split == Split::Test;
        let pieces: Vec<String> = blocks
            .iter()
            .flat_map(|block| pieces(&keyboard(block)))
            .filter(|piece| is_held_out(piece) == held_out)
            .collect();
        if !pieces.is_empty() {
            self.sources.push(Source {
                name: name.to_owned(),
                licence: licence.to_owned(),
                pieces,
            });
        }
    }

    /// Whether there is nothing to draw from.
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// Up to `most` pieces that follow one another.
    pub fn draw(&self, most: usize, rng: &mut ChaCha8Rng) -> Passage<'_> {
        let source = self.sources.choose(rng).expect("there are texts");
        let count = rng.random_range(1..=most).min(source.pieces.len());
        let start = rng.random_range(0..=source.pieces.len() - count);
        Passage {
            source,
            pieces: &source.pieces[start..start + count],
        }
    }
}

/// A block in pieces that end where sentences do.
fn pieces(block: &str) -> Vec<String> {
    let (mut all, mut piece) = (Vec::new(), Vec::new());
    for word in block.split_whitespace() {
        piece.push(word);
        let ends = word.ends_with(['.', '!', '?', ';', '\'', '"', ')', ':']);
        if ends && piece.len() >= PIECE_WORDS || piece.len() >= 4 * PIECE_WORDS {
            all.push(piece.join(" "));
            piece.clear();
        }
    }
    all.push(piece.join(" "));
    let is_text = |piece: &String| {
        let words = piece.split(' ').count();
        words >= LEAST_WORDS && piece.split(' ').all(|word| word.len() <= LONGEST_WORD)
    };
    all.retain(is_text);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_piece_of_text_is_in_both_splits() {
        let all = |split| -> BTreeSet<String> {
            let texts = Texts::bundled(split);
            texts.sources.into_iter().flat_map(|s| s.pieces).collect()
        };
        let (train, test) = (all(Split::Train), all(Split::Test));
        assert!(
            train.len() > 40 && !test.is_empty(),
            "{} {}",
            train.len(),
            test.len()
        );
        assert!(train.is_disjoint(&test));
    }

    #[test]
    fn pieces_end_where_sentences_do() {
        let block = "One two three four. ".repeat(10);
        for piece in pieces(&block) {
            assert!(
                piece.ends_with('.') && piece.split(' ').count() <= 16,
                "{piece}"
            );
        }
        assert!(pieces("too short").is_empty());
    }
}
