//! The files that a run is about: named ones, and those in folders, in an order of their own.

use std::fs;
use std::path::{Path, PathBuf};

use avocet_video::watch::has_video_ending;

use crate::error::VideoError;

/// Folders within folders are followed this deep.
const DEEPEST: usize = 32;

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Where it lies.
    pub path: PathBuf,
    /// What the ledger calls it: its path within the folder given, with `/` on every system.
    pub name: String,
    /// Whether its name is that of a video, or it was named itself.
    pub is_video: bool,
}

/// All inputs, sorted by name; a name occurs once.
///
/// Errors if something given is not there or two files would have one name.
pub fn inputs(given: &[PathBuf]) -> Result<Vec<Input>, VideoError> {
    let mut found = Vec::new();
    for path in given {
        let metadata = fs::metadata(path).map_err(|error| wrong(path, error))?;
        if metadata.is_dir() {
            walk(path, "", DEEPEST, &mut found)?;
        } else {
            found.push(Input {
                path: path.clone(),
                name: name_of(path),
                is_video: true,
            });
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| a.path.cmp(&b.path)));
    found.dedup();
    if let Some(pair) = found.windows(2).find(|pair| pair[0].name == pair[1].name) {
        let reason = format!("has the same name as {}", pair[0].path.display());
        return Err(wrong(&pair[1].path, reason));
    }
    Ok(found)
}

fn walk(
    folder: &Path,
    within: &str,
    deeper: usize,
    found: &mut Vec<Input>,
) -> Result<(), VideoError> {
    if deeper == 0 {
        return Err(wrong(
            folder,
            format!("folders are nested deeper than {DEEPEST}"),
        ));
    }
    for entry in fs::read_dir(folder).map_err(|error| wrong(folder, error))? {
        let entry = entry.map_err(|error| wrong(folder, error))?;
        let path = entry.path();
        let name = name_of(&path);
        if name.starts_with('.') {
            continue;
        }
        let name = format!("{within}{name}");
        // A link into a folder could lead round in a circle: only links to files are followed.
        let kind = entry.file_type().map_err(|error| wrong(&path, error))?;
        if kind.is_dir() {
            walk(&path, &format!("{name}/"), deeper - 1, found)?;
        } else if path.is_file() {
            let is_video = has_video_ending(&path);
            found.push(Input {
                path,
                name,
                is_video,
            });
        }
    }
    Ok(())
}

fn name_of(path: &Path) -> String {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    name.unwrap_or_else(|| path.display().to_string())
}

fn wrong(path: &Path, reason: impl ToString) -> VideoError {
    VideoError::Input {
        path: path.to_path_buf(),
        reason: reason.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_walked_in_order_and_named_from_within() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("b/c")).unwrap();
        for name in ["z.MP4", "b/c/a.webm", "b/notes.txt", ".hidden.mp4"] {
            fs::write(dir.path().join(name), b"").unwrap();
        }
        let found = inputs(&[dir.path().to_path_buf()]).unwrap();
        let names: Vec<(&str, bool)> = found
            .iter()
            .map(|i| (i.name.as_str(), i.is_video))
            .collect();
        assert_eq!(
            names,
            [
                ("b/c/a.webm", true),
                ("b/notes.txt", false),
                ("z.MP4", true)
            ]
        );
        let file = dir.path().join("b/notes.txt");
        assert!(inputs(&[file.clone(), file]).unwrap()[0].is_video);
    }

    #[test]
    fn what_is_missing_or_named_twice_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let missing = inputs(&[dir.path().join("none.mp4")])
            .unwrap_err()
            .to_string();
        assert!(missing.contains("none.mp4"), "{missing}");
        for folder in ["a", "b"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
            fs::write(dir.path().join(folder).join("x.mp4"), b"").unwrap();
        }
        let twice = inputs(&[dir.path().join("a/x.mp4"), dir.path().join("b")]).unwrap_err();
        assert!(twice.to_string().contains("same name"), "{twice}");
    }
}
