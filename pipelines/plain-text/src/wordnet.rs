//! WordNet's `data.*` files: one synset (words that mean the same) a line.
//!
//! `offset file type count(hex) {word id}... pointers {symbol offset type indices}... | gloss`,
//! as wndb(5WN) says; the gloss is a definition and quoted examples.

use std::collections::HashMap;

/// A part of speech, each in its own file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speech {
    Noun,
    Verb,
    Adjective,
    Adverb,
}

impl Speech {
    pub const ALL: [Speech; 4] = [
        Speech::Noun,
        Speech::Verb,
        Speech::Adjective,
        Speech::Adverb,
    ];

    /// Name of its file in the package.
    pub fn file(self) -> &'static str {
        match self {
            Speech::Noun => "data.noun",
            Speech::Verb => "data.verb",
            Speech::Adjective => "data.adj",
            Speech::Adverb => "data.adv",
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Speech::Noun => "noun",
            Speech::Verb => "verb",
            Speech::Adjective => "adjective",
            Speech::Adverb => "adverb",
        }
    }
}

/// Words that mean the same, and what they mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Synset {
    pub offset: u32,
    pub words: Vec<String>,
    pub definition: String,
    pub examples: Vec<String>,
    /// The synset of which this is a kind.
    pub hypernym: Option<u32>,
    /// All of which it is a kind, that one first.
    pub hypernyms: Vec<u32>,
}

impl Synset {
    /// Reads one line of a data file; `None` if it is not a synset.
    pub fn parse(line: &str) -> Option<Self> {
        let (data, gloss) = line.split_once(" | ")?;
        let mut fields = data.split_ascii_whitespace();
        let offset = fields.next()?.parse().ok()?;
        let num_words = usize::from_str_radix(fields.nth(2)?, 16).ok()?;
        let mut words = Vec::new();
        for _ in 0..num_words {
            words.push(word(fields.next()?));
            fields.next()?;
        }
        let num_pointers: usize = fields.next()?.parse().ok()?;
        let mut hypernyms = Vec::new();
        for _ in 0..num_pointers {
            let symbol = fields.next()?;
            let target = fields.next()?.parse().ok()?;
            fields.nth(1)?;
            if matches!(symbol, "@" | "@i") {
                hypernyms.push(target);
            }
        }
        let (definition, examples) = split_gloss(gloss);
        let whole = !words.is_empty() && !definition.is_empty();
        whole.then_some(Self {
            offset,
            words,
            definition,
            examples,
            hypernym: hypernyms.first().copied(),
            hypernyms,
        })
    }
}

/// Underscores are spaces; a syntactic marker such as `(p)` is left out.
fn word(field: &str) -> String {
    let plain = ["(p)", "(a)", "(ip)"]
        .iter()
        .find_map(|marker| field.strip_suffix(marker));
    plain.unwrap_or(field).replace('_', " ")
}

fn split_gloss(gloss: &str) -> (String, Vec<String>) {
    let mut parts = gloss.split('"');
    let trim = |text: &str| {
        text.trim()
            .trim_end_matches([';', ':', ','])
            .trim_end()
            .to_owned()
    };
    let definition = trim(parts.next().unwrap_or_default());
    // Every second part stands within quotes.
    let examples = parts.step_by(2).map(trim).filter(|text| !text.is_empty());
    (definition, examples.collect())
}

/// The nouns as a hierarchy of kinds.
#[derive(Debug, Default)]
pub(crate) struct Kinds {
    /// First word and hypernym by offset.
    nouns: HashMap<u32, (String, Option<u32>)>,
}

/// Longest chain of kinds followed; the real ones are shorter.
const MAX_CHAIN: usize = 32;

impl Kinds {
    pub fn add(&mut self, synset: &Synset) {
        if let Some(word) = synset.words.first() {
            self.nouns
                .insert(synset.offset, (word.clone(), synset.hypernym));
        }
    }

    /// What `synset` is a kind of, in a word.
    pub fn parent(&self, synset: &Synset) -> Option<&str> {
        self.nouns
            .get(&synset.hypernym?)
            .map(|(word, _)| word.as_str())
    }

    /// Whether a thing called `word` is among what `synset` is a kind of, at any remove.
    pub fn is_kind_of(&self, synset: &Synset, word: &str) -> bool {
        let next = |&offset: &u32| self.nouns.get(&offset).and_then(|(_, parent)| *parent);
        std::iter::successors(synset.hypernym, next)
            .take(MAX_CHAIN)
            .filter_map(|offset| self.nouns.get(&offset))
            .any(|(name, _)| name == word)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const NOUNS: [&str; 3] = [
        "00001740 03 n 01 animal 0 001 ~ 00001930 n 0000 | a living thing that moves  ",
        "00001930 03 n 02 dog 0 domestic_dog 0 002 @ 00001740 n 0000 ~ 00002137 n 0000 | a tame \
         animal that barks; \"the dog barked all night\"; \"a dog's life\"  ",
        "00002137 03 n 01 Rex 0 001 @i 00001930 n 0000 | a name for a dog  ",
    ];

    #[test]
    fn a_line_becomes_words_definition_examples_and_kind() {
        let dog = Synset::parse(NOUNS[1]).unwrap();
        assert_eq!(dog.words, ["dog", "domestic dog"]);
        assert_eq!(dog.definition, "a tame animal that barks");
        assert_eq!(dog.examples, ["the dog barked all night", "a dog's life"]);
        assert_eq!(dog.hypernym, Some(1740));
        let adjective = "00001740 00 a 01 able(p) 0 001 = 05200169 n 0000 | having power  ";
        assert_eq!(Synset::parse(adjective).unwrap().words, ["able"]);
    }

    #[test]
    fn what_is_no_synset_is_none() {
        for line in ["", "  1 This software", "00001740 03 n", "x y z | w"] {
            assert_eq!(Synset::parse(line), None, "{line}");
        }
        for end in 0..NOUNS[1].len() {
            Synset::parse(&NOUNS[1][..end]);
        }
    }

    #[test]
    fn kinds_are_followed_upwards_only() {
        let synsets = NOUNS.map(|line| Synset::parse(line).unwrap());
        let mut kinds = Kinds::default();
        synsets.iter().for_each(|synset| kinds.add(synset));
        assert_eq!(kinds.parent(&synsets[2]), Some("dog"));
        assert!(kinds.is_kind_of(&synsets[2], "animal"));
        assert!(!kinds.is_kind_of(&synsets[0], "dog"));
    }
}
