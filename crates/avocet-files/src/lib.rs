//! Files and folders that appear whole or not at all.
//!
//! What is written lies beside its place, under a name of its own that ends in [`PARTIAL`], until
//! it is on the disk. Then it takes its name in one step, and the folder is flushed. A full disk
//! or an error leaves what was there before and nothing else; a kill may also leave the partial
//! file, which [`remove_partials`] takes away.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, TempDir, TempPath};

mod kill_point;

pub use kill_point::kill_point;

/// Ending of what is not yet finished.
pub const PARTIAL: &str = ".partial";
/// Characters of a name that the name of its partial file repeats; file systems allow 255 bytes.
const NAME_LENGTH: usize = 48;

/// What the system refused, and the file or folder that it was about.
#[derive(Debug, thiserror::Error)]
#[error("{path:?}: {cause}")]
pub struct FileError {
    /// The file or folder, by the name that it was to have.
    pub path: PathBuf,
    /// What the system said.
    pub cause: io::Error,
}

impl FileError {
    fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self {
            path: path.to_owned(),
            cause,
        }
    }
}

/// A file under construction; without [`NewFile::commit`] nothing of it stays.
#[derive(Debug)]
pub struct NewFile {
    place: PathBuf,
    // Not a `NamedTempFile`, whose errors hide the system's own number and name the partial file.
    file: BufWriter<File>,
    partial: TempPath,
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl NewFile {
    /// Starts the file that will appear at `place`, in a folder that is there.
    ///
    /// Errors if nothing can be written in that folder.
    pub fn create(place: &Path) -> Result<Self, FileError> {
        let new = |path: &Path| File::options().write(true).create_new(true).open(path);
        let file = Builder::new()
            .prefix(&prefix(place))
            .suffix(PARTIAL)
            .make_in(folder_of(place), new)
            .map_err(FileError::at(place))?;
        let (file, partial) = file.into_parts();
        Ok(Self {
            place: place.to_owned(),
            file: BufWriter::with_capacity(1 << 20, file),
            partial,
        })
    }

    /// Where it lies meanwhile.
    pub fn partial(&self) -> &Path {
        &self.partial
    }

    /// Appends bytes, as [`Write::write_all`] does, with an error that names the file.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.write_all(bytes).map_err(FileError::at(&self.place))
    }

    /// Puts everything on the disk.
    ///
    /// Errors if there is no room for it.
    pub fn sync(&mut self) -> Result<(), FileError> {
        let flushed = self.file.flush();
        flushed
            .and_then(|()| self.file.get_ref().sync_all())
            .map_err(FileError::at(&self.place))
    }

    /// Makes the file appear, whole and durable.
    ///
    /// Errors if there is no room for it, or its name cannot be taken.
    pub fn commit(mut self) -> Result<(), FileError> {
        self.sync()?;
        kill_point("file complete");
        let Self { place, partial, .. } = self;
        let named = partial.persist(&place);
        named.map_err(|error| FileError::at(&place)(error.error))?;
        sync_folder(folder_of(&place))
    }
}

/// Writes a whole file. A link is followed, and what is neither file nor folder, such as a pipe,
/// is written into.
pub fn write(place: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let followed = fs::canonicalize(place).ok();
    let followed = followed.as_deref().filter(|_| place.is_symlink());
    let place = followed.unwrap_or(place);
    let there = fs::metadata(place).ok();
    // A link to a file that is not there yet is written through as well.
    let special = |found: &fs::Metadata| !found.is_file() && !found.is_dir();
    if there.as_ref().map_or(place.is_symlink(), special) {
        return fs::write(place, bytes).map_err(FileError::at(place));
    }
    let mut file = NewFile::create(place)?;
    file.append(bytes)?;
    if let Some(there) = there.filter(fs::Metadata::is_file) {
        // Who may read the file that is replaced may read the new one, and nobody else.
        fs::set_permissions(file.partial(), there.permissions()).map_err(FileError::at(place))?;
    }
    file.commit()
}

/// Writes files into `folder`, which is made where it is missing. All are on the disk before the
/// first gets its name, and the last one gets it last.
pub fn write_all(folder: &Path, files: &[(PathBuf, &[u8])]) -> Result<(), FileError> {
    create_folder(folder)?;
    let mut written = Vec::with_capacity(files.len());
    for (path, bytes) in files {
        let mut file = NewFile::create(path)?;
        file.append(bytes)?;
        file.sync()?;
        written.push(file);
    }
    written.into_iter().try_for_each(NewFile::commit)
}

