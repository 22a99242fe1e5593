//! The files that the questions are about: their passages, checksums, and to which part they belong.

use std::fs;
use std::path::{Path, PathBuf};

use pipeline::Split;
use reading::{keyboard, placed_blocks, placed_paragraphs, read};

use crate::error::TextbooksError;
use crate::model::sha256;
use crate::passages::{Passage, passages};

/// One file.
#[derive(Debug)]
pub(crate) struct Book {
    /// `file/` and its name: the source of its samples.
    pub name: String,
    /// SHA-256 of its text; nothing if it was not read.
    pub sha256: Option<String>,
    /// What is asked about, or why the file is rejected.
    pub passages: Result<Vec<Passage>, &'static str>,
}

/// Reads those of the files that belong to `split`, in their order.
///
/// Errors if one has another ending, cannot be opened, or is called as another is, and if all
/// belong to the other part.
pub(crate) fn books(paths: &[PathBuf], split: Split) -> Result<Vec<Book>, TextbooksError> {
    let mut named: Vec<(String, &PathBuf)> = Vec::new();
    for path in paths {
        if !is_text(path) && !is_page(path) {
            return Err(TextbooksError::Ending { path: path.clone() });
        }
        fs::metadata(path).map_err(TextbooksError::io(path))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if named.iter().any(|(other, _)| other[5..] == *name) {
            return Err(TextbooksError::SameName {
                path: path.clone(),
                name: name.into_owned(),
            });
        }
        named.push((format!("file/{name}"), path));
    }
    named.retain(|(name, _)| Split::of_name(name) == split);
    if named.is_empty() {
        let other = match split {
            Split::Train => Split::Test,
            Split::Test => Split::Train,
        };
        return Err(TextbooksError::Split {
            asked: split.name(),
            other: other.name(),
        });
    }
    let book = |(name, path): (String, &PathBuf)| book(name, path);
    named.into_iter().map(book).collect()
}

fn book(name: String, path: &Path) -> Result<Book, TextbooksError> {
    let text = match read(path).map_err(TextbooksError::io(path))? {
        Ok(text) => text,
        Err(reason) => {
            return Ok(Book {
                name,
                sha256: None,
                passages: Err(reason),
            });
        }
    };
    let mut blocks = match is_page(path) {
        true => placed_blocks(&text),
        false => placed_paragraphs(&text),
    };
    for block in &mut blocks {
        block.text = keyboard(&block.text);
    }
    let passages = passages(&blocks);
    Ok(Book {
        name,
        sha256: Some(sha256(text.as_bytes())),
        passages: match passages.is_empty() {
            true => Err("no text"),
            false => Ok(passages),
        },
    })
}

fn ending(path: &Path) -> String {
    let ending = path.extension().unwrap_or_default();
    ending.to_string_lossy().to_lowercase()
}

fn is_text(path: &Path) -> bool {
    matches!(ending(path).as_str(), "txt" | "md")
}

fn is_page(path: &Path) -> bool {
    matches!(ending(path).as_str(), "html" | "htm")
}
