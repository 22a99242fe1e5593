//! How questions are put: several wordings of each, so that the model learns the
//! thing asked for and not one sentence. Tests ask with the same wordings.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

/// Asks for the country of a flag.
pub const FLAG: [&str; 12] = [
    "Which country's flag is this?",
    "What country does this flag belong to?",
    "Whose flag is this?",
    "Name the country of this flag.",
    "Which country is this flag from?",
    "This is the flag of which country?",
    "What flag is shown?",
    "Which flag do you see?",
    "Identify this flag.",
    "What country is this?",
    "Which nation flies this flag?",
    "Tell me the country of the flag in the picture.",
];

/// Asks whether a flag is that of `{}`.
pub const IS_FLAG: [&str; 6] = [
    "Is this the flag of {}?",
    "Is this {}'s flag?",
    "Does this flag belong to {}?",
    "Is the flag of {} shown here?",
    "Do you see the flag of {}?",
    "Is {} the country of this flag?",
];

/// Asks for the continent of a flag's country.
pub const CONTINENT: [&str; 8] = [
    "Which continent is the country of this flag in?",
    "On which continent is this country?",
    "What continent does this flag's country belong to?",
    "Which continent is this flag from?",
    "The country of this flag lies on which continent?",
    "Name the continent of this country.",
    "In what continent is the country with this flag?",
    "Tell me the continent of the flag in the picture.",
];

/// Asks for the name of an emoji.
pub const EMOJI: [&str; 12] = [
    "Which emoji is this?",
    "What emoji is this?",
    "Name this emoji.",
    "What is the name of this emoji?",
    "What does the picture show?",
    "What is this?",
    "What do you see?",
    "Identify the emoji.",
    "Which emoji do you see?",
    "What is in the picture?",
    "What is this emoji called?",
    "Tell me what this is.",
];

/// Asks whether an emoji is `{}`.
pub const IS_EMOJI: [&str; 4] = [
    "Is this emoji called {}?",
    "Is this the {} emoji?",
    "Does the picture show the emoji {}?",
    "Is the name of this emoji {}?",
];

/// Asks for the text in a picture.
pub const TEXT: [&str; 14] = [
    "What does it say?",
    "What does the text say?",
    "Read the text.",
    "What is written here?",
    "Transcribe the text.",
    "Read this.",
    "What text is in the picture?",
    "What does this say?",
    "Please read the line.",
    "Which words are written here?",
    "Write down the text.",
    "What is the text in the image?",
    "Read what is written.",
    "What can you read here?",
];

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
pub fn lower_first(sentence: &str) -> String {
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
        let pictures: [&[&str]; 6] = [&FLAG, &IS_FLAG, &CONTINENT, &EMOJI, &IS_EMOJI, &TEXT];
        let lists: [&[&str]; 6] = [&TITLE, &BUTTON, &PRICE, &PRICE_OF, &PRICED, &TOTAL];
        for wording in [pictures, lists].concat().concat() {
            assert!(wording.ends_with(['?', '.']), "{wording}");
        }
    }

    #[test]
    fn only_questions_about_a_name_have_a_place_for_it() {
        for wording in [&IS_FLAG[..], &IS_EMOJI, &PRICE_OF, &PRICED].concat() {
            assert_eq!(wording.matches("{}").count(), 1, "{wording}");
        }
        for wording in FLAG.iter().chain(&CONTINENT).chain(&EMOJI).chain(&TEXT) {
            assert!(!wording.contains('{'), "{wording}");
        }
    }
}
