//! Questions that people write themselves: a folder of pictures with a table of questions and
//! answers, or a file of conversations.
//!
//! - A folder with `metadata.jsonl` or `metadata.csv`, whose columns are `file_name`, `question`
//!   and `answer`: the convention of Hugging Face's ImageFolder. Other columns are passed over.
//! - A file of such rows, or of `{"images", "question", "answer" or "answers"}`, or of
//!   conversations `{"images", "messages": [{"role", "content"}]}` or
//!   `{"image", "conversations": [{"from", "value"}]}`, in which each `<image>` stands for a
//!   picture; pictures without one come before the first question. One a line, or in one list.
//!
//! Columns and fields go by their usual names (`fields`). `kind` names the row of a table that a
//! question counts in, `id` the question.

mod fields;
mod lines;
mod place;
mod records;
mod table;
mod talk;

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use avocet_text::Turn;
use serde_json::Value;

use crate::rows::fields::Fields;
use crate::rows::place::Place;
use crate::rows::records::Records;
use crate::{Content, DataError, Sample};

pub use crate::rows::table::{dataset, table};

/// Longest picture.
const MAX_PICTURE_BYTES: u64 = 48 << 20;
/// Longest line, or record of a table: a picture as a data URI, with some room.
const MAX_ROW_BYTES: u64 = 72 << 20;
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

/// The rows of one file.
pub type Rows = Box<dyn Iterator<Item = Result<Row, RowError>> + Send>;

/// Reads the rows of `path`: a folder of pictures, or a file of JSON or a table.
///
/// Errors if there is no such file, it is of another kind, or its head lacks a column; each row
/// may be wrong by itself.
pub fn read(path: &Path) -> Result<Rows, DataError> {
    let Some(table) = table(path) else {
        return Err(DataError::broken(path, table::without_table(path)));
    };
    if path.is_dir() {
        table::check_alone(path)?;
    }
    let (input, is_table) = table::open(&table)?;
    let mut place = Place {
        folder: table.parent().unwrap_or(Path::new("")).to_owned(),
        within: path.is_dir(),
        of_pictures: table::is_of_pictures(&table),
        name: table.display().to_string(),
        names: Default::default(),
    };
    if is_table {
        return table_rows(input, place, &table);
    }
    let objects = lines::objects(input);
    Ok(Box::new(
        objects.map(move |(line, fields)| place.row(line, fields)),
    ))
}

fn table_rows(input: BufReader<File>, mut place: Place, table: &Path) -> Result<Rows, DataError> {
    let mut records = Records::new(input).map_err(DataError::io(table))?;
    let head = records
        .next()
        .map_or(Err("the file is empty".into()), |(_, head)| head);
    let head = head.map_err(|reason| DataError::broken(table, reason))?;
    let names: Vec<String> = head.iter().map(|name| name.trim().to_owned()).collect();
    fields::check_head(&names, place.of_pictures)
        .map_err(|reason| DataError::broken(table, reason))?;
    Ok(Box::new(records.map(move |(line, cells)| {
        let fields = cells.and_then(|cells| {
            let filled = cells.iter().any(|cell| !cell.trim().is_empty());
            if filled && cells.len() != names.len() {
                let (found, wanted) = (cells.len(), names.len());
                return Err(format!(
                    "has {found} fields, but the first line names {wanted}"
                ));
            }
            let cells = cells.into_iter().map(Value::from);
            Ok(Fields(names.iter().cloned().zip(cells).collect()))
        });
        place.row(line, fields)
    })))
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

#[cfg(test)]
mod tests;
