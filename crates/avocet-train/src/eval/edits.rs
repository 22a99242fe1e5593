//! Metrics that compare texts by their fewest edits, and by whether they are the same.

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

/// Fewest insertions, deletions and replacements that turn `a` into `b` (Levenshtein, 1966).
pub(crate) fn levenshtein<T: PartialEq>(a: &[T], b: &[T]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// Levenshtein distance over the characters of two texts.
pub fn edit_distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    levenshtein(&a, &b)
}

/// 1 less the edits for each character of the longer text: 1 for the same, 0 for nothing alike.
pub(crate) fn normalised_similarity(a: &str, b: &str) -> f64 {
    let longer = a.chars().count().max(b.chars().count());
    match longer {
        0 => 1.0,
        _ => 1.0 - edit_distance(a, b) as f64 / longer as f64,
    }
}

/// Average normalised Levenshtein similarity of one answer, case and outer spaces aside: that to
/// the nearest reference, or 0 if it is below a half.
///
/// Biten et al. 2019, arXiv:1905.13648, equation 1.
pub fn anls(answer: &str, references: &[String]) -> f64 {
    let plain = |text: &str| {
        text.split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .to_lowercase()
    };
    let answer = plain(answer);
    let nearest = references
        .iter()
        .map(|reference| normalised_similarity(&answer, &plain(reference)))
        .fold(0.0, f64::max);
    // At exactly half of the characters the answer counts as wrong.
    if nearest > 0.5 { nearest } else { 0.0 }
}

/// Edits and length of the reference that needs the fewest edits for its length, over what `cut`
/// makes of a text.
pub(super) fn nearest<'a, T: PartialEq>(
    answer: &'a str,
    references: &'a [String],
    cut: impl Fn(&'a str) -> Vec<T>,
) -> (usize, usize) {
    let answer = cut(answer.trim());
    let measured = references.iter().map(|reference| {
        let reference = cut(reference.trim());
        (levenshtein(&answer, &reference), reference.len())
    });
    let rate = |&(edits, length): &(usize, usize)| edits as f64 / length.max(1) as f64;
    measured
        .min_by(|a, b| rate(a).total_cmp(&rate(b)))
        .unwrap_or((answer.len(), 0))
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
    fn the_nearest_reference_counts() {
        let references = ["abcdef".to_string(), "abd".to_string()];
        let edits = nearest("abc", &references, |text| text.chars().collect());
        assert_eq!(edits, (1, 3));
        assert!((anls("ABD", &references) - 1.0).abs() < 1e-12);
        assert_eq!(anls("xyz", &references), 0.0);
    }
}
