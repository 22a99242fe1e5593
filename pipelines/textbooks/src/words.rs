//! Words as answers are compared by them: without case, punctuation and endings.

/// Words that say nothing by themselves.
pub(crate) const STOP_WORDS: &[&str] = &[
    "a", "about", "after", "again", "all", "also", "am", "an", "and", "any", "are", "as", "at",
    "be", "because", "been", "before", "being", "but", "by", "can", "could", "did", "do", "does",
    "doing", "for", "from", "had", "has", "have", "having", "he", "her", "hers", "him", "his",
    "how", "i", "if", "in", "into", "is", "it", "its", "just", "may", "me", "might", "more",
    "most", "much", "must", "my", "no", "not", "of", "on", "one", "only", "or", "other", "our",
    "out", "over", "own", "she", "should", "so", "some", "such", "than", "that", "the", "their",
    "theirs", "them", "then", "there", "these", "they", "this", "those", "to", "too", "under",
    "up", "us", "very", "was", "we", "were", "what", "when", "where", "which", "while", "who",
    "whom", "whose", "why", "will", "with", "would", "you", "your",
];

/// The words of `text` in small letters: cut at spaces, hyphens and dashes, without punctuation
/// around them and without a possessive ending. A number stays whole.
pub(crate) fn words(text: &str) -> Vec<String> {
    let parts = text.split(|letter: char| letter.is_whitespace() || is_dash(letter));
    parts.filter_map(word).collect()
}

fn is_dash(letter: char) -> bool {
    matches!(letter, '-' | '/' | '\u{2010}'..='\u{2015}')
}

fn word(part: &str) -> Option<String> {
    let bare = part.trim_matches(|letter: char| !letter.is_alphanumeric());
    let bare = ["'s", "\u{2019}s"]
        .iter()
        .find_map(|ending| bare.strip_suffix(ending))
        .unwrap_or(bare);
    (!bare.is_empty()).then(|| bare.to_lowercase())
}

/// Those words of `text` that carry meaning, without their commonest endings.
pub(crate) fn content(text: &str) -> Vec<String> {
    let mut words = words(text);
    words.retain(|word| !STOP_WORDS.contains(&word.as_str()));
    words.iter().map(|word| stem(word).to_owned()).collect()
}

/// A word without a plural's or a participle's ending; numbers are never changed.
fn stem(word: &str) -> &str {
    if is_number(word) {
        return word;
    }
    for (ending, least) in [("ing", 6), ("ed", 5), ("es", 5), ("s", 4)] {
        let longer = word.chars().count() >= least && !word.ends_with("ss");
        if let Some(stem) = word.strip_suffix(ending).filter(|_| longer) {
            return stem.trim_end_matches('e');
        }
    }
    word.strip_suffix('e').unwrap_or(word)
}

/// Whether a word is the number of a section or a version, such as 4.13.2.
pub(crate) fn is_section(word: &str) -> bool {
    let bare = word.trim_end_matches(|letter: char| !letter.is_alphanumeric());
    bare.starts_with(|letter: char| letter.is_ascii_digit()) && bare.matches('.').count() > 1
}

/// Whether a word holds a digit: such words must agree exactly.
pub(crate) fn is_number(word: &str) -> bool {
    word.chars().any(|letter| letter.is_ascii_digit())
}

/// The harmonic mean of the shares of words of each list that the other has too, from 0 to 1, as
/// SQuAD scores answers (arXiv:1606.05250 §6.1).
pub(crate) fn f1(a: &[String], b: &[String]) -> f64 {
    let mut left = b.to_vec();
    let mut found = |word: &&String| {
        let place = left.iter().position(|other| other == *word);
        place.map(|place| left.swap_remove(place)).is_some()
    };
    let both = a.iter().filter(|word| found(word)).count();
    match a.len() + b.len() {
        0 => 0.0,
        all => 2.0 * both as f64 / all as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_lose_case_punctuation_and_endings() {
        let text = "`Well!' thought Alice--to herself; Alice's well-known 6,650 miles (3.11).";
        let wanted = [
            "well", "thought", "alice", "to", "herself", "alice", "well", "known", "6,650",
            "miles", "3.11",
        ];
        assert_eq!(words(text), wanted);
        assert_eq!(content("The boxes were closing"), content("box close"));
        assert_eq!(content("the class of 1800s"), ["class", "1800s"]);
        assert_eq!(content("What is it?"), Vec::<String>::new());
    }

    #[test]
    fn f1_is_that_of_squad() {
        let f1 = |a: &str, b: &str| super::f1(&words(a), &words(b));
        assert_eq!(f1("red book", "Book, red."), 1.0);
        assert_eq!(f1("red", "blue"), 0.0);
        assert_eq!(f1("", ""), 0.0);
        // Two of three and two of two: 2 * 2 / (3 + 2).
        assert_eq!(f1("old red book", "red book"), 0.8);
        // A word counts as often as both have it.
        assert_eq!(f1("red red", "red"), 2.0 / 3.0);
    }
}
