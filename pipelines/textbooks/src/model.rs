//! The language model as the pipeline knows it: a name, a checksum, and how an answer fails.

use std::fs::File;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::TextbooksError;

/// Which model asks and answers; it stands in the manifest of the dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// The name that it gives itself.
    pub name: String,
    /// SHA-256 of what it consists of.
    pub sha256: String,
}

/// Why the model did not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AskError {
    /// The prompt does not fit into its context, or spells marks of its own: the passage is
    /// rejected.
    Unfit,
    /// Anything else ends the run.
    Failed(String),
}

impl Model {
    /// The model called `name` that lies at `path`: a file, or a folder, whose files are hashed one
    /// after another in the order of their names.
    ///
    /// Errors if a file cannot be read.
    pub fn at(name: &str, path: &Path) -> Result<Self, TextbooksError> {
        let mut files = vec![path.to_owned()];
        if path.is_dir() {
            let entries = path.read_dir().map_err(TextbooksError::io(path))?;
            let paths = entries.map(|entry| entry.map(|entry| entry.path()));
            files = paths
                .collect::<Result<_, _>>()
                .map_err(TextbooksError::io(path))?;
            files.retain(|file| file.is_file());
            files.sort();
        }
        let mut hash = Sha256::new();
        for path in &files {
            let mut file = File::open(path).map_err(TextbooksError::io(path))?;
            std::io::copy(&mut file, &mut hash).map_err(TextbooksError::io(path))?;
        }
        Ok(Self {
            name: name.to_owned(),
            sha256: hex(&hash.finalize()),
        })
    }

    /// The model called `name` that consists of `bytes`.
    pub fn of_bytes(name: &str, bytes: &[u8]) -> Self {
        Self {
            name: name.to_owned(),
            sha256: sha256(bytes),
        }
    }
}

/// SHA-256 of `bytes` in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_and_the_files_of_a_folder_have_the_hash_of_their_bytes() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("b"), "c").unwrap();
        std::fs::write(folder.path().join("a"), "ab").unwrap();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let whole = Model::at("tiny", folder.path()).unwrap();
        assert_eq!(whole.sha256, abc);
        assert_eq!(whole, Model::of_bytes("tiny", b"abc"));
        let file = Model::at("tiny", &folder.path().join("a")).unwrap();
        assert_eq!(file, Model::of_bytes("tiny", b"ab"));
        let gone = Model::at("tiny", &folder.path().join("gone"));
        assert!(gone.unwrap_err().to_string().contains("gone"));
    }
}
