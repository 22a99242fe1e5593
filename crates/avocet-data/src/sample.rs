//! One training sample: pictures, what is said about them, and where it all comes from.

use avocet_text::turn::shown;
use avocet_text::{Part, Role, Turn};
use serde::{Deserialize, Serialize};

use crate::content::{Content, StoredContent};
use crate::digest::{hex, sha256, unhex};
use crate::{SampleError, ustar};

/// What a picture shows, for the vision encoder's own lessons.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Truth {
    /// The text that can be read on it.
    Text(String),
    /// The name of the thing shown.
    Name(String),
}

/// A piece of a document with pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// An image file as it is, and what it shows where that is known.
    Image(Vec<u8>, Option<Truth>),
    /// Text, learned as it is written.
    Text(String),
}

/// One training sample, named by its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// 32 hexadecimal digits computed from everything below.
    pub id: String,
    /// Task it belongs to, such as `vqa` or `line`.
    pub kind: String,
    /// Where it comes from.
    pub source: String,
    /// Under which licence.
    pub licence: String,
    /// Image files as they are, one for each picture in the content.
    pub images: Vec<Vec<u8>>,
    /// For each image what it shows, where that is known.
    pub truths: Vec<Option<Truth>>,
    /// What is said.
    pub content: Content,
    /// Other answers that are as right as the last one: synonyms, for tests.
    pub also_right: Vec<String>,
}

/// The stored description: everything but the bytes of the images.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    kind: String,
    source: String,
    licence: String,
    content: StoredContent,
    truths: Vec<Option<Truth>>,
    image_sha256: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    also_right: Vec<String>,
}

impl Sample {
    /// Makes a sample and names it.
    ///
    /// Errors if places of pictures, images and truths do not agree in number, if nothing is to be learned,
    /// or if `kind`, `source` or `licence` is empty.
    pub fn new(
        kind: &str,
        source: &str,
        licence: &str,
        images: Vec<(Vec<u8>, Option<Truth>)>,
        content: Content,
    ) -> Result<Self, SampleError> {
        let (images, truths) = images.into_iter().unzip();
        let mut sample = Self {
            id: String::new(),
            kind: kind.to_string(),
            source: source.to_string(),
            licence: licence.to_string(),
            images,
            truths,
            content,
            also_right: Vec::new(),
        };
        sample.check()?;
        sample.id = id_of(&sample.description());
        Ok(sample)
    }

    /// The same sample, with other answers that are as right as the last one.
    pub fn accepting(mut self, also_right: Vec<String>) -> Self {
        self.also_right = also_right;
        self.id = id_of(&self.description());
        self
    }

    /// One picture, one question about it, one answer.
    pub fn question(
        (kind, source, licence): (&str, &str, &str),
        image: Vec<u8>,
        truth: Option<Truth>,
        question: &str,
        answer: Turn,
    ) -> Result<Self, SampleError> {
        let asked = Turn::about(1, question);
        let content = Content::Turns(vec![asked, answer]);
        Self::new(kind, source, licence, vec![(image, truth)], content)
    }

    /// A plain text.
    pub fn document(
        (kind, source, licence): (&str, &str, &str),
        text: &str,
    ) -> Result<Self, SampleError> {
        Self::new(kind, source, licence, Vec::new(), Content::text(text))
    }

    /// Pictures and text in the order in which they are seen and said, as of a video.
    ///
    /// Errors if there is no text.
    pub fn interleaved(
        (kind, source, licence): (&str, &str, &str),
        pieces: Vec<Piece>,
    ) -> Result<Self, SampleError> {
        let (mut images, mut parts) = (Vec::new(), Vec::new());
        for piece in pieces {
            parts.push(match piece {
                Piece::Image(image, truth) => {
                    images.push((image, truth));
                    Part::Image
                }
                Piece::Text(said) => Part::Text(said),
            });
        }
        Self::new(kind, source, licence, images, Content::Document(parts))
    }

    /// All that is said, a line per turn, with `<image>` in the place of each picture, for indexes
    /// and people.
    pub fn text(&self) -> String {
        match &self.content {
            Content::Document(parts) => shown(parts),
            Content::Turns(turns) => {
                let line = |turn: &Turn| match turn.role {
                    Role::System => format!("system: {}", turn.shown()),
                    Role::User => format!("user: {}", turn.shown()),
                    Role::Assistant => format!("assistant: {}", turn.shown()),
                };
                turns.iter().map(line).collect::<Vec<_>>().join("\n")
            }
        }
    }

    fn check(&self) -> Result<(), SampleError> {
        for (name, value) in [
            ("kind", &self.kind),
            ("source", &self.source),
            ("licence", &self.licence),
        ] {
            if value.is_empty() {
                return Err(SampleError::EmptyField(name));
            }
        }
        let images = self.images.len();
        let markers = self.content.num_images();
        if markers != images {
            return Err(SampleError::MarkerCount { markers, images });
        }
        if self.truths.len() != images {
            return Err(SampleError::TruthCount {
                truths: self.truths.len(),
                images,
            });
        }
        if !self.content.learns() {
            return Err(SampleError::NothingToLearn);
        }
        Ok(())
    }

