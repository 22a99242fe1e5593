//! Finds the worker's binary.

use std::path::PathBuf;

use super::error::ChildError;

const NAME: &str = "avocet-worker";

/// `$AVOCET_WORKER`, or the binary beside the running one, or one folder up: test binaries lie in
/// a folder of their own, below the one that holds what `cargo build` made.
///
/// Errors if none of them is a file.
pub(super) fn worker() -> Result<PathBuf, ChildError> {
    if let Some(named) = std::env::var_os("AVOCET_WORKER") {
        let named = PathBuf::from(named);
        return match named.is_file() {
            true => Ok(named),
            false => Err(ChildError::Start {
                path: named,
                source: std::io::ErrorKind::NotFound.into(),
            }),
        };
    }
    let running = std::env::current_exe().unwrap_or_default();
    let name = format!("{NAME}{}", std::env::consts::EXE_SUFFIX);
    running
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(&name))
        .find(|path| path.is_file())
        .ok_or(ChildError::Missing { beside: running })
}
