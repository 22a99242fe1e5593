//! Questions and answers about the words of a synset, and its entry as plain text.

use crate::wordnet::{Kinds, Speech, Synset};
use rand::Rng;
use rand::seq::IndexedRandom;

/// A question, its answer, and the kind of sample that they make.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub kind: &'static str,
    pub question: String,
    pub answer: String,
}

/// Draws one question about `synset`; `others` lend their kinds to questions answered no.
pub(crate) fn ask(
    (speech, synset): (Speech, &Synset),
    kinds: &Kinds,
    others: &[Synset],
    rng: &mut impl Rng,
) -> Asked {
    let word = synset.words.choose(rng).map_or("", String::as_str);
    let parent = match speech {
        Speech::Noun => kinds.parent(synset),
        Speech::Verb | Speech::Adjective | Speech::Adverb => None,
    };
    match (rng.random_range(0..8), parent) {
        (0, Some(parent)) => Asked {
            kind: "hypernym",
            question: format!("What kind of thing is {}?", with_article(word)),
            answer: with_article(parent),
        },
        (1, Some(parent)) => yes_or_no((word, parent), synset, kinds, others, rng),
        (2 | 3, _) => {
            let forms = ["Which word means \"{}\"?", "What is the word for \"{}\"?"];
            Asked {
                kind: "word",
                question: fill(&forms, &synset.definition, rng),
                answer: word.into(),
            }
        }
        _ => Asked {
            kind: "definition",
            question: definition_question(speech, word, rng),
            answer: synset.definition.clone(),
        },
    }
}

fn yes_or_no(
    (word, parent): (&str, &str),
    synset: &Synset,
    kinds: &Kinds,
    others: &[Synset],
    rng: &mut impl Rng,
) -> Asked {
    let lent = others.choose(rng).and_then(|other| kinds.parent(other));
    let is_other = |lent: &&str| *lent != word && !kinds.is_kind_of(synset, lent);
    let (claim, answer) = match lent.filter(is_other) {
        Some(other) if rng.random_bool(0.5) => (other, "no"),
        _ => (parent, "yes"),
    };
    let question = format!("Is {} a kind of {claim}?", with_article(word));
    Asked {
        kind: "hypernym",
        question,
        answer: answer.into(),
    }
}

fn definition_question(speech: Speech, word: &str, rng: &mut impl Rng) -> String {
    let of_any = [
        "What does \"{}\" mean?",
        "Define \"{}\".",
        "What is the meaning of \"{}\"?",
    ];
    let of_verbs = [
        "What does it mean to {}?",
        "What does the verb \"{}\" mean?",
    ];
    match speech {
        Speech::Noun if rng.random_bool(0.5) => format!("What is {}?", with_article(word)),
        Speech::Verb if rng.random_bool(0.5) => fill(&of_verbs, word, rng),
        Speech::Adjective if rng.random_bool(0.3) => {
            fill(&["What does it mean to be {}?"], word, rng)
        }
        Speech::Noun | Speech::Verb | Speech::Adjective | Speech::Adverb => {
            fill(&of_any, word, rng)
        }
    }
}

fn fill(forms: &[&str], content: &str, rng: &mut impl Rng) -> String {
    forms
        .choose(rng)
        .map_or_else(String::new, |form| form.replacen("{}", content, 1))
}

/// `word` as one would name one such thing: names and what is not counted stand alone.
fn with_article(word: &str) -> String {
    const NOT_COUNTED: [&str; 10] = [
        "ness", "ity", "ism", "ing", "tion", "ance", "ence", "s", "ics", "ium",
    ];
    let is_name =
        word.chars().any(char::is_uppercase) || word.starts_with(|c: char| c.is_numeric());
    if is_name || NOT_COUNTED.iter().any(|ending| word.ends_with(ending)) {
        return word.to_owned();
    }
    let article = if word.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {word}")
}

/// The dictionary entry of `synset`.
pub(crate) fn entry(speech: Speech, synset: &Synset) -> String {
    let mut text = format!(
        "{} ({}): {}.",
        synset.words.join(", "),
        speech.name(),
        synset.definition
    );
    for example in &synset.examples {
        let mut letters = example.chars();
        text.push(' ');
        text.extend(letters.next().map(|first| first.to_uppercase().to_string()));
        text.push_str(letters.as_str());
        if !example.ends_with(['.', '!', '?']) {
            text.push('.');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wordnet::tests::NOUNS;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn every_question_is_answered_from_the_entry() {
        let synsets = NOUNS.map(|line| Synset::parse(line).unwrap());
        let mut kinds = Kinds::default();
        synsets.iter().for_each(|synset| kinds.add(synset));
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..300 {
            let asked = ask((Speech::Noun, &synsets[1]), &kinds, &synsets, &mut rng);
            match (asked.kind, asked.answer.as_str()) {
                ("hypernym", "yes") => assert!(asked.question.ends_with("a kind of animal?")),
                ("hypernym", "no") => assert!(asked.question.contains("a kind of"), "{asked:?}"),
                ("hypernym", answer) => assert_eq!(answer, "an animal"),
                ("word", answer) => assert!(synsets[1].words.iter().any(|word| word == answer)),
                ("definition", answer) => assert_eq!(answer, synsets[1].definition),
                other => panic!("{other:?}"),
            }
            seen.insert(asked.kind);
        }
        assert_eq!(seen.len(), 3);
    }

    #[test]
    fn an_entry_reads_as_in_a_dictionary() {
        let dog = Synset::parse(NOUNS[1]).unwrap();
        assert_eq!(
            entry(Speech::Noun, &dog),
            "dog, domestic dog (noun): a tame animal that barks. The dog barked all night. A dog's life."
        );
        assert_eq!(with_article("apple"), "an apple");
        assert_eq!(with_article("Rex"), "Rex");
        assert_eq!(with_article("happiness"), "happiness");
    }
}
