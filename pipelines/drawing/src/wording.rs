//! How questions are put: several wordings of each, so that the model learns the
//! thing asked for and not one sentence. Tests ask with the same wordings.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

/// Asks for the title that can be read.
pub const TITLE: [&str; 6] = [
    "What is the title?",
    "What is the title of the page?",
    "What does the main heading say?",
    "What is the page called?",
    "Read the title.",
    "What is the heading at the top?",
];

/// Asks what the only button says.
pub const BUTTON: [&str; 5] = [
    "What does the button say?",
    "Read the button.",
    "What is written on the button?",
    "What is the label of the button?",
    "Which button is there?",
];

/// Asks for the only price.
pub const PRICE: [&str; 5] = [
    "What is the price?",
    "How much does it cost?",
    "What does it cost?",
    "How much is it?",
    "Read the price.",
];

/// Asks for the price of `{}`.
pub const PRICE_OF: [&str; 4] = [
    "How much is the {}?",
    "What does the {} cost?",
    "What is the price of {}?",
    "How much for the {}?",
];

/// Asks for the thing whose price is `{}`.
pub const PRICED: [&str; 3] = [
    "What costs {}?",
    "Which product costs {}?",
    "What is sold for {}?",
];

/// Asks for the sum of a bill.
pub const TOTAL: [&str; 3] = [
    "What is the total?",
    "How much is to be paid?",
    "What does it cost altogether?",
];

/// One of `wordings`; sometimes without a capital letter or the mark at its end, as
/// people type.
pub fn ask(wordings: &[&str], rng: &mut ChaCha8Rng) -> String {
    let wording = *wordings
        .choose(rng)
        .expect("every list of wordings has entries");
    casual(wording, rng)
}

/// As [`ask`], with `name` in the place of `{}`.
pub fn ask_about(wordings: &[&str], name: &str, rng: &mut ChaCha8Rng) -> String {
    ask(wordings, rng).replace("{}", name)
}

fn casual(wording: &str, rng: &mut ChaCha8Rng) -> String {
    let mut text = wording.to_owned();
    if rng.random_bool(0.2) {
        text = lower_first(&text);
    }
    if rng.random_bool(0.1) {
        text.pop();
    }
    text
}

/// The sentence with a small first letter.
fn lower_first(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters
        .next()
        .map_or_else(String::new, |c| c.to_lowercase().chain(letters).collect())
}

/// The sentence with a capital first letter.
pub fn upper_first(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters
        .next()
        .map_or_else(String::new, |c| c.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wording_ends_in_a_mark_that_may_be_left_out() {
        let lists: [&[&str]; 6] = [&TITLE, &BUTTON, &PRICE, &PRICE_OF, &PRICED, &TOTAL];
        for wording in lists.concat() {
            assert!(wording.ends_with(['?', '.']), "{wording}");
        }
    }

    #[test]
    fn only_questions_about_a_name_have_a_place_for_it() {
        for wording in PRICE_OF.iter().chain(&PRICED) {
            assert_eq!(wording.matches("{}").count(), 1, "{wording}");
        }
    }
}
