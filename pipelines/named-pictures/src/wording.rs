//! How flags, emoji and lines of text are asked for. Tests ask with the same wordings.

/// The questions whether something of a kind is to be seen.
macro_rules! of_kind {
    ($kind:literal) => {
        of_kind!($kind, $kind)
    };
    ($kind:literal, $other:literal) => {
        [
            concat!("Is there ", $kind, " in the picture?"),
            concat!("Does the picture show ", $kind, "?"),
            concat!("Is this ", $kind, "?"),
            concat!("Is there ", $other, "?"),
            concat!("Do you see ", $other, "?"),
        ]
    };
}

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

/// Asks what a drawing shows.
pub const THING: [&str; 12] = [
    "What is this?",
    "What does the picture show?",
    "What do you see?",
    "What is in the picture?",
    "What is shown here?",
    "Name this.",
    "What is the thing in the picture?",
    "Which thing is shown?",
    "Tell me what this is.",
    "What can be seen here?",
    "What is drawn here?",
    "Identify this.",
];

/// Asks whether a drawing shows `{}`, with an article.
pub const IS_THING: [&str; 6] = [
    "Is this {}?",
    "Is there {} in the picture?",
    "Does the picture show {}?",
    "Do you see {}?",
    "Is it {}?",
    "Can you see {} here?",
];

/// Asks what kind of thing it is.
pub const WHICH_KIND: [&str; 4] = [
    "What kind of thing is this?",
    "What sort of thing does the picture show?",
    "Which kind of thing is in the picture?",
    "What type of thing is it?",
];

/// Asks whether a drawing shows something of a kind, by the kind.
pub const KINDS: [(&str, [&str; 5]); 15] = [
    ("animal", of_kind!("an animal")),
    ("bird", of_kind!("a bird")),
    ("building", of_kind!("a building")),
    ("clothing", of_kind!("a piece of clothing")),
    ("fish", of_kind!("a fish")),
    ("flower", of_kind!("a flower")),
    ("food", of_kind!("food", "something to eat")),
    ("furniture", of_kind!("a piece of furniture")),
    ("insect", of_kind!("an insect")),
    ("musical instrument", of_kind!("a musical instrument")),
    ("person", of_kind!("a person", "somebody")),
    ("plant", of_kind!("a plant")),
    ("tool", of_kind!("a tool")),
    ("tree", of_kind!("a tree")),
    ("vehicle", of_kind!("a vehicle")),
];

/// Asks what no picture tells.
pub const UNTOLD: [&str; 18] = [
    "Where was this taken?",
    "When was this made?",
    "Who made this?",
    "Who is this?",
    "Which city is this?",
    "Which country was this taken in?",
    "What is the name of this place?",
    "Whose is this?",
    "How much does it cost?",
    "How much did this cost?",
    "What time is it?",
    "What day is it?",
    "In which year was this?",
    "How old is it?",
    "Which street is this?",
    "What is the weather like tomorrow?",
    "Who owns this?",
    "What happened before this?",
];

/// Asks what a plot without words does not tell.
pub const OF_PLOTS: [&str; 12] = [
    "Which company is this about?",
    "What is measured here?",
    "Which year does it begin in?",
    "In which country was this measured?",
    "What is the highest value?",
    "How many people were asked?",
    "What does the blue part stand for?",
    "Which unit is on the axis?",
    "What is the title of this chart?",
    "How much was sold?",
    "Whose figures are these?",
    "What does the first box say?",
];

/// Asks who somebody is.
pub const OF_PERSONS: [&str; 10] = [
    "Who is this?",
    "Who is this person?",
    "What is the name of this person?",
    "What is her name?",
    "What is his name?",
    "How old is this person?",
    "Where is this person from?",
    "What does this person do for a living?",
    "When was this person born?",
    "Is this somebody famous, and who?",
];

/// Asks for the time.
pub const OF_CLOCKS: [&str; 6] = [
    "What time is it?",
    "Which time does the clock show?",
    "What does the clock say?",
    "How late is it?",
    "What is the time?",
    "Read the clock.",
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
        let kinds = KINDS.iter().map(|(_, wordings)| &wordings[..]);
        let lists: [&[&str]; 13] = [
            &FLAG,
            &IS_FLAG,
            &CONTINENT,
            &EMOJI,
            &IS_EMOJI,
            &TEXT,
            &THING,
            &IS_THING,
            &WHICH_KIND,
            &UNTOLD,
            &OF_PLOTS,
            &OF_PERSONS,
            &OF_CLOCKS,
        ];
        for wording in lists.into_iter().chain(kinds).flatten() {
            assert!(wording.ends_with(['?', '.']), "{wording}");
        }
    }

    #[test]
    fn only_questions_about_a_name_have_a_place_for_it() {
        for wording in IS_FLAG.iter().chain(&IS_EMOJI).chain(&IS_THING) {
            assert_eq!(wording.matches("{}").count(), 1, "{wording}");
        }
        for wording in FLAG.iter().chain(&CONTINENT).chain(&EMOJI).chain(&TEXT) {
            assert!(!wording.contains('{'), "{wording}");
        }
    }
}