/// A folder under construction; without [`NewFolder::commit`] nothing of it stays.
#[derive(Debug)]
pub struct NewFolder {
    place: PathBuf,
    partial: TempDir,
}

impl NewFolder {
    /// Starts the folder that will appear at `place`; the folder around it is made where it is
    /// missing.
    ///
    /// Errors if nothing can be written there.
    pub fn create(place: &Path) -> Result<Self, FileError> {
        let around = folder_of(place);
        create_folder(around)?;
        let partial = Builder::new()
            .prefix(&prefix(place))
            .suffix(PARTIAL)
            .tempdir_in(around)
            .map_err(FileError::at(place))?;
        Ok(Self {
            place: place.to_owned(),
            partial,
        })
    }

    /// Where to write meanwhile.
    pub fn partial(&self) -> &Path {
        self.partial.path()
    }

    /// Writes a file in it that is on the disk when this returns.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), FileError> {
        let write = |path: &Path| {
            let mut file = File::create(path)?;
            file.write_all(bytes)?;
            file.sync_all()
        };
        write(&self.partial().join(name)).map_err(FileError::at(&self.place.join(name)))
    }

    /// Makes the folder appear.
    ///
    /// Errors if a folder that is not empty is there.
    pub fn commit(self) -> Result<(), FileError> {
        let Self { place, partial } = self;
        sync_folder(partial.path())?;
        fs::rename(partial.path(), &place).map_err(FileError::at(&place))?;
        // It is not there any more under the name that would be removed.
        let _ = partial.keep();
        sync_folder(folder_of(&place))
    }
}

