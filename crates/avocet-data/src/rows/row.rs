//! A row, its pictures, and what is wrong with one.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use avocet_text::Turn;

use crate::{Content, Sample};

/// Longest picture.
pub(super) const MAX_PICTURE_BYTES: u64 = 48 << 20;
/// Longest line, or record of a table: a picture as a data URI, with some room.
pub(super) const MAX_ROW_BYTES: u64 = 72 << 20;
/// What samples of a row say of where they are from.
const LICENCE: &str = "as given";

/// One row: pictures and what is said about them.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its line in the file, the first being 1.
    pub line: usize,
    /// Names it, if it has a name.
    pub id: Option<String>,
    /// The row of a table that it counts in.
    pub kind: Option<String>,
    /// Its pictures, one for each marker.
    pub images: Vec<RowPicture>,
    /// Questions and answers.
    pub turns: Vec<Turn>,
    /// Answers that are right to the last question, one at least.
    pub answers: Vec<String>,
    /// Fields that it has beside those that are read.
    pub passed_over: Vec<String>,
}

/// A picture of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum RowPicture {
    /// A file.
    File(PathBuf),
    /// The bytes of a file, which the row holds itself.
    Held(Vec<u8>),
}

/// Why a row is not one; the line is named.
#[derive(Debug, thiserror::Error)]
#[error("{path}, line {line}: {reason}")]
pub struct RowError {
    /// The file.
    pub path: String,
    /// The line, the first being 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
    /// Nothing stands in it, as below the last row of a spreadsheet: it is no row, and no mistake.
    pub empty: bool,
}

impl RowPicture {
    /// What a message calls it.
    fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Held(_) => "the picture in the row".to_owned(),
        }
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        let path = match self {
            Self::File(path) => path,
            Self::Held(bytes) => return Ok(bytes.clone()),
        };
        let wrong = |error: std::io::Error| format!("{}: {error}", self.name());
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(wrong)?;
        file.take(MAX_PICTURE_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(wrong)?;
        match bytes.len() as u64 > MAX_PICTURE_BYTES {
            true => Err(format!(
                "{}: is longer than {MAX_PICTURE_BYTES} bytes",
                self.name()
            )),
            false => Ok(bytes),
        }
    }
}

impl Row {
    /// Reads its pictures, as files.
    ///
    /// Errors if one cannot be read or is too long.
    pub fn read_images(&self) -> Result<Vec<Vec<u8>>, String> {
        self.images.iter().map(RowPicture::bytes).collect()
    }

    /// The sample that it is, to be learned from; its pictures are read and decoded once.
    ///
    /// Errors if a picture cannot be read or decoded, or nothing is to be learned.
    pub fn sample(&self, source: &str) -> Result<Sample, String> {
        let mut images = self.read_images()?;
        for (bytes, picture) in images.iter_mut().zip(&self.images) {
            let kept = avocet_media::kept(bytes, &avocet_media::Limits::default())
                .map_err(|error| format!("{}: {error}", picture.name()))?;
            *bytes = kept.unwrap_or_else(|| std::mem::take(bytes));
        }
        let images = images.into_iter().map(|bytes| (bytes, None)).collect();
        let kind = self.kind.as_deref().unwrap_or("questions");
        let content = Content::Turns(self.turns.clone());
        Sample::new(kind, source, LICENCE, images, content).map_err(|error| error.to_string())
    }
}
