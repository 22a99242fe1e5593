//! The folder that a command writes into: a refused command leaves none behind.

use std::fs;
use std::path::{Path, PathBuf};

use avocet_data::shard;

/// What `-o` names, as it was before the command ran.
#[derive(Debug)]
pub struct FreshFolder {
    /// Folders that were not there, or held nothing, the innermost first.
    folders: Vec<PathBuf>,
    /// Whether the innermost was there.
    was_there: bool,
}

impl FreshFolder {
    /// Looks at what `path` is before anything is written.
    pub fn at(path: &Path) -> Self {
        let was_there = path.exists();
        let is_empty = || fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
        let folders = match was_there {
            true => is_empty().then(|| path.to_owned()).into_iter().collect(),
            false => {
                let above = path
                    .ancestors()
                    .filter(|folder| !folder.as_os_str().is_empty());
                above
                    .take_while(|folder| !folder.exists())
                    .map(Path::to_owned)
                    .collect()
            }
        };
        Self { folders, was_there }
    }

    /// Takes away what a command that failed left there, unless some of its work is done: then a
    /// later run goes on from there.
    pub fn clear(self) {
        let Some((innermost, above)) = self.folders.split_first() else {
            return;
        };
        clear_within(innermost);
        if self.was_there {
            return;
        }
        for folder in std::iter::once(innermost).chain(above) {
            // A folder that holds something stays.
            let _ = fs::remove_dir(folder);
        }
    }
}

/// Takes away empty folders in `folder`, and what a dataset was begun with of which nothing is
/// done. What cannot be taken away stays: the command's own error is the one to tell.
fn clear_within(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            clear_within(&entry.path());
            let _ = fs::remove_dir(entry.path());
        }
    }
    let _ = shard::abandon(folder);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_command_made_and_left_empty_goes() {
        let dir = tempfile::tempdir().expect("a folder");
        let run = dir.path().join("runs/one");
        let fresh = FreshFolder::at(&run);
        fs::create_dir_all(run.join("data/deeper")).expect("made");
        fresh.clear();
        assert!(!dir.path().join("runs").exists(), "all of it was new");

        let fresh = FreshFolder::at(&run);
        fs::create_dir_all(run.join("empty")).expect("made");
        fs::write(run.join("work"), "done").expect("written");
        fresh.clear();
        assert!(run.join("work").exists() && !run.join("empty").exists());

        FreshFolder::at(&run).clear();
        assert!(run.join("work").exists(), "it was there before");
        let own = dir.path().join("own");
        fs::create_dir(&own).expect("made");
        FreshFolder::at(&own).clear();
        assert!(own.exists(), "an empty folder of the user's stays");
    }
}
