//! What is said in a sample, and how it is stored.
//!
//! In memory pictures are parts between texts. A stored text has the marker `<image>` in the place
//! of each picture, as it always had; where the words themselves hold the marker, the parts are
//! stored instead.

use avocet_text::turn::{is_marked, marked, num_images, shown};
use avocet_text::{Part, Role, Turn};
use serde::{Deserialize, Serialize};

/// What is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A conversation; only the assistant's turns are learned.
    Turns(Vec<Turn>),
    /// A text, all of it learned, with pictures in their places.
    Document(Vec<Part>),
}

impl Content {
    /// A text without pictures.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Document(vec![Part::Text(text.into())])
    }

    /// How many pictures it has a place for.
    pub(crate) fn num_images(&self) -> usize {
        match self {
            Self::Turns(turns) => turns.iter().map(Turn::num_images).sum(),
            Self::Document(parts) => num_images(parts),
        }
    }

    /// Whether anything in it is learned.
    pub(crate) fn learns(&self) -> bool {
        match self {
            Self::Turns(turns) => {
                let answers = turns.iter().filter(|turn| turn.role == Role::Assistant);
                answers.into_iter().any(|turn| !turn.text().is_empty())
            }
            Self::Document(parts) => parts
                .iter()
                .any(|part| matches!(part, Part::Text(text) if !text.is_empty())),
        }
    }
}

/// [`Content`] in a sample's description.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StoredContent {
    Turns(Vec<Turn>),
    Document(StoredDocument),
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum StoredDocument {
    /// In a sample with pictures each marker is the place of one; in a sample without, it is text
    /// like any other.
    Text(String),
    Parts(Vec<Part>),
}

impl From<&Content> for StoredContent {
    fn from(content: &Content) -> Self {
        let parts = match content {
            Content::Turns(turns) => return Self::Turns(turns.clone()),
            Content::Document(parts) => parts,
        };
        let text = shown(parts);
        let is_text = num_images(parts) == 0 || is_marked(&text, parts);
        Self::Document(match is_text {
            true => StoredDocument::Text(text),
            false => StoredDocument::Parts(parts.clone()),
        })
    }
}

impl StoredContent {
    /// What it says in a sample of so many pictures.
    pub fn read(self, images: usize) -> Content {
        match self {
            Self::Turns(turns) => Content::Turns(turns),
            Self::Document(StoredDocument::Parts(parts)) => Content::Document(parts),
            Self::Document(StoredDocument::Text(text)) if images == 0 => Content::text(text),
            Self::Document(StoredDocument::Text(text)) => Content::Document(marked(&text)),
        }
    }
}
