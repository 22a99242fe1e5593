//! The bytes of a file: mapped, carried in the binary, or made of another.

use crate::error::{CheckpointError, Result};
use memmap2::Mmap;
use std::fs::File;
use std::path::Path;

/// Bytes that are only read.
pub(crate) enum Bytes {
    Mapped(Mmap),
    Carried(&'static [u8]),
    /// What was made of a file.
    Made(Vec<u8>),
    /// A file without content, which cannot be mapped.
    Empty,
}

impl Bytes {
    pub fn map(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(CheckpointError::io(path))?;
        let length = file.metadata().map_err(CheckpointError::io(path))?.len();
        if length == 0 {
            return Ok(Bytes::Empty);
        }
        // SAFETY: the map is only read, and only through `get`. If another process shortens
        // the file meanwhile, reading ends this process; files here are replaced by rename,
        // which leaves the mapped one as it was.
        let map = unsafe { Mmap::map(&file) }.map_err(CheckpointError::io(path))?;
        Ok(Bytes::Mapped(map))
    }

    pub fn get(&self) -> &[u8] {
        match self {
            Bytes::Mapped(map) => map,
            Bytes::Carried(bytes) => bytes,
            Bytes::Made(bytes) => bytes,
            Bytes::Empty => &[],
        }
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        self.get()
    }
}
