//! The browser's folder: made anew for each browser and gone after it, whatever ends us.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// Begins the name of every browser's folder.
const PREFIX: &str = "avocet-browser-";
/// Held locked by whoever uses the folder.
const LOCK: &str = "in-use";

/// A temporary folder. A guard, a process that does nothing but wait for our end, removes it
/// when we are killed; what a guard left behind, the next browser removes.
#[derive(Debug)]
pub(super) struct Profile {
    folder: TempDir,
    guard: Child,
    _lock: File,
}

impl Profile {
    pub(super) fn new() -> io::Result<Self> {
        remove_abandoned(&std::env::temp_dir());
        let (folder, lock) = held()?;
        // The text is fixed and the folder a parameter: nothing of it is read as a command. The
        // wait lets a browser that dies with us finish writing.
        let guard = Command::new("/bin/sh")
            .args([
                "-c",
                "while read -r _; do :; done; sleep 1; exec rm -rf -- \"$0\"",
            ])
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        Ok(Self {
            folder,
            guard,
            _lock: lock,
        })
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        // The guard first: the folder is removed by us, and nobody waits for its second.
        let _ = self.guard.kill();
        let _ = self.guard.wait();
        for _ in 0..20 {
            match fs::remove_dir_all(self.folder.path()) {
                // The last of the browser's processes may still be writing.
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    std::thread::sleep(std::time::Duration::from_millis(25));
                }
                _ => return,
            }
        }
    }
}

/// A new folder and its lock; another one where somebody took it for abandoned before it was locked.
fn held() -> io::Result<(TempDir, File)> {
    loop {
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir()?;
        let path = folder.path().join(LOCK);
        let lock = File::create(&path)?;
        lock.lock()?;
        if path.exists() {
            return Ok((folder, lock));
        }
    }
}

/// Removes our folders that nobody holds locked.
fn remove_abandoned(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let ours = |path: &PathBuf| {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        name.starts_with(PREFIX) && fs::symlink_metadata(path).is_ok_and(|found| found.is_dir())
    };
    for path in entries.map(|entry| entry.path()).filter(ours) {
        let Ok(lock) = File::open(path.join(LOCK)) else {
            continue;
        };
        // Held until the folder is gone: who has made it just now and waits for the lock sees that.
        if lock.try_lock().is_ok() {
            // Another user's folder refuses, and stays.
            let _ = fs::remove_dir_all(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_goes_with_its_owner_and_an_abandoned_one_with_the_next() {
        let profile = Profile::new().unwrap();
        let path = profile.path().to_owned();
        fs::create_dir_all(path.join("Default/Cache")).unwrap();
        drop(profile);
        assert!(!path.exists());

        let place = tempfile::tempdir().unwrap();
        let (held, left) = (
            place.path().join("avocet-browser-a"),
            place.path().join("avocet-browser-b"),
        );
        let other = place.path().join("others");
        for folder in [&held, &left, &other] {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join(LOCK), "").unwrap();
        }
        let lock = File::open(held.join(LOCK)).unwrap();
        lock.lock().unwrap();
        remove_abandoned(place.path());
        assert!(held.exists() && !left.exists() && other.exists());
    }
}
