//! Which file holds the rows, and of what kind it is.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use crate::DataError;
use crate::shard::Reader;

/// Names of the table in a folder of pictures.
const TABLES: [&str; 2] = ["metadata.jsonl", "metadata.csv"];
/// Endings of files whose cells are parted by a mark.
const PARTED: [&str; 4] = ["csv", "tsv", "tab", "txt"];
/// Endings of files that people keep tables in.
const OTHERS: &str = "csv tsv json jsonl ndjson parquet xlsx xls ods numbers arrow feather db \
    sqlite pkl xml yaml yml";
/// Looked at of a file to know its kind; the head of a table lies in it.
const START: usize = 64 << 10;
/// Files that are named in a message.
const MOST_NAMED: usize = 4;
const BOM: &[u8] = b"\xef\xbb\xbf";

/// The file of rows that `path` stands for: itself, or the table in a folder of pictures.
pub fn table(path: &Path) -> Option<PathBuf> {
    let in_folder = || TABLES.iter().map(|name| path.join(name));
    match path.is_file() {
        true => Some(path.to_owned()),
        false => in_folder().find(|table| table.is_file()),
    }
}

/// Whether the file is the table of a folder of pictures, by its name.
pub(super) fn is_of_pictures(table: &Path) -> bool {
    let name = table.file_name();
    TABLES
        .iter()
        .any(|known| name.is_some_and(|name| name == *known))
}

/// Opens a folder that has no table as a dataset.
///
/// Errors as [`Reader::open`] does; where nothing was begun, with what is there instead.
pub fn dataset(folder: &Path) -> Result<Reader, DataError> {
    Reader::open(folder).map_err(|error| {
        let names = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let begun = |name: String| {
            name.starts_with("part-") || matches!(name.as_str(), "manifest.json" | ".recipe.json")
        };
        match !folder.is_dir() || names.any(begun) {
            true => error,
            false => DataError::broken(folder, without_table(folder)),
        }
    })
}

/// Why there are no rows in `folder`, which has no table: what is there instead.
pub(super) fn without_table(folder: &Path) -> String {
    let (mut folders, mut files) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy().into_owned();
        if path.is_dir() && table(&path).is_some() {
            folders.push(name);
        } else if is_table(&path) {
            files.push(name);
        }
    }
    let listed = |mut names: Vec<String>| {
        names.sort();
        let more = names.len().saturating_sub(MOST_NAMED);
        names.truncate(MOST_NAMED);
        let names = names.join(", ");
        match more {
            0 => names,
            more => format!("{names} and {more} more"),
        }
    };
    let none = format!("holds no {}, and is no dataset", TABLES.join(" or "));
    if !folders.is_empty() {
        let first = folder.join(folders.iter().min().map_or("", String::as_str));
        let listed = listed(folders);
        return format!(
            "{none}; its folders {listed} do: name one, as {}",
            first.display()
        );
    }
    match files.is_empty() {
        true => none,
        false => format!(
            "{none}; it holds {}: save it as metadata.csv",
            listed(files)
        ),
    }
}

fn is_table(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
    let known = OTHERS.split_whitespace().any(|other| ending == other);
    known && path.is_file()
}

/// Errors if a folder has more than one table.
pub(super) fn check_alone(folder: &Path) -> Result<(), DataError> {
    let there = TABLES.map(|name| folder.join(name));
    if !there.iter().all(|path| path.is_file()) {
        return Ok(());
    }
    let [first, second] = TABLES;
    let empty = there.iter().zip(TABLES).find(|(path, _)| is_blank(path));
    Err(DataError::broken(
        folder,
        match empty {
            Some((_, name)) => {
                format!("holds {first} and {second}, and {name} is empty: remove it")
            }
            None => format!("holds {first} and {second}: keep one of them"),
        },
    ))
}

/// Whether nothing but space stands in a file.
fn is_blank(path: &Path) -> bool {
    let Ok(file) = File::open(path) else {
        return false;
    };
    let mut start = Vec::new();
    let read = file.take(START as u64).read_to_end(&mut start);
    let start = start.strip_prefix(BOM).unwrap_or(&start);
    read.is_ok() && start.trim_ascii().is_empty()
}

/// A file of rows from its first letter, and whether its cells are parted by a mark.
///
/// Errors if it cannot be opened, or is of a kind that is not read.
pub(super) fn open(path: &Path) -> Result<(BufReader<File>, bool), DataError> {
    let file = File::open(path).map_err(DataError::io(path))?;
    let mut input = BufReader::with_capacity(START, file);
    let start = input.fill_buf().map_err(DataError::io(path))?;
    if let Some(kind) = unread_kind(start) {
        let reason = format!(
            "is {kind}, which is not read: save it as UTF-8 in lines of JSON (.jsonl) or as a \
             table (.csv)"
        );
        return Err(DataError::broken(path, reason));
    }
    if start.starts_with(BOM) {
        input.consume(BOM.len());
    }
    let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
    let opens = |buffer: &[u8]| {
        let first = buffer.iter().find(|byte| !byte.is_ascii_whitespace());
        matches!(first, Some(b'{' | b'['))
    };
    let is_json = opens(input.buffer());
    let is_parted = PARTED.iter().any(|parted| ending == *parted) && (ending == "csv" || !is_json);
    Ok((input, is_parted))
}

/// What a file is that holds no rows as text.
fn unread_kind(start: &[u8]) -> Option<&'static str> {
    const KINDS: [(&[u8], &str); 12] = [
        (b"PAR1", "a Parquet file"),
        (b"ARROW1", "an Arrow file"),
        (b"FEA1", "a Feather file"),
        (b"PK\x03\x04", "a spreadsheet or another zip file"),
        (b"\xd0\xcf\x11\xe0", "an old spreadsheet (.xls)"),
        (b"SQLite format 3", "an SQLite database"),
        (b"\x1f\x8b", "compressed (gzip)"),
        (b"\x28\xb5\x2f\xfd", "compressed (zstd)"),
        (b"\xff\xfe", "UTF-16 text"),
        (b"\xfe\xff", "UTF-16 text"),
        (b"<?xml", "XML"),
        (b"%PDF", "a PDF document"),
    ];
    let known = KINDS.iter().find(|(magic, _)| start.starts_with(magic));
    let binary = || {
        let look = &start[..start.len().min(512)];
        look.contains(&0).then_some("no text")
    };
    known.map(|(_, kind)| *kind).or_else(binary)
}