/// Takes away what killed writers left in `folder` of what was to have a name that `is_ours`: for
/// whoever alone writes such names there. What else lies in the folder stays.
pub fn remove_partials(folder: &Path, is_ours: impl Fn(&str) -> bool) -> Result<(), FileError> {
    for entry in fs::read_dir(folder).map_err(FileError::at(folder))? {
        let path = entry.map_err(FileError::at(folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // NAME.RANDOM.partial, as `prefix` and `Builder` make it.
        let named = name
            .strip_suffix(PARTIAL)
            .and_then(|name| name.rsplit_once('.'));
        if !named.is_some_and(|(name, _)| is_ours(name)) {
            continue;
        }
        if path.is_dir() {
            remove_folder(&path)?;
        } else {
            gone(fs::remove_file(&path)).map_err(FileError::at(&path))?;
        }
    }
    Ok(())
}

/// Removes a folder with all that is in it, if it is there.
pub fn remove_folder(path: &Path) -> Result<(), FileError> {
    gone(fs::remove_dir_all(path)).map_err(FileError::at(path))
}

/// What is not there need not be removed.
pub fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Makes a folder, if it is not there, so that a crash does not take it away again.
fn create_folder(path: &Path) -> Result<(), FileError> {
    if path.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(path).map_err(FileError::at(path))?;
    sync_folder(folder_of(path))
}

fn sync_folder(path: &Path) -> Result<(), FileError> {
    let synced = File::open(path).and_then(|folder| folder.sync_all());
    synced.map_err(FileError::at(path))
}

fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().unwrap_or(path);
    if folder.as_os_str().is_empty() {
        return Path::new(".");
    }
    folder
}

/// How the name of what will be at `place` begins meanwhile.
fn prefix(place: &Path) -> String {
    let name = place.file_name().unwrap_or(OsStr::new("new"));
    let name = name.to_string_lossy();
    let mut prefix: String = name.chars().take(NAME_LENGTH).collect();
    prefix.push('.');
    prefix
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_appears_when_it_is_finished_and_replaces_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("a.json");
        fs::write(&place, "before").unwrap();
        let mut file = NewFile::create(&place).unwrap();
        file.append(b"after").unwrap();
        assert_eq!(fs::read(&place).unwrap(), b"before");
        file.commit().unwrap();
        assert_eq!(fs::read(&place).unwrap(), b"after");
        assert_eq!(names(dir.path()), ["a.json"]);
    }

    #[test]
    fn what_is_not_finished_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (file, folder) = (dir.path().join("file"), dir.path().join("folder"));
        let mut unfinished = NewFile::create(&file).unwrap();
        unfinished.append(b"half").unwrap();
        let begun = NewFolder::create(&folder).unwrap();
        begun.write("inside", b"half").unwrap();
        assert_eq!(names(dir.path()).len(), 2);
        drop((unfinished, begun));
        assert!(names(dir.path()).is_empty());
    }

    #[test]
    fn an_error_names_the_file_and_leaves_it_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, missing) = (dir.path().join("folder"), dir.path().join("none/file"));
        fs::create_dir(&folder).unwrap();
        for path in [&folder, &missing] {
            let error = write(path, b"bytes").unwrap_err();
            assert_eq!(error.path, *path);
            assert!(error.to_string().contains(&*path.to_string_lossy()));
        }
        assert_eq!(names(dir.path()), ["folder"]);
    }

    #[test]
    fn of_files_that_belong_together_none_appears_when_one_cannot_be_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join("new").join(name);
        let files = [(path("one"), &b"1"[..]), (path("none/two"), b"2")];
        assert!(write_all(&dir.path().join("new"), &files).is_err());
        assert!(names(&dir.path().join("new")).is_empty());
        write_all(&dir.path().join("new"), &files[..1]).unwrap();
        assert_eq!(names(&dir.path().join("new")), ["one"]);
    }

    #[test]
    fn a_folder_appears_when_it_is_finished_unless_another_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("deep/step-1");
        let write = |name: &str| {
            let folder = NewFolder::create(&place).unwrap();
            folder.write(name, b"1").unwrap();
            assert!(folder.partial().join(name).exists());
            folder.commit()
        };
        write("first").unwrap();
        assert_eq!(write("second").unwrap_err().path, place);
        assert_eq!(names(&place), ["first"]);
        assert_eq!(names(&dir.path().join("deep")), ["step-1"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_one() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        fs::write(&file, "before").unwrap();
        std::os::unix::fs::symlink("file", &link).unwrap();
        write(&link, b"after").unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"after");
        fs::remove_file(&file).unwrap();
        write(&link, b"anew").unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"anew");
    }

    #[test]
    fn what_a_kill_left_is_taken_away_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.tar.x1y2z3.partial"), "half").unwrap();
        fs::create_dir_all(dir.path().join("b.partial/inside")).unwrap();
        fs::create_dir_all(dir.path().join("a.x1y2z3.partial/inside")).unwrap();
        fs::write(dir.path().join("partial"), "whole").unwrap();
        fs::write(dir.path().join("theirs.x1y2z3.partial"), "half").unwrap();
        remove_partials(dir.path(), |name| name.starts_with('a')).unwrap();
        let left = ["b.partial", "partial", "theirs.x1y2z3.partial"];
        assert_eq!(names(dir.path()), left);
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_what_is_written_as_they_may_any_file() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let mode = |name: &str| {
            let found = fs::metadata(dir.path().join(name)).unwrap();
            found.permissions().mode() & 0o777
        };
        fs::write(dir.path().join("plain"), "").unwrap();
        write(&dir.path().join("ours"), b"").unwrap();
        assert_eq!(mode("ours"), mode("plain"));
        let ours = dir.path().join("ours");
        fs::set_permissions(&ours, fs::Permissions::from_mode(0o600)).unwrap();
        write(&ours, b"anew").unwrap();
        assert_eq!(mode("ours"), 0o600, "what was private stays private");
        fs::create_dir(dir.path().join("plain folder")).unwrap();
        let folder = NewFolder::create(&dir.path().join("our folder")).unwrap();
        folder.commit().unwrap();
        assert_eq!(mode("our folder"), mode("plain folder"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_an_error_and_no_file_is_done() {
        let error = write(Path::new("/dev/full"), b"bytes").unwrap_err();
        assert!(error.to_string().starts_with("\"/dev/full\": "), "{error}");
        assert!(Path::new("/dev/full").exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_long_name_can_be_written() {
        let dir = tempfile::tempdir().unwrap();
        let name = "é".repeat(127);
        write(&dir.path().join(&name), b"1").unwrap();
        assert_eq!(names(dir.path()), [name]);
    }
}
