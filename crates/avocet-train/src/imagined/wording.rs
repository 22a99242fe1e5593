//! How things on pictures are asked for, in many wordings, so that the thing asked for is learned
//! and not one sentence.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

/// Asks what is shown.
pub(super) const WHAT: [&str; 34] = [
    "What is this?",
    "What's this?",
    "What is it?",
    "What is that?",
    "What does the picture show?",
    "What does this picture show?",
    "What does the image show?",
    "What does the photo show?",
    "What does the photograph show?",
    "What is in the picture?",
    "What is in this picture?",
    "What is in the image?",
    "What is in the photo?",
    "What is in this photograph?",
    "What is on the picture?",
    "What do you see?",
    "What do you see in the picture?",
    "What can you see?",
    "What can you see here?",
    "What is shown here?",
    "What is shown?",
    "What is shown in the picture?",
    "What is pictured?",
    "What is pictured here?",
    "What is depicted?",
    "Name the thing in the picture.",
    "Name this.",
    "Name the object.",
    "Identify this.",
    "Identify the object in the picture.",
    "Tell me what this is.",
    "What object is this?",
    "What thing is this?",
    "What is the main thing in the picture?",
];

/// Asks what kind of thing is shown.
pub(super) const KIND: [&str; 14] = [
    "What kind of thing is it?",
    "What kind of thing is this?",
    "What sort of thing is this?",
    "What type of thing is shown?",
    "What kind of thing is in the picture?",
    "What sort of thing is in the picture?",
    "What kind of object is this?",
    "What is this a kind of?",
    "What category does it belong to?",
    "Which category is this?",
    "In general, what is this?",
    "What is it, roughly?",
    "To what class of things does this belong?",
    "What broad kind of thing does the picture show?",
];

/// Asks what is shown in full.
pub(super) const EXACT: [&str; 8] = [
    "What exactly is this?",
    "What is this exactly?",
    "What precisely is shown?",
    "What is its exact name?",
    "What is it called exactly?",
    "Which kind exactly?",
    "Be precise: what is this?",
    "Name it as precisely as you can.",
];

/// Asks which thing of the kind `{}` is shown.
pub(super) const WHICH: [&str; 8] = [
    "What {} is this?",
    "Which {} is this?",
    "Which {} is shown?",
    "Which {} do you see?",
    "What kind of {} is this?",
    "What {} does the picture show?",
    "Which {} is in the picture?",
    "Name the {}.",
];

/// Asks whether it is `{}`, which has its article.
pub(super) const IS: [&str; 22] = [
    "Is this {}?",
    "Is it {}?",
    "Is that {}?",
    "Is there {} in the picture?",
    "Is there {} in the image?",
    "Is there {} in the photo?",
    "Is there {} in this picture?",
    "Is there {} here?",
    "Is {} shown?",
    "Is {} in the picture?",
    "Does the picture show {}?",
    "Does this picture show {}?",
    "Does the image show {}?",
    "Does the photo show {}?",
    "Does it show {}?",
    "Do you see {}?",
    "Do you see {} in the picture?",
    "Can you see {}?",
    "Can you see {} here?",
    "Would you say this is {}?",
    "Is the thing in the picture {}?",
    "Is this a picture of {}?",
];

/// Asks which of two it is.
pub(super) const OR: [&str; 9] = [
    "Is this {} or {}?",
    "Is it {} or {}?",
    "Is there {} or {} in the picture?",
    "Does the picture show {} or {}?",
    "Which is it: {} or {}?",
    "Do you see {} or {}?",
    "Would you say this is {} or {}?",
    "Is the picture of {} or {}?",
    "What is this, {} or {}?",
];

/// What is not counted, and has no article.
const UNCOUNTED: [&str; 19] = [
    "food",
    "clothing",
    "furniture",
    "footwear",
    "headgear",
    "bread",
    "fabric",
    "sports equipment",
    "toiletries",
    "cosmetics",
    "dishes",
    "corn",
    "guacamole",
    "broccoli",
    "ice cream",
    "chocolate sauce",
    "hay",
    "toilet paper",
    "dough",
];

/// A name with its article.
pub(super) fn with_article(name: &str) -> String {
    let bare = UNCOUNTED.contains(&name) || name.ends_with('s') && !name.ends_with("ss");
    if bare {
        return name.to_owned();
    }
    let start = name.to_lowercase();
    let vowel = start.starts_with(['a', 'e', 'i', 'o', 'u'])
        && !["uni", "eu", "one"]
            .iter()
            .any(|sound| start.starts_with(sound));
    format!("{} {name}", if vowel { "an" } else { "a" })
}

/// One of `wordings` with `names` in the places of `{}`; sometimes without a capital letter or the
/// mark at its end, as people type.
pub(super) fn ask(wordings: &[&str], names: &[&str], rng: &mut ChaCha8Rng) -> String {
    let mut text = wordings.choose(rng).copied().unwrap_or_default().to_owned();
    for name in names {
        text = text.replacen("{}", name, 1);
    }
    if rng.random_bool(0.15) {
        let mut letters = text.chars();
        let first = letters.next().map(|c| c.to_lowercase().to_string());
        text = first.unwrap_or_default() + letters.as_str();
    }
    if rng.random_bool(0.1) {
        text.pop();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wordings_end_in_a_mark_and_have_places_for_names() {
        let lists: [(&[&str], usize); 6] = [
            (&WHAT, 0),
            (&KIND, 0),
            (&EXACT, 0),
            (&WHICH, 1),
            (&IS, 1),
            (&OR, 2),
        ];
        for (wordings, places) in lists {
            for wording in wordings {
                assert!(wording.ends_with(['?', '.']), "{wording}");
                assert_eq!(wording.matches("{}").count(), places, "{wording}");
            }
        }
    }

    #[test]
    fn names_have_the_article_that_people_say() {
        let said = ["owl", "unicycle", "dog", "food", "sunglasses", "compass"].map(with_article);
        assert_eq!(
            said,
            [
                "an owl",
                "a unicycle",
                "a dog",
                "food",
                "sunglasses",
                "a compass"
            ]
        );
    }
}
