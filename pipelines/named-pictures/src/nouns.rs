//! WordNet's nouns: which words are things that can be seen, and what kinds of things they are.

use std::collections::{BTreeSet, HashMap, HashSet};

use drawing::{Package, PackageError};

const INDEX: &str = "usr/share/wordnet/index.noun";
const DATA: &str = "usr/share/wordnet/data.noun";
const ADJECTIVES: &str = "usr/share/wordnet/index.adj";
/// What can be seen and drawn falls under one of these; states and deeds do not.
const SEEN: [(&str, usize); 4] = [
    ("object", 0),
    ("food", 0),
    ("body part", 0),
    ("atmospheric phenomenon", 0),
];

/// The coarse words that are asked for, most special first, each with a word of WordNet and which of
/// its meanings is meant.
const KINDS: [(&str, (&str, usize)); 15] = [
    ("bird", ("bird", 0)),
    ("fish", ("fish", 0)),
    ("insect", ("insect", 0)),
    ("animal", ("animal", 0)),
    ("person", ("person", 0)),
    ("flower", ("flower", 0)),
    ("tree", ("tree", 0)),
    ("plant", ("plant", 1)),
    ("food", ("food", 0)),
    ("food", ("food", 1)),
    ("vehicle", ("vehicle", 0)),
    ("building", ("building", 0)),
    ("musical instrument", ("musical instrument", 0)),
    ("furniture", ("furniture", 0)),
    ("clothing", ("clothing", 0)),
];

/// The tools, whose word is read apart: WordNet's weapons are no tools, but its implements are.
const TOOL: (&str, usize) = ("tool", 0);

#[derive(Debug)]
struct Synset {
    words: Vec<String>,
    above: Vec<u32>,
    /// It is one person or place, and no kind of thing.
    single: bool,
}

/// The nouns.
#[derive(Debug)]
pub struct Nouns {
    senses: HashMap<String, Vec<u32>>,
    synsets: HashMap<u32, Synset>,
    adjectives: HashSet<String>,
    seen: Vec<u32>,
    kinds: Vec<(&'static str, u32)>,
}

/// One meaning of a word that is a thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meaning {
    /// Words that mean the same.
    pub words: Vec<String>,
    /// The coarse words that it falls under, most special first.
    pub kinds: Vec<&'static str>,
}

impl Nouns {
    /// Reads WordNet's nouns.
    ///
    /// Errors if a file is missing or lacks the words that everything hangs on.
    pub fn read(package: &Package) -> Result<Self, PackageError> {
        let synsets: HashMap<u32, Synset> =
            package.text(DATA)?.lines().filter_map(synset).collect();
        let senses: HashMap<String, Vec<u32>> =
            package.text(INDEX)?.lines().filter_map(senses).collect();
        let known = |(word, number): (&str, usize)| {
            let found = senses.get(word).and_then(|senses| senses.get(number));
            found
                .copied()
                .ok_or_else(|| package.broken(INDEX, format!("no meaning {number} of {word:?}")))
        };
        let mut kinds = Vec::new();
        for (kind, word) in KINDS {
            kinds.push((kind, known(word)?));
        }
        kinds.push(("tool", known(TOOL)?));
        let seen = SEEN.map(known).into_iter().collect::<Result<_, _>>()?;
        let adjectives = package.text(ADJECTIVES)?;
        let word = |line: &str| Some(line.split_ascii_whitespace().next()?.replace('_', " "));
        Ok(Self {
            adjectives: adjectives.lines().filter_map(word).collect(),
            seen,
            kinds,
            senses,
            synsets,
        })
    }

    /// The word as WordNet has it: itself, or the singular of a plural; none if it has neither.
    pub fn singular(&self, word: &str) -> Option<String> {
        if self.senses.contains_key(word) {
            return Some(word.to_owned());
        }
        const ENDINGS: [(&str, &str); 5] = [
            ("ies", "y"),
            ("ves", "f"),
            ("es", ""),
            ("s", ""),
            ("men", "man"),
        ];
        let shorter = ENDINGS.iter().filter_map(|(plural, singular)| {
            let stem = word.strip_suffix(plural)?;
            (stem.len() >= 2).then(|| format!("{stem}{singular}"))
        });
        shorter
            .into_iter()
            .find(|word| self.senses.contains_key(word))
    }