    fn description(&self) -> Vec<u8> {
        serde_json::to_vec(&Description {
            kind: self.kind.clone(),
            source: self.source.clone(),
            licence: self.licence.clone(),
            content: (&self.content).into(),
            truths: self.truths.clone(),
            image_sha256: self
                .images
                .iter()
                .map(|image| hex(&sha256(image)))
                .collect(),
            also_right: self.also_right.clone(),
        })
        .expect("strings and lists always serialise")
    }

    /// Writes the sample as contiguous tar members: `ID.json`, then `ID.0.png` and so on.
    ///
    /// Errors if the fields do not agree, or were changed after the sample was named.
    pub(crate) fn to_members(&self, out: &mut Vec<u8>) -> Result<(), SampleError> {
        self.check()?;
        let description = self.description();
        let expected = id_of(&description);
        if expected != self.id {
            return Err(SampleError::Id {
                expected,
                found: self.id.clone(),
            });
        }
        ustar::append(out, &format!("{}.json", self.id), &description);
        for (index, image) in self.images.iter().enumerate() {
            ustar::append(
                out,
                &format!("{}.{index}.{}", self.id, extension(image)),
                image,
            );
        }
        Ok(())
    }

    /// SHA-256 of each image, as the description of the sample named `id` says.
    pub(crate) fn image_hashes(json: &[u8], id: &str) -> Result<Vec<[u8; 32]>, SampleError> {
        let found = id_of(json);
        if found != id {
            let (expected, found) = (found, id.to_string());
            return Err(SampleError::Id { expected, found });
        }
        let description: Description =
            serde_json::from_slice(json).map_err(|e| SampleError::Description(e.to_string()))?;
        let hash = |text: &String| {
            let wrong = || SampleError::Members(format!("{text:?} is no hash of an image"));
            unhex(text).ok_or_else(wrong)
        };
        description.image_sha256.iter().map(hash).collect()
    }

    /// Reads a sample from its tar members, as they lie in a shard, and checks every hash in it.
    ///
    /// Errors if they are not such members, or a hash differs.
    pub fn from_members(bytes: &[u8]) -> Result<Self, SampleError> {
        let members = ustar::members(bytes).map_err(SampleError::Members)?;
        let mut members = members.into_iter();
        let (name, json) = members
            .next()
            .ok_or_else(|| SampleError::Members("there are none".into()))?;
        let id = name
            .strip_suffix(".json")
            .ok_or_else(|| SampleError::Members(format!("{name} comes first, not ID.json")))?;
        let expected = id_of(json);
        if expected != id {
            return Err(SampleError::Id {
                expected,
                found: id.to_string(),
            });
        }
        let description: Description =
            serde_json::from_slice(json).map_err(|e| SampleError::Description(e.to_string()))?;
        let mut images = Vec::with_capacity(description.image_sha256.len());
        for (index, (name, image)) in members.enumerate() {
            let prefix = format!("{id}.{index}.");
            if !name.starts_with(&prefix) {
                return Err(SampleError::Members(format!(
                    "{name} stands where {prefix}* should"
                )));
            }
            let expected = description
                .image_sha256
                .get(index)
                .map_or("", String::as_str);
            let found = hex(&sha256(image));
            if expected != found {
                let reason = format!("{name} hashes to {found}, not {expected:?}");
                return Err(SampleError::Members(reason));
            }
            images.push(image.to_vec());
        }
        if images.len() != description.image_sha256.len() {
            let (found, expected) = (images.len(), description.image_sha256.len());
            return Err(SampleError::Members(format!(
                "{found} images, {expected} described"
            )));
        }
        let Description {
            kind,
            source,
            licence,
            content,
            truths,
            also_right,
            ..
        } = description;
        let content = content.read(images.len());
        let sample = Self {
            id: expected,
            kind,
            source,
            licence,
            images,
            truths,
            content,
            also_right,
        };
        sample.check()?;
        Ok(sample)
    }
}

fn id_of(description: &[u8]) -> String {
    hex(&sha256(description)[..16])
}

/// File ending of an image, told by its first bytes.
fn extension(image: &[u8]) -> &'static str {
    match image {
        [0x89, b'P', b'N', b'G', ..] => "png",
        [0xff, 0xd8, ..] => "jpg",
        [b'R', b'I', b'F', b'F', ..] => "webp",
        [b'G', b'I', b'F', ..] => "gif",
        [b'B', b'M', ..] => "bmp",
        [b'I', b'I', ..] | [b'M', b'M', ..] => "tif",
        _ => "bin",
    }
}

#[cfg(test)]
mod tests;
