//! How right an answer is: exact match and character error rate.

/// An answer as it is compared: case, outer space and a final period say nothing.
pub fn normalised(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let joined = words.join(" ").to_lowercase();
    joined.strip_suffix('.').unwrap_or(&joined).trim_end().to_owned()
}

/// Whether `answer` says what `truth` says.
pub fn is_exact(answer: &str, truth: &str) -> bool {
    normalised(answer) == normalised(truth)
}

/// Fewest insertions, deletions and replacements of characters that turn `answer` into `truth`.
///
/// Compared as written, case included. Levenshtein's distance, one row at a time.
pub fn character_errors(answer: &str, truth: &str) -> usize {
    let truth: Vec<char> = truth.chars().collect();
    let mut row: Vec<usize> = (0..=truth.len()).collect();
    for (line, letter) in answer.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, wanted) in truth.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *wanted);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[truth.len()]
}

/// Counts over many answers.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Grade {
    /// Answers graded.
    pub answers: usize,
    /// Those that match exactly.
    pub exact: usize,
    /// Sum of their character errors.
    pub character_errors: usize,
    /// Sum of the truths' characters.
    pub characters: usize,
}

impl Grade {
    /// Adds one answer.
    pub fn add(&mut self, answer: &str, truth: &str) {
        self.answers += 1;
        self.exact += usize::from(is_exact(answer, truth));
        self.character_errors += character_errors(answer.trim(), truth.trim());
        self.characters += truth.trim().chars().count();
    }

    /// Adds the counts of others.
    pub fn merge(&mut self, other: &Self) {
        self.answers += other.answers;
        self.exact += other.exact;
        self.character_errors += other.character_errors;
        self.characters += other.characters;
    }

    /// Share of exact answers, 0 to 1; `None` without answers.
    pub fn exact_match(&self) -> Option<f64> {
        (self.answers > 0).then(|| self.exact as f64 / self.answers as f64)
    }

    /// Character errors for each character of truth; may exceed 1; `None` without characters.
    pub fn character_error_rate(&self) -> Option<f64> {
        (self.characters > 0).then(|| self.character_errors as f64 / self.characters as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_space_and_a_final_period_do_not_matter_for_a_match() {
        assert!(is_exact(" Red  circle. ", "red circle"));
        assert!(!is_exact("red circles", "red circle"));
        assert!(!is_exact("", "red"));
    }

    #[test]
    fn errors_are_the_edit_distance() {
        for (answer, truth, errors) in
            [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "", 3), ("ábc", "abc", 1), ("same", "same", 0), ("Ab", "ab", 1)]
        {
            assert_eq!(character_errors(answer, truth), errors, "{answer:?} {truth:?}");
        }
    }

    #[test]
    fn rates_weigh_long_truths_more() {
        let mut grade = Grade::default();
        assert_eq!((grade.exact_match(), grade.character_error_rate()), (None, None));
        grade.add("ab", "ab");
        grade.add("abcdexgh", "abcdefgh");
        assert_eq!(grade.exact_match(), Some(0.5));
        assert_eq!(grade.character_error_rate(), Some(0.1));
    }
}
