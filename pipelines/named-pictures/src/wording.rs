//! How flags, emoji and lines of text are asked for. Tests ask with the same wordings.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wording_ends_in_a_mark_that_may_be_left_out() {
        let lists: [&[&str]; 6] = [&FLAG, &IS_FLAG, &CONTINENT, &EMOJI, &IS_EMOJI, &TEXT];
        for wording in lists.concat() {
            assert!(wording.ends_with(['?', '.']), "{wording}");
        }
    }

    #[test]
    fn only_questions_about_a_name_have_a_place_for_it() {
        for wording in IS_FLAG.iter().chain(&IS_EMOJI) {
            assert_eq!(wording.matches("{}").count(), 1, "{wording}");
        }
        for wording in FLAG.iter().chain(&CONTINENT).chain(&EMOJI).chain(&TEXT) {
            assert!(!wording.contains('{'), "{wording}");
        }
    }
}
