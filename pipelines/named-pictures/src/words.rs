//! Words and phrases for the lines of text: Debian's word list and WordNet.

use drawing::{Package, characters};

use crate::error::NamedPicturesError;
use crate::lines::Lines;

const WORD_LIST: &str = "usr/share/dict/american-english";
const WORDNET: [&str; 4] = [
    "usr/share/wordnet/data.noun",
    "usr/share/wordnet/data.verb",
    "usr/share/wordnet/data.adj",
    "usr/share/wordnet/data.adv",
];

/// Reads the word list and WordNet's phrases and glosses.
///
/// Errors if a file is missing, not text, or has none of what is looked for in it.
pub fn load(words: &Package, wordnet: &Package) -> Result<Lines, NamedPicturesError> {
    let drawable = |line: &str| line.chars().all(|c| characters().any(|known| known == c));
    let list = words.text(WORD_LIST)?;
    let all: Vec<String> = list
        .lines()
        .filter(|w| drawable(w))
        .map(str::to_owned)
        .collect();
    if all.is_empty() {
        return Err(words.broken(WORD_LIST, "no words in it").into());
    }
    let (mut phrases, mut glosses) = (Vec::new(), Vec::new());
    for member in WORDNET {
        for line in wordnet
            .text(member)?
            .lines()
            .filter(|line| !line.starts_with(' '))
        {
            let (entry, gloss) = line
                .split_once(" | ")
                .ok_or_else(|| wordnet.broken(member, format!("no gloss in {line:?}")))?;
            phrases.extend(lemmas(entry).filter(|lemma| lemma.contains(' ')));
            let gloss = gloss.trim();
            if gloss.is_ascii() && !gloss.is_empty() {
                glosses.push(gloss.split_whitespace().collect::<Vec<_>>().join(" "));
            }
        }
    }
    phrases.sort();
    phrases.dedup();
    if phrases.is_empty() || glosses.is_empty() {
        return Err(wordnet
            .broken(WORDNET[0], "no phrases or no glosses in it")
            .into());
    }
    Ok(Lines::new(all, phrases, glosses))
}

/// The words of an entry of WordNet's data files (wndb(5WN)): offset, file, kind, their
/// number in hexadecimal, then each with its sense.
fn lemmas(entry: &str) -> impl Iterator<Item = String> {
    let mut fields = entry.split(' ').skip(3);
    let count = fields
        .next()
        .and_then(|n| usize::from_str_radix(n, 16).ok())
        .unwrap_or(0);
    fields.step_by(2).take(count).map(|lemma| {
        let bare = lemma.split_once('(').map_or(lemma, |(word, _)| word);
        bare.replace('_', " ")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_an_entry_lose_their_marks() {
        let entry = "00004475 03 n 02 organism 0 living_being 0 092 @ 00004258 n 0000";
        assert_eq!(
            lemmas(entry).collect::<Vec<_>>(),
            ["organism", "living being"]
        );
        let entry = "00014490 00 s 01 in_stock(p) 0 001 & 00013887 a 0000";
        assert_eq!(lemmas(entry).collect::<Vec<_>>(), ["in stock"]);
    }
}
