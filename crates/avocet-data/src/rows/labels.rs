//! A folder whose folders are named after what their pictures show, as torchvision's ImageFolder has
//! it: `photos/cat/1.jpg` is a row that asks "What is this?" and answers "cat".

use std::fs;
use std::path::{Path, PathBuf};

use avocet_text::Turn;

use super::fields::is_picture_file;
use super::row::{Row, RowPicture};

/// What is asked about each picture.
const QUESTION: &str = "What is this?";
/// One name alone tells nothing from nothing.
const FEWEST_LABELS: usize = 2;
/// Folders within a label's folder are read down to here.
const DEEPEST: usize = 4;

/// The rows of the pictures, by label and name; none if `folder` is no such folder.
pub(super) fn rows(folder: &Path) -> Option<Vec<Row>> {
    let labels = labels(folder)?.into_iter();
    let pictures = labels.flat_map(|(label, folder)| {
        let files = pictures(&folder, DEEPEST).into_iter();
        files.map(move |file| (label.clone(), file))
    });
    let rows = pictures.enumerate().map(|(place, (label, file))| Row {
        line: place + 1,
        id: None,
        kind: None,
        images: vec![RowPicture::File(file)],
        turns: vec![Turn::about(1, QUESTION), Turn::assistant(label.clone())],
        answers: vec![label],
        passed_over: Vec::new(),
    });
    Some(rows.collect())
}

/// Whether the folders of `folder` are named after what their pictures show.
pub fn is_labelled(folder: &Path) -> bool {
    labels(folder).is_some()
}

/// The folders that hold pictures, by their names as words.
fn labels(folder: &Path) -> Option<Vec<(String, PathBuf)>> {
    let holds = |folder: &Path| holds_pictures(folder, DEEPEST);
    let mut found: Vec<(String, PathBuf)> = entries(folder)
        .into_iter()
        .filter(|path| path.is_dir() && holds(path))
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?.replace('_', " ");
            let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
            (!name.is_empty()).then_some((name, path))
        })
        .collect();
    found.sort();
    (found.len() >= FEWEST_LABELS).then_some(found)
}

fn holds_pictures(folder: &Path, depth: usize) -> bool {
    let (folders, files): (Vec<_>, Vec<_>) =
        entries(folder).into_iter().partition(|path| path.is_dir());
    let below = |folder: &PathBuf| depth > 1 && holds_pictures(folder, depth - 1);
    files.iter().any(|file| is_picture_file(file)) || folders.iter().any(below)
}

fn pictures(folder: &Path, depth: usize) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in entries(folder) {
        if path.is_dir() {
            if depth > 1 {
                found.extend(pictures(&path, depth - 1));
            }
        } else if is_picture_file(&path) {
            found.push(path);
        }
    }
    found
}

/// What lies in a folder, in order; what is hidden is not seen.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let shown = entries.filter(|entry| !entry.file_name().as_encoded_bytes().starts_with(b"."));
    let mut paths: Vec<PathBuf> = shown.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::{holds_rows, read};

    #[test]
    fn folders_are_named_after_what_their_pictures_show() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, b"bytes").expect("written");
        };
        file("cat/1.jpg");
        assert!(!holds_rows(folder.path()), "one name is none");
        for name in [
            "cat/2.PNG",
            "cat/old/3.webp",
            "sports_car/1.jpeg",
            "sports_car/notes.txt",
            ".hidden/1.jpg",
            "empty/readme.md",
            "loose.png",
        ] {
            file(name);
        }
        assert!(holds_rows(folder.path()));
        let rows: Vec<Row> = read(folder.path())
            .expect("labels")
            .collect::<Result<_, _>>()
            .expect("rows");
        let said: Vec<(usize, &str)> = (rows.iter())
            .map(|row| (row.line, row.answers[0].as_str()))
            .collect();
        assert_eq!(
            said,
            [(1, "cat"), (2, "cat"), (3, "cat"), (4, "sports car")]
        );
        assert_eq!(rows[0].turns[0].shown(), "<image>What is this?");
        assert_eq!(
            rows[2].images,
            [RowPicture::File(folder.path().join("cat/old/3.webp"))]
        );
        // A table says more than names of folders.
        file("metadata.jsonl");
        assert_eq!(read(folder.path()).expect("a table").count(), 1);
    }
}
