//! Questions that people write themselves: a folder of pictures with a table of questions and
//! answers, or a file of conversations.
//!
//! - A folder with `metadata.jsonl` or `metadata.csv`, whose columns are `file_name`, `question`
//!   and `answer`: the convention of Hugging Face's ImageFolder. Other columns are passed over.
//! - A folder without a table whose folders are named after what their pictures show: each is asked
//!   "What is this?" (`labels`).
//! - A file of such rows, or of `{"images", "question", "answer" or "answers"}`, or of
//!   conversations `{"images", "messages": [{"role", "content"}]}` or
//!   `{"image", "conversations": [{"from", "value"}]}`, in which each `<image>` stands for a
//!   picture; pictures without one come before the first question. One a line, or in one list.
//!
//! Columns and fields go by their usual names (`fields`). `kind` names the row of a table that a
//! question counts in, `id` the question.

mod fields;
mod labels;
mod lines;
mod origin;
mod records;
mod row;
mod table;
mod talk;

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use serde_json::Value;

use crate::DataError;
use crate::rows::fields::Fields;
use crate::rows::origin::RowOrigin;
use crate::rows::records::Records;

pub use crate::rows::labels::is_labelled;
pub use crate::rows::row::{Row, RowError, RowPicture};
pub use crate::rows::table::{dataset, table};

/// The rows of one file.
pub type Rows = Box<dyn Iterator<Item = Result<Row, RowError>> + Send>;

/// Whether `path` is a file, a folder with a table, or one whose folders are labels: not whether its
/// rows are right.
pub fn holds_rows(path: &Path) -> bool {
    table(path).is_some() || is_labelled(path)
}

/// Reads the rows of `path`: a folder of pictures, or a file of JSON or a table.
///
/// Errors if there is no such file, it is of another kind, or its head lacks a column; each row
/// may be wrong by itself.
pub fn read(path: &Path) -> Result<Rows, DataError> {
    let Some(table) = table(path) else {
        if let Some(rows) = labels::rows(path) {
            return Ok(Box::new(rows.into_iter().map(Ok)));
        }
        return Err(DataError::broken(path, table::without_table(path)));
    };
    if path.is_dir() {
        table::check_alone(path)?;
    }
    let (input, is_table) = table::open(&table)?;
    let mut origin = RowOrigin {
        folder: table.parent().unwrap_or(Path::new("")).to_owned(),
        within: path.is_dir(),
        of_pictures: table::is_of_pictures(&table),
        name: table.display().to_string(),
        names: Default::default(),
    };
    if is_table {
        return table_rows(input, origin, &table);
    }
    let objects = lines::objects(input);
    Ok(Box::new(
        objects.map(move |(line, fields)| origin.row(line, fields)),
    ))
}

fn table_rows(
    input: BufReader<File>,
    mut origin: RowOrigin,
    table: &Path,
) -> Result<Rows, DataError> {
    let mut records = Records::new(input).map_err(DataError::io(table))?;
    let head = records
        .next()
        .map_or(Err("the file is empty".into()), |(_, head)| head);
    let head = head.map_err(|reason| DataError::broken(table, reason))?;
    let names: Vec<String> = head.iter().map(|name| name.trim().to_owned()).collect();
    fields::check_head(&names, origin.of_pictures)
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
        origin.row(line, fields)
    })))
}

#[cfg(test)]
mod tests;
