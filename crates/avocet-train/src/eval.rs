//! Scores of answers against references; the answering itself is `avocet-infer`'s.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The form in which two answers are compared: lower case, single spaces, no full stop at the end.
pub fn normalised(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let joined = words.join(" ").to_lowercase();
    joined.trim_end_matches('.').trim_end().to_string()
}

/// Whether two answers are the same after [`normalised`].
pub fn exact_match(answer: &str, reference: &str) -> bool {
    normalised(answer) == normalised(reference)
}

/// Fewest insertions, deletions and replacements of characters that turn `a` into `b`.
pub fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// One answered question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answered {
    /// The sample's id.
    pub id: String,
    /// The sample's kind, such as `flag` or `text`.
    pub kind: String,
    /// What the model said.
    pub answer: String,
    /// What it should have said.
    pub reference: String,
}

/// Scores of one kind of sample.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Questions asked.
    pub questions: usize,
    /// Answers equal to the reference after normalising.
    pub correct: usize,
    /// Answers equal to the reference character by character.
    pub identical: usize,
    /// Edits needed over all answers, case kept.
    pub edits: usize,
    /// Characters of all references.
    pub characters: usize,
}

impl Scores {
    /// Counts one answer.
    pub fn add(&mut self, answer: &str, reference: &str) {
        self.questions += 1;
        self.correct += usize::from(exact_match(answer, reference));
        self.identical += usize::from(answer.trim() == reference.trim());
        self.edits += edit_distance(answer.trim(), reference.trim());
        self.characters += reference.trim().chars().count();
    }

    /// Share of answers that are right after normalising.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.questions.max(1) as f64
    }

    /// Edits for each character of the references; above 1 when answers ramble.
    pub fn character_error_rate(&self) -> f64 {
        self.edits as f64 / self.characters.max(1) as f64
    }
}

/// Scores by kind, and of all together under `all`.
pub fn scores_by_kind<'a>(
    answers: impl IntoIterator<Item = &'a Answered>,
) -> BTreeMap<String, Scores> {
    let mut table: BTreeMap<String, Scores> = BTreeMap::new();
    for answered in answers {
        for kind in [answered.kind.as_str(), "all"] {
            let scores = table.entry(kind.to_string()).or_default();
            scores.add(&answered.answer, &answered.reference);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edit_distance_counts_the_classic_cases() {
        let cases = [
            ("", "", 0),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
            ("flaw", "lawn", 2),
        ];
        for (a, b, distance) in cases {
            assert_eq!(edit_distance(a, b), distance, "{a} {b}");
            assert_eq!(edit_distance(b, a), distance, "{b} {a}");
        }
        assert_eq!(edit_distance("née", "nee"), 1, "characters, not bytes");
    }

    #[test]
    fn case_spaces_and_a_final_stop_do_not_matter_to_an_exact_match() {
        assert!(exact_match(" A red  bicycle.", "a red bicycle"));
        assert!(!exact_match("a red bicycles", "a red bicycle"));
    }

    #[test]
    fn scores_add_up_by_kind_and_over_all() {
        let answered = |kind: &str, answer: &str, reference: &str| Answered {
            id: String::new(),
            kind: kind.into(),
            answer: answer.into(),
            reference: reference.into(),
        };
        let answers = [
            answered("flag", "France", "france"),
            answered("flag", "Chad", "Romania"),
            answered("text", "helo", "hello"),
        ];
        let table = scores_by_kind(&answers);
        assert_eq!(table["flag"].accuracy(), 0.5);
        assert_eq!(table["flag"].identical, 0);
        assert_eq!(table["text"].character_error_rate(), 0.2);
        assert_eq!(table["all"].questions, 3);
    }
}
