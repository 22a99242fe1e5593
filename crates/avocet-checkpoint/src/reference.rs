//! What a model reference on the command line means.

use std::path::{Path, PathBuf};

use avocet_fetch::HubId;

use crate::error::{CheckpointError, Result};
use crate::families::is_efficient_net;

/// The name of the model that is part of the binary.
const EMBEDDED: &str = "mini";

/// Where a model is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// Part of the binary.
    Embedded,
    /// A folder on this machine.
    Folder(PathBuf),
    /// A GGUF file on this machine, or the file of an EfficientNet-Lite.
    File(PathBuf),
    /// A model on a hub, which may be in the cache.
    Hub(HubId),
}

fn is_gguf(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "gguf")
}

/// Finds the model that `reference` names: `mini`, a folder or GGUF file on this machine, or a hub
/// id such as `owner/name@revision`.
///
/// Errors, with what could be written instead, for anything else.
pub fn resolve(reference: &str) -> Result<Reference> {
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
    } else if path.exists() && (is_gguf(path) || is_efficient_net(path)) {
        Ok(Reference::File(path.to_owned()))
    } else if path.exists() {
        refuse("is a file; give a GGUF file, or the folder that holds the model's files")
    } else {
        match HubId::parse(reference) {
            Ok(id) => Ok(Reference::Hub(id)),
            Err(_) => refuse(
                "no such file or folder; give a model folder, a GGUF file, a hub id such as \
                 owner/name, or mini for the built-in model",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kinds_of_reference_are_told_apart() {
        assert_eq!(resolve("mini").unwrap(), Reference::Embedded);
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().to_str().unwrap();
        assert_eq!(
            resolve(name).unwrap(),
            Reference::Folder(folder.path().into())
        );
        let hub = resolve("HuggingFaceM4/idefics-9b-instruct@main").unwrap();
        assert!(
            matches!(&hub, Reference::Hub(id) if id.name == "idefics-9b-instruct"),
            "{hub:?}"
        );
        for wrong in ["", "maxi", "./no/such", "a/b/c", "nothing.gguf"] {
            let error = resolve(wrong).unwrap_err().to_string();
            assert!(error.contains("no such file or folder"), "{error}");
        }
        let gguf = folder.path().join("model.gguf");
        std::fs::write(&gguf, b"").unwrap();
        assert_eq!(
            resolve(gguf.to_str().unwrap()).unwrap(),
            Reference::File(gguf)
        );
        let weights = folder.path().join("network.pth");
        std::fs::write(&weights, b"").unwrap();
        assert_eq!(
            resolve(weights.to_str().unwrap()).unwrap(),
            Reference::File(weights)
        );
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
