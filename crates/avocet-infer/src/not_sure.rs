//! The words in which a model says that it does not know.

/// What is said where the model is not sure.
pub const NOT_SURE: &str = "not sure";

/// How else it is said.
const PHRASES: [&str; 11] = [
    NOT_SURE,
    "unsure",
    "not certain",
    "don't know",
    "do not know",
    "can't tell",
    "cannot tell",
    "can not tell",
    "no idea",
    // As is said of blanks.
    "nothing is to be seen",
    "nothing can be seen",
];
/// So many characters of an answer are looked at: in a long text the words may mean something else.
const LOOKED_AT: usize = 60;

/// Whether an answer says that whoever gives it does not know.
pub fn is_not_sure(answer: &str) -> bool {
    let start: String = answer.trim_start().chars().take(LOOKED_AT).collect();
    let start = start.to_lowercase().replace('’', "'");
    let start = start.split_whitespace().collect::<Vec<_>>().join(" ");
    PHRASES.iter().any(|phrase| start.contains(phrase))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubt_is_heard_in_any_words() {
        for doubt in [
            "not sure",
            "I don’t know.",
            "Not sure; perhaps an animal",
            "I  cannot tell",
            "Nothing is to be seen: all of it is noise.",
        ] {
            assert!(is_not_sure(doubt), "{doubt}");
        }
        let long = format!("{} I am not sure.", "A page of words. ".repeat(10));
        for knows in ["a knot", "nothing", "sure", long.as_str()] {
            assert!(!is_not_sure(knows), "{knows}");
        }
    }
}