    /// Whether the word also says how something is.
    pub fn is_adjective(&self, word: &str) -> bool {
        self.adjectives.contains(word)
    }

    /// What the word means as a thing that can be seen: the most frequent such meaning, or that
    /// which falls under `expected`; none if there is none among its `most` most frequent meanings.
    pub fn meaning(&self, word: &str, expected: Option<&str>, most: usize) -> Option<Meaning> {
        let senses = self.senses.get(word)?.iter().take(most);
        let things: Vec<Meaning> = senses
            .filter_map(|sense| self.thing(word, *sense))
            .collect();
        let fits = |meaning: &&Meaning| expected.is_some_and(|kind| meaning.kinds.contains(&kind));
        things.iter().find(fits).or(things.first()).cloned()
    }

    fn thing(&self, word: &str, sense: u32) -> Option<Meaning> {
        let synset = self.synsets.get(&sense)?;
        // Names begin with a capital letter there.
        if synset.single || !synset.words.iter().any(|other| other == word) {
            return None;
        }
        let above = self.above(sense);
        if !self.seen.iter().any(|root| above.contains(root)) {
            return None;
        }
        let mut kinds: Vec<&'static str> = Vec::new();
        for (kind, synset) in &self.kinds {
            if above.contains(synset) && !kinds.contains(kind) {
                kinds.push(kind);
            }
        }
        // Names of species in Latin begin with a capital letter too.
        let small = |word: &&String| !word.contains(char::is_uppercase);
        Some(Meaning {
            words: synset.words.iter().filter(small).cloned().collect(),
            kinds,
        })
    }

    /// The synset and all that it is a kind of.
    fn above(&self, sense: u32) -> BTreeSet<u32> {
        let mut found = BTreeSet::new();
        let mut open = vec![sense];
        while let Some(next) = open.pop() {
            if found.insert(next) {
                let synset = self.synsets.get(&next);
                open.extend(synset.into_iter().flat_map(|synset| &synset.above));
            }
        }
        found
    }
}

/// A line of `data.noun`, as wndb(5WN) says.
fn synset(line: &str) -> Option<(u32, Synset)> {
    let (entry, _) = line.split_once(" | ")?;
    let mut fields = entry.split_ascii_whitespace();
    let offset = fields.next()?.parse().ok()?;
    let count = usize::from_str_radix(fields.nth(2)?, 16).ok()?;
    let mut words = Vec::new();
    for _ in 0..count {
        words.push(fields.next()?.replace('_', " "));
        fields.next()?;
    }
    let pointers: usize = fields.next()?.parse().ok()?;
    let (mut above, mut single) = (Vec::new(), false);
    for _ in 0..pointers {
        let symbol = fields.next()?;
        let target = fields.next()?.parse().ok()?;
        fields.nth(1)?;
        if matches!(symbol, "@" | "@i") {
            above.push(target);
            single |= symbol == "@i";
        }
    }
    let synset = Synset {
        words,
        above,
        single,
    };
    Some((offset, synset))
}

/// A line of `index.noun`: the word, and where its meanings are, the most frequent first.
fn senses(line: &str) -> Option<(String, Vec<u32>)> {
    if line.starts_with(' ') {
        return None;
    }
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let count: usize = fields.get(2)?.parse().ok()?;
    let first = fields.len().checked_sub(count)?;
    let places = fields[first..].iter().map(|place| place.parse().ok());
    Some((fields[0].replace('_', " "), places.collect::<Option<_>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::packages;

    #[test]
    fn a_word_is_what_most_people_mean_unless_something_else_is_expected() {
        let fixture = packages();
        let nouns = Nouns::read(&fixture.package("wordnet")).unwrap();
        let horse = nouns.meaning("horse", None, 2).unwrap();
        assert_eq!(horse.kinds, ["animal"]);
        assert_eq!(horse.words, ["horse"]);
        assert_eq!(nouns.meaning("crane", None, 1).unwrap().kinds, ["person"]);
        let bird = nouns.meaning("crane", Some("animal"), 2).unwrap();
        assert_eq!(bird.kinds, ["bird", "animal"]);
        assert_eq!(nouns.meaning("freedom", None, 4), None);
        assert_eq!(nouns.singular("horses").unwrap(), "horse");
        assert_eq!(nouns.singular("quark"), None);
        assert!(nouns.is_adjective("good") && !nouns.is_adjective("horse"));
    }
}
