//! Who says what: turns made of text and pictures.
//!
//! A picture is a part of a turn, never a word in its text. Only files that people or older
//! programs wrote mark the place of a picture by a word, [`IMAGE_MARKER`]; it becomes a part
//! where such a file is read, and nowhere else.

use serde::{Deserialize, Serialize};

/// Marks the place of a picture in files of rows and in stored samples.
pub const IMAGE_MARKER: &str = "<image>";

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Instructions for the whole conversation.
    System,
    /// Who asks.
    User,
    /// The model.
    Assistant,
}

/// A piece of what is said or shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Text, which is nothing but text whatever it spells.
    Text(String),
    /// The place of the next picture.
    Image,
}

/// What one speaker says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Turn {
    /// Who speaks.
    pub role: Role,
    /// What is said, in order; pictures stand in a user's turn alone.
    pub parts: Vec<Part>,
    /// One token per character, as for a transcription.
    pub spelled: bool,
}

impl Turn {
    fn of(role: Role, parts: Vec<Part>) -> Self {
        Self {
            role,
            parts,
            spelled: false,
        }
    }

    /// Instructions for the whole conversation.
    pub fn system(text: impl Into<String>) -> Self {
        Self::of(Role::System, text_alone(text.into()))
    }

    /// What the user says without a picture.
    pub fn user(text: impl Into<String>) -> Self {
        Self::of(Role::User, text_alone(text.into()))
    }

    /// What the user says about `images` pictures, which come first.
    pub fn about(images: usize, text: impl Into<String>) -> Self {
        let mut parts = vec![Part::Image; images];
        parts.extend(text_alone(text.into()));
        Self::of(Role::User, parts)
    }

    /// What the user says in a file where each [`IMAGE_MARKER`] stands for a picture.
    pub fn marked(text: &str) -> Self {
        Self::of(Role::User, marked(text))
    }

    /// What the model says.
    pub fn assistant(text: impl Into<String>) -> Self {
        Self::of(Role::Assistant, text_alone(text.into()))
    }

    /// What the model reads off a picture, letter by letter.
    pub fn transcription(text: impl Into<String>) -> Self {
        Self {
            spelled: true,
            ..Self::assistant(text)
        }
    }

    /// The words, without the pictures.
    pub fn text(&self) -> String {
        stretches(&self.parts).concat()
    }

    /// The words with [`IMAGE_MARKER`] in the place of each picture, for people.
    pub fn shown(&self) -> String {
        shown(&self.parts)
    }

    /// How many pictures the turn has.
    pub fn num_images(&self) -> usize {
        num_images(&self.parts)
    }

    /// The same turn with other words in the same places.
    pub(crate) fn reworded(&self, words: impl Fn(&str) -> String) -> Self {
        let part = |part: &Part| match part {
            Part::Text(text) => Part::Text(words(text)),
            Part::Image => Part::Image,
        };
        Self {
            parts: self.parts.iter().map(part).collect(),
            ..*self
        }
    }
}

/// The parts of a text in which each [`IMAGE_MARKER`] stands for a picture.
pub fn marked(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    for (index, text) in text.split(IMAGE_MARKER).enumerate() {
        parts.extend((index > 0).then_some(Part::Image));
        parts.extend(text_alone(text.to_owned()));
    }
    parts
}

/// The words of `parts` with [`IMAGE_MARKER`] in the place of each picture, for people.
pub fn shown(parts: &[Part]) -> String {
    stretches(parts).join(IMAGE_MARKER)
}

/// Whether `text`, in which each [`IMAGE_MARKER`] stands for a picture, says just what `parts` say.
pub fn is_marked(text: &str, parts: &[Part]) -> bool {
    text.split(IMAGE_MARKER).eq(stretches(parts))
}

/// How many pictures there are.
pub fn num_images(parts: &[Part]) -> usize {
    parts.iter().filter(|part| **part == Part::Image).count()
}

