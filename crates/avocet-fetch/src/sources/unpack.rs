//! Unpacks zip, tar.gz and Debian archives: plain files only, all within the given folder.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

use super::SourceError;

/// Most bytes that an archive may unpack to.
const MAX_BYTES: u64 = 8 << 30;
/// Most files that an archive may hold.
const MAX_FILES: u64 = 1_000_000;

/// Unpacks `archive`, told apart by its name, into the empty folder `into`.
///
/// Links and special files are left out. Errors if an entry would land outside `into`, or if
/// there is more than any honest archive holds.
pub(super) fn unpack(name: &str, archive: &Path, into: &Path) -> Result<(), SourceError> {
    let file_name = archive
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let wrong = |reason: String| {
        let (name, file) = (name.to_string(), file_name.clone());
        SourceError::Archive { name, file, reason }
    };
    let budget = Budget {
        bytes: MAX_BYTES,
        files: MAX_FILES,
    };
    let open = || {
        File::open(archive)
            .map(BufReader::new)
            .map_err(SourceError::io(archive))
    };
    if file_name.ends_with(".whl") || file_name.ends_with(".zip") {
        unpack_zip(open()?, into, budget).map_err(wrong)
    } else if file_name.ends_with(".tar.gz") || file_name.ends_with(".tgz") {
        unpack_tar(flate2::read::MultiGzDecoder::new(open()?), into, budget).map_err(wrong)
    } else if file_name.ends_with(".deb") {
        unpack_deb(archive, into, budget).map_err(wrong)
    } else {
        Err(wrong(
            "it is no .whl, .zip, .tar.gz, .tgz or .deb file".into(),
        ))
    }
}

/// What may still be unpacked.
struct Budget {
    bytes: u64,
    files: u64,
}

impl Budget {
    /// Copies one file to its place within `into`.
    fn write(&mut self, contents: impl Read, entry: &Path, into: &Path) -> Result<(), String> {
        let place = into.join(inside(entry)?);
        let said = |e: io::Error| format!("{}: {e}", entry.display());
        self.files = self
            .files
            .checked_sub(1)
            .ok_or_else(|| format!("it holds more than {MAX_FILES} files"))?;
        if let Some(parent) = place.parent() {
            fs::create_dir_all(parent).map_err(said)?;
        }
        let mut file = File::create(&place).map_err(said)?;
        let limit = self.bytes.saturating_add(1);
        let written = io::copy(&mut contents.take(limit), &mut file).map_err(said)?;
        self.bytes = self
            .bytes
            .checked_sub(written)
            .ok_or_else(|| format!("it unpacks to more than {MAX_BYTES} bytes"))?;
        Ok(())
    }
}

/// The path with `.` left out; refused when it could lead elsewhere.
fn inside(entry: &Path) -> Result<PathBuf, String> {
    let mut path = PathBuf::new();
    for component in entry.components() {
        match component {
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            _ => return Err(format!("entry {entry:?} leads outside the folder")),
        }
    }
    if path.as_os_str().is_empty() {
        return Err(format!("entry {entry:?} has no name"));
    }
    Ok(path)
}

fn unpack_zip(
    archive: impl Read + io::Seek,
    into: &Path,
    mut budget: Budget,
) -> Result<(), String> {
    let mut archive = zip::ZipArchive::new(archive).map_err(|e| e.to_string())?;
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(|e| e.to_string())?;
        if entry.is_file() {
            let name = entry.name().map_err(|e| e.to_string())?;
            let path = PathBuf::from(name.as_ref());
            budget.write(entry, &path, into)?;
        }
    }
    Ok(())
}

fn unpack_tar(archive: impl Read, into: &Path, mut budget: Budget) -> Result<(), String> {
    let mut archive = tar::Archive::new(archive);
    for entry in archive.entries().map_err(|e| e.to_string())? {
        let entry = entry.map_err(|e| e.to_string())?;
        if entry.header().entry_type().is_file() {
            let path = entry.path().map_err(|e| e.to_string())?.into_owned();
            budget.write(entry, &path, into)?;
        }
    }
    Ok(())
}

