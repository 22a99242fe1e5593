//! Typed text stays text: a mark that breaks every name of a special token in it.
//!
//! Public models' forms are texts, in which names of special tokens are those tokens. What people
//! type reaches the form with a character between its letters that nobody typed; a name that is
//! whole in the outcome was written by the form. The mark is gone before words are cut.

use std::collections::BTreeSet;

use crate::error::TokenizerError;

/// A character that stands nowhere in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Guard(pub char);

impl Guard {
    /// A noncharacter, or else one for private use, that `text` does not hold.
    ///
    /// Errors if it holds all of them.
    pub fn unused_in(text: &str) -> Result<Self, TokenizerError> {
        let mut unused = ('\u{FDD0}'..='\u{FDEF}').chain('\u{E000}'..='\u{F8FF}');
        unused
            .find(|&letter| !text.contains(letter))
            .map(Self)
            .ok_or_else(|| TokenizerError::Prompt("holds every character for private use".into()))
    }

    /// `text` with a mark before each ASCII letter or sign and at both ends of each word: no name
    /// can reach into it, and white space is where it was.
    pub fn between(self, text: &str) -> String {
        let mut marked = String::with_capacity(4 * text.len() + 3);
        let mut after_space = true;
        for letter in text.chars() {
            let is_space = letter.is_whitespace();
            // A mark before a letter beyond ASCII could part it from one that it composes with.
            if is_space != after_space || (letter.is_ascii() && !is_space) {
                marked.push(self.0);
            }
            marked.push(letter);
            after_space = is_space;
        }
        if !after_space {
            marked.push(self.0);
        }
        marked
    }

    /// `text` with a mark behind the first letter of each of `names` in it.
    pub fn within(self, text: &str, names: &[String]) -> String {
        let firsts: BTreeSet<char> = names
            .iter()
            .filter_map(|name| name.chars().next())
            .collect();
        let is_name = |text: &str| names.iter().any(|name| text.starts_with(name.as_str()));
        let mut marked = String::with_capacity(text.len());
        for (at, letter) in text.char_indices() {
            marked.push(letter);
            if firsts.contains(&letter) && is_name(&text[at..]) {
                marked.push(self.0);
            }
        }
        marked
    }

    /// `text` without marks.
    pub fn removed(self, text: &str) -> String {
        text.replace(self.0, "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::any_text;

    #[test]
    fn marks_come_off_again_and_leave_white_space_at_the_ends() {
        let mut state = 3;
        for _ in 0..500 {
            let text = any_text(&mut state);
            let guard = Guard::unused_in(&text).unwrap();
            let between = guard.between(&text);
            assert_eq!(guard.removed(&between), text);
            assert_eq!(guard.removed(between.trim()), text.trim());
            let names = ["<|end|>".to_owned(), "<image>".to_owned()];
            let within = guard.within(&text, &names);
            assert_eq!(guard.removed(&within), text);
            for name in names {
                assert!(!between.contains(&name) && !within.contains(&name));
            }
        }
        assert_eq!(
            Guard('|').between(" a<b é\u{301}x "),
            " |a|<|b| |é\u{301}|x| "
        );
        assert_eq!(Guard('|').within("a<s>s>", &["<s>".into()]), "a<|s>s>");
    }

    #[test]
    fn what_is_typed_is_never_taken_for_a_mark() {
        let typed: String = ('\u{FDD0}'..='\u{FDEF}').collect();
        assert_eq!(Guard::unused_in(&typed).unwrap(), Guard('\u{E000}'));
        assert_eq!(Guard::unused_in("a").unwrap(), Guard('\u{FDD0}'));
    }
}