/// The words before, between and behind the pictures: one stretch more than there are pictures.
pub fn stretches(parts: &[Part]) -> Vec<String> {
    let mut stretches = vec![String::new()];
    for part in parts {
        match (part, stretches.last_mut()) {
            (Part::Text(text), Some(last)) => last.push_str(text),
            _ => stretches.push(String::new()),
        }
    }
    stretches
}

fn text_alone(text: String) -> Vec<Part> {
    match text.is_empty() {
        true => Vec::new(),
        false => vec![Part::Text(text)],
    }
}

/// A turn as samples are stored: a text, in a user's turn with a marker for each picture, or the
/// parts themselves where the words hold what would be read as a marker.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    role: Role,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parts: Option<Vec<Part>>,
    #[serde(default)]
    spelled: bool,
}

impl From<Turn> for Stored {
    fn from(turn: Turn) -> Self {
        let text = turn.shown();
        let is_text = turn.role != Role::User || is_marked(&text, &turn.parts);
        Self {
            role: turn.role,
            text: is_text.then_some(text),
            parts: (!is_text).then_some(turn.parts),
            spelled: turn.spelled,
        }
    }
}

impl TryFrom<Stored> for Turn {
    type Error = &'static str;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        let parts = match (stored.text, stored.parts, stored.role) {
            (Some(text), None, Role::User) => marked(&text),
            (Some(text), None, _) => text_alone(text),
            (None, Some(parts), _) => parts,
            _ => return Err("a turn has either `text` or `parts`"),
        };
        if stored.role != Role::User && num_images(&parts) > 0 {
            return Err("a picture stands in a turn that is not the user's");
        }
        Ok(Self {
            role: stored.role,
            parts,
            spelled: stored.spelled,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(turn: &Turn) -> String {
        let json = serde_json::to_string(turn).unwrap();
        assert_eq!(
            &serde_json::from_str::<Turn>(&json).unwrap(),
            turn,
            "{json}"
        );
        json
    }

    #[test]
    fn a_turn_without_a_spelled_marker_is_stored_as_ever() {
        assert_eq!(
            stored(&Turn::about(1, "What?")),
            r#"{"role":"user","text":"<image>What?","spelled":false}"#
        );
        assert_eq!(
            stored(&Turn::transcription("an <image> tag")),
            r#"{"role":"assistant","text":"an <image> tag","spelled":true}"#
        );
        assert_eq!(
            stored(&Turn::marked("is <image> like <image>?")),
            r#"{"role":"user","text":"is <image> like <image>?","spelled":false}"#
        );
        let old = r#"{"role":"user","text":"<image><image>"}"#;
        let turn: Turn = serde_json::from_str(old).unwrap();
        assert_eq!(turn, Turn::about(2, ""));
    }

    #[test]
    fn a_marker_that_is_text_is_stored_as_a_part() {
        let turn = Turn::about(1, "What does <image> do?");
        assert_eq!(
            stored(&turn),
            r#"{"role":"user","parts":["image",{"text":"What does <image> do?"}],"spelled":false}"#
        );
        assert_eq!(
            (turn.num_images(), turn.text().as_str()),
            (1, "What does <image> do?")
        );
        assert_eq!(Turn::user("<image>").num_images(), 0);
        stored(&Turn::user("<image>"));
        // Two texts that would be a marker once they are joined.
        let halves = ["<im", "age>"].map(|half| Part::Text(half.into()));
        stored(&Turn::of(Role::User, halves.to_vec()));
    }

    #[test]
    fn broken_turns_are_refused() {
        for json in [
            r#"{"role":"user"}"#,
            r#"{"role":"user","text":"a","parts":[]}"#,
            r#"{"role":"assistant","parts":["image"]}"#,
            r#"{"role":"user","text":"a","more":1}"#,
        ] {
            assert!(serde_json::from_str::<Turn>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn only_a_users_marker_stands_for_a_picture() {
        for turn in [Turn::assistant("<image>"), Turn::system("<image>")] {
            assert_eq!(turn.num_images(), 0);
            stored(&turn);
        }
        assert_eq!(stretches(&marked("a<image><image>b")), ["a", "", "b"]);
        assert_eq!(stretches(&[]), [""]);
    }
}
