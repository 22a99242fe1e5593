//! Reading a file whole.

use crate::error::{CheckpointError, Result};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The content of a file of at most `limit` bytes.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let file = File::open(path).map_err(CheckpointError::io(path))?;
    let bytes = file.metadata().map_err(CheckpointError::io(path))?.len();
    let mut content = Vec::new();
    // The limit holds for what is read, too: a pipe has no length beforehand.
    file.take(limit + 1)
        .read_to_end(&mut content)
        .map_err(CheckpointError::io(path))?;
    let bytes = bytes.max(content.len() as u64);
    if bytes > limit {
        return Err(CheckpointError::TooLarge {
            path: path.to_owned(),
            bytes,
            limit,
        });
    }
    Ok(content)
}
