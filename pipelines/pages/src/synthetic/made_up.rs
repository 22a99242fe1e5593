//! Words that nobody knows, in the likeness of known ones.
//!
//! The lists of words are short, and a model that has seen them all guesses a button's label from
//! its first letter. A made-up word can only be read.

use pipeline::Split;
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

/// Share of the phrases of training that are made up.
const SHARE: f64 = 0.65;
const BEGINNINGS: &[&str] = &[
    "b", "bl", "br", "c", "ch", "cl", "cr", "d", "dr", "f", "fl", "fr", "g", "gl", "gr", "h", "j",
    "k", "l", "m", "n", "p", "ph", "pl", "pr", "qu", "r", "s", "sc", "sh", "sk", "sl", "sm", "sn",
    "sp", "st", "str", "sw", "t", "th", "tr", "tw", "v", "w", "wh", "y", "z", "",
];
const VOWELS: &[&str] = &[
    "a", "e", "i", "o", "u", "ai", "ea", "ee", "ie", "oa", "oo", "ou", "y", "au",
];
const ENDINGS: &[&str] = &[
    "", "", "b", "ck", "d", "f", "ft", "g", "k", "l", "ld", "ll", "lt", "m", "mp", "n", "nd", "ng",
    "nk", "nt", "p", "r", "rd", "rk", "rm", "rn", "rt", "s", "sh", "sk", "ss", "st", "t", "th",
    "tt", "v", "w", "x", "z",
];

/// The phrase, or in training often one like it: words of about the same length, with the same
/// capitals, digits and signs.
pub(super) fn phrase(known: &str, split: Split, rng: &mut ChaCha8Rng) -> String {
    if split == Split::Test || !rng.random_bool(SHARE) {
        return known.to_owned();
    }
    let words: Vec<String> = known.split(' ').map(|word| like(word, rng)).collect();
    words.join(" ")
}

/// A word like `known`; one with anything but letters of ASCII stays, such as `{}` or `K420`.
fn like(known: &str, rng: &mut ChaCha8Rng) -> String {
    let letters = known.trim_end_matches([',', ':', '.', '?', '!']);
    let sign = &known[letters.len()..];
    if letters.len() < 2 || !letters.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return known.to_owned();
    }
    let length = (letters.len() as i64 + rng.random_range(-1..=2)).max(2) as usize;
    let mut word = String::new();
    let one_of = |list: &[&'static str], rng: &mut ChaCha8Rng| -> &'static str {
        list.choose(rng).copied().unwrap_or_default()
    };
    while word.len() < length {
        for list in [BEGINNINGS, VOWELS, ENDINGS] {
            word.push_str(one_of(list, rng));
        }
    }
    word.truncate(length);
    let capital = |text: &str| text.bytes().filter(u8::is_ascii_uppercase).count();
    if capital(letters) == letters.len() {
        word.make_ascii_uppercase();
    } else if capital(&letters[..1]) == 1 {
        word[..1].make_ascii_uppercase();
    }
    word + sign
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use std::collections::BTreeSet;

    #[test]
    fn made_up_phrases_look_like_what_they_stand_for() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let mut seen = BTreeSet::new();
        for _ in 0..200 {
            let made = phrase("Swimming in {}, CHF K420?", Split::Train, &mut rng);
            let words: Vec<&str> = made.split(' ').collect();
            assert_eq!(words.len(), 5, "{made}");
            assert!(words[0].starts_with(|c: char| c.is_ascii_uppercase()));
            assert_eq!(words[2], "{},");
            assert!(words[3].bytes().all(|byte| byte.is_ascii_uppercase()));
            assert_eq!(words[4], "K420?");
            seen.insert(made);
        }
        assert!(seen.len() > 100, "{} of 200", seen.len());
        let test = phrase("Sign up", Split::Test, &mut rng);
        assert_eq!(test, "Sign up");
    }
}
