//! Questions that were kept, and which of them a new one repeats.
//!
//! `avocet-data`'s comparison of documents by runs of five words needs thirty of them; a question
//! has ten. Here a question is the set of its words and of its pairs of neighbours.

use std::collections::BTreeSet;

use crate::words::words;

/// Questions are nearly the same if they share this much of all words and pairs of both (Jaccard).
/// Two of six words that differ only in the last share 0.69.
const NEARLY_THE_SAME: f64 = 0.7;

/// The questions kept so far.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    questions: Vec<(BTreeSet<String>, String)>,
}

impl Kept {
    /// Remembers the question of the sample named `id`.
    pub fn add(&mut self, question: &str, id: &str) {
        self.questions.push((shingles(question), id.to_owned()));
    }

    /// The name of the first sample whose question is nearly the same. It looks at all of them,
    /// which takes a thousandth of the time in which a model writes the next.
    pub fn find(&self, question: &str) -> Option<&str> {
        let own = shingles(question);
        let near = |(other, _): &&(BTreeSet<String>, String)| {
            let both = own.intersection(other).count();
            both as f64 >= NEARLY_THE_SAME * (own.len() + other.len() - both) as f64
        };
        self.questions.iter().find(near).map(|(_, id)| id.as_str())
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.questions.clear();
    }
}

fn shingles(question: &str) -> BTreeSet<String> {
    let words = words(question);
    let pairs = words.windows(2).map(|pair| pair.join(" "));
    pairs.chain(words.iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_in_hardly_other_words_is_the_same() {
        let mut kept = Kept::default();
        kept.add("What did Alice find on the table?", "first");
        for same in [
            "what did Alice find on the table",
            "What did Alice find on the glass table?",
        ] {
            assert_eq!(kept.find(same), Some("first"), "{same}");
        }
        for other in ["What did Alice find under the table?", "Who found it?", ""] {
            assert_eq!(kept.find(other), None, "{other}");
        }
        kept.clear();
        assert_eq!(kept.find("What did Alice find on the table?"), None);
    }
}
