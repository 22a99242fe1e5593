//! Writing files so that a crash leaves whole ones.

use crate::error::{CheckpointError, Result};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Writes files into a folder, the last one last, so that a crash leaves whole files.
pub(crate) fn write_all(folder: &Path, files: &[(PathBuf, &[u8])]) -> Result<()> {
    let new = !folder.exists();
    std::fs::create_dir_all(folder).map_err(CheckpointError::io(folder))?;
    let written = files
        .iter()
        .try_for_each(|(path, bytes)| write(&temporary(path), bytes));
    if let Err(error) = written {
        for (path, _) in files {
            // What could not be written may not be there; the first error is the one to tell.
            let _ = std::fs::remove_file(temporary(path));
        }
        return Err(error);
    }
    for (path, _) in files {
        std::fs::rename(temporary(path), path).map_err(CheckpointError::io(path))?;
    }
    sync_folder(folder)?;
    if new { sync_parent(folder) } else { Ok(()) }
}

pub(crate) fn temporary(path: &Path) -> PathBuf {
    path.with_added_extension("tmp")
}

pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = File::create(path).map_err(CheckpointError::io(path))?;
    file.write_all(bytes).map_err(CheckpointError::io(path))?;
    file.sync_all().map_err(CheckpointError::io(path))
}

/// Flushes the folder that `path` lies in.
pub(crate) fn sync_parent(path: &Path) -> Result<()> {
    match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() => sync_folder(Path::new(".")),
        Some(folder) => sync_folder(folder),
        None => Ok(()),
    }
}

pub(super) fn sync_folder(path: &Path) -> Result<()> {
    let folder = File::open(path).map_err(CheckpointError::io(path))?;
    folder.sync_all().map_err(CheckpointError::io(path))
}
