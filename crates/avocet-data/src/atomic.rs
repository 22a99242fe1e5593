//! Files that are whole or absent: temp, fsync, rename, fsync of the folder.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::DataError;

/// Ending of files not yet finished; such files may be deleted at any time.
pub(crate) const PARTIAL: &str = ".partial";

/// A file under construction; without [`AtomicFile::commit`] nothing is left but a partial file.
pub(crate) struct AtomicFile {
    partial: PathBuf,
    path: PathBuf,
    writer: BufWriter<File>,
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
        })
    }

    /// Appends bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), DataError> {
        self.writer
            .write_all(bytes)
            .map_err(DataError::io(&self.partial))
    }

    /// Makes the file appear, durable and whole.
    pub(crate) fn commit(self) -> Result<(), DataError> {
        let Self {
            partial,
            path,
            writer,
        } = self;
        let file = writer
            .into_inner()
            .map_err(|e| DataError::io(&partial)(e.into_error()))?;
        file.sync_all().map_err(DataError::io(&partial))?;
        fs::rename(&partial, &path).map_err(DataError::io(&path))?;
        sync_folder(&path)
    }
}

/// Writes a whole small file.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), DataError> {
    let mut file = AtomicFile::create(path)?;
    file.write(bytes)?;
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
