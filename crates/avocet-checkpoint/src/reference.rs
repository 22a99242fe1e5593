//! What a model reference on the command line means.

use crate::error::CheckpointError;
use std::path::{Path, PathBuf};

/// The name of the model that is part of the binary.
const EMBEDDED: &str = "mini";

/// Where a model is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// Part of the binary.
    Embedded,
    /// A folder on this machine.
    Folder(PathBuf),
    /// A GGUF file on this machine.
    File(PathBuf),
}

/// Finds the model that `reference` names: `mini`, or a folder on this machine.
///
/// Errors, with what could be written instead, for anything else; hub ids are not supported yet.
pub fn resolve(reference: &str) -> Result<Reference, CheckpointError> {
    let path = Path::new(reference);
    let refuse = |reason: &str| {
        Err(CheckpointError::Reference {
            reference: reference.into(),
            reason: reason.into(),
        })
    };
    if reference == EMBEDDED {
        Ok(Reference::Embedded)
    } else if path.is_dir() {
        Ok(Reference::Folder(path.to_owned()))
    } else if path.extension().is_some_and(|ending| ending == "gguf") && path.exists() {
        Ok(Reference::File(path.to_owned()))
    } else if path.exists() {
        refuse("is a file; give a GGUF file, or the folder that holds the model's files")
    } else if is_hub_id(reference) {
        refuse(
            "no such folder, and hub ids are not supported yet; give a model folder, or mini for the built-in model",
        )
    } else {
        refuse("no such folder; give a model folder, or mini for the built-in model")
    }
}

/// Whether `reference` reads as `owner/name[@revision]`.
fn is_hub_id(reference: &str) -> bool {
    let name = reference
        .split_once('@')
        .map_or(reference, |(name, _)| name);
    let is_part = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    name.split_once('/')
        .is_some_and(|(owner, model)| is_part(owner) && is_part(model))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_kinds_of_reference_are_told_apart() {
        assert_eq!(resolve("mini").unwrap(), Reference::Embedded);
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().to_str().unwrap();
        assert_eq!(
            resolve(name).unwrap(),
            Reference::Folder(folder.path().into())
        );
        let hub = resolve("HuggingFaceM4/idefics-9b-instruct@main")
            .unwrap_err()
            .to_string();
        assert!(
            hub.contains("hub ids are not supported yet") && hub.contains("mini"),
            "{hub}"
        );
        for wrong in ["", "maxi", "./no/such", "a/b/c", "/"] {
            if let Err(error) = resolve(wrong) {
                assert!(!error.to_string().contains("hub"), "{error}");
            }
        }
        let file = folder.path().join("weights");
        std::fs::write(&file, b"").unwrap();
        assert!(
            resolve(file.to_str().unwrap())
                .unwrap_err()
                .to_string()
                .contains("is a file")
        );
    }
}