/// `dpkg-deb` knows how a Debian archive is packed; what it holds is unpacked here.
fn unpack_deb(archive: &Path, into: &Path, budget: Budget) -> Result<(), String> {
    let mut child = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(archive)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| format!("cannot start `dpkg-deb`: {e}"))?;
    let tar = child.stdout.take().ok_or("`dpkg-deb` gave no output")?;
    let mut tar = BufReader::new(tar);
    let unpacked = unpack_tar(&mut tar, into, budget);
    if unpacked.is_ok() {
        // The padding after the last entry, without which dpkg-deb ends on a broken pipe.
        io::copy(&mut tar, &mut io::sink()).map_err(|e| e.to_string())?;
    }
    drop(tar);
    let status = child.wait().map_err(|e| e.to_string())?;
    unpacked?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("`dpkg-deb` failed: {status}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn tar_gz(entries: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, kind, contents) in entries {
            let mut header = tar::Header::new_gnu();
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.set_entry_type(*kind);
            header.set_size(contents.len() as u64);
            if *kind == tar::EntryType::Symlink {
                header.set_link_name("/etc").unwrap();
            }
            header.set_cksum();
            builder.append(&header, *contents).unwrap();
        }
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(&builder.into_inner().unwrap()).unwrap();
        gz.finish().unwrap()
    }

    fn zip_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        for (name, contents) in entries {
            writer
                .start_file(*name, zip::write::SimpleFileOptions::default())
                .unwrap();
            writer.write_all(contents).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn unpack_bytes(file: &str, bytes: &[u8]) -> (tempfile::TempDir, Result<(), SourceError>) {
        let dir = tempfile::tempdir().unwrap();
        let archive = dir.path().join(file);
        fs::write(&archive, bytes).unwrap();
        let into = dir.path().join("in");
        fs::create_dir(&into).unwrap();
        let result = unpack("test", &archive, &into);
        (dir, result)
    }

    #[test]
    fn files_land_where_the_archive_says() {
        let regular = tar::EntryType::Regular;
        let archive = tar_gz(&[("./a/b.txt", regular, b"hello"), ("c", regular, b"")]);
        let (dir, result) = unpack_bytes("x.tar.gz", &archive);
        result.unwrap();
        assert_eq!(fs::read(dir.path().join("in/a/b.txt")).unwrap(), b"hello");
        let (dir, result) = unpack_bytes("x.whl", &zip_of(&[("p/q.png", b"abc"), ("d/", b"")]));
        result.unwrap();
        assert_eq!(fs::read(dir.path().join("in/p/q.png")).unwrap(), b"abc");
    }

    #[test]
    fn no_entry_escapes_the_folder() {
        for name in ["../evil", "a/../../evil", "/tmp/avocet-evil"] {
            let archive = tar_gz(&[(name, tar::EntryType::Regular, b"x")]);
            let (dir, result) = unpack_bytes("x.tgz", &archive);
            assert!(
                result.unwrap_err().to_string().contains("outside"),
                "{name}"
            );
            assert!(!dir.path().join("evil").exists());
            let (dir, result) = unpack_bytes("x.zip", &zip_of(&[(name, b"x")]));
            assert!(
                result.is_err() || !dir.path().join("evil").exists(),
                "{name}"
            );
        }
        assert!(!Path::new("/tmp/avocet-evil").exists());
    }

    #[test]
    fn links_are_left_out_so_nothing_is_written_through_them() {
        let archive = tar_gz(&[
            ("link", tar::EntryType::Symlink, b""),
            ("link/x", tar::EntryType::Regular, b"x"),
        ]);
        let (dir, result) = unpack_bytes("x.tgz", &archive);
        result.unwrap();
        assert!(dir.path().join("in/link").is_dir());
        assert!(!Path::new("/etc/x").exists());
    }

    #[test]
    fn too_much_is_refused_with_the_number() {
        let dir = tempfile::tempdir().unwrap();
        let archive = zip_of(&[("a", &[0; 100]), ("b", &[0; 100])]);
        let few = Budget {
            bytes: 150,
            files: 9,
        };
        let error = unpack_zip(io::Cursor::new(&archive), dir.path(), few).unwrap_err();
        assert!(error.contains("bytes"), "{error}");
        let few = Budget {
            bytes: 1500,
            files: 1,
        };
        let error = unpack_zip(io::Cursor::new(&archive), dir.path(), few).unwrap_err();
        assert!(error.contains("files"), "{error}");
    }

    #[test]
    fn broken_archives_are_errors() {
        let whole = tar_gz(&[("a", tar::EntryType::Regular, &[7; 3000])]);
        for cut in [0, 1, 20, whole.len() / 2] {
            let (_dir, result) = unpack_bytes("x.tgz", &whole[..cut]);
            assert!(result.is_err() || cut == 0, "{cut}");
        }
        let (_dir, result) = unpack_bytes("x.zip", b"PK not really");
        assert!(result.is_err());
        let (_dir, result) = unpack_bytes("x.rar", b"Rar!");
        assert!(result.unwrap_err().to_string().contains(".deb"));
    }
}
