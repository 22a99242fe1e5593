//! Files that are whole or absent: temp, fsync, rename, fsync of the folder.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::{DataError, kill_point};

/// Ending of files not yet finished; such files may be deleted at any time.
pub(crate) const PARTIAL: &str = ".partial";

/// A file under construction; without [`AtomicFile::commit`] nothing is left but a partial file.
pub(crate) struct AtomicFile {
    partial: PathBuf,
    path: PathBuf,
    writer: BufWriter<File>,
    hash: Sha256,
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.writer.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.writer.flush()
    }
}

impl AtomicFile {
    /// Starts the file that will appear at `path`.
    pub(crate) fn create(path: &Path) -> Result<Self, DataError> {
        let mut partial = path.as_os_str().to_owned();
        partial.push(PARTIAL);
        let partial = PathBuf::from(partial);
        let file = File::create(&partial).map_err(DataError::io(&partial))?;
        Ok(Self {
            partial,
            path: path.to_path_buf(),
            writer: BufWriter::new(file),
            hash: Sha256::new(),
        })
    }

    /// Appends bytes.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), DataError> {
        self.write_all(bytes)
            .map_err(|cause| DataError::io(&self.partial)(cause))
    }

    /// Makes the file appear, durable and whole, and gives its SHA-256.
    pub(crate) fn commit(self) -> Result<[u8; 32], DataError> {
        let Self {
            partial,
            path,
            writer,
            hash,
        } = self;
        let file = writer
            .into_inner()
            .map_err(|e| DataError::io(&partial)(e.into_error()))?;
        file.sync_all().map_err(DataError::io(&partial))?;
        kill_point("file complete");
        fs::rename(&partial, &path).map_err(DataError::io(&path))?;
        sync_folder(&path)?;
        Ok(hash.finalize().into())
    }
}

/// Writes a whole file and gives its SHA-256.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<[u8; 32], DataError> {
    let mut file = AtomicFile::create(path)?;
    file.append(bytes)?;
    file.commit()
}

fn sync_folder(path: &Path) -> Result<(), DataError> {
    let folder = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    File::open(folder)
        .and_then(|f| f.sync_all())
        .map_err(DataError::io(folder))
}
