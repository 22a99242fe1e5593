//! What the fuzz targets share: a folder in memory for readers that take a path.

use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Once};

use tempfile::TempDir;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| {
    let memory = Path::new("/dev/shm");
    let made = match memory.is_dir() {
        true => TempDir::new_in(memory),
        false => TempDir::new(),
    };
    made.expect("a temporary folder can be made")
});

/// Lets panics go on to whoever catches them: where the code of others reads a file, a panic in it
/// counts as a broken file. libFuzzer's own hook ends the process at once; it still ends it where
/// a panic reaches the target.
pub fn panics_may_be_caught() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| std::panic::set_hook(Box::new(|_| {})));
}

/// Writes `bytes` to a file of that name and gives its path; the same file each time.
pub fn placed(name: &str, bytes: &[u8]) -> PathBuf {
    let path = FOLDER.path().join(name);
    std::fs::write(&path, bytes).expect("the folder takes a file");
    path
}

/// A folder with the files of the model `family` of the golden data, the file `name` with `bytes`
/// in its place.
pub fn model_with(family: &str, name: &str, bytes: &[u8]) -> PathBuf {
    let folder = FOLDER.path().join(family);
    if !folder.is_dir() {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../golden/families");
        std::fs::create_dir(&folder).expect("a folder can be made");
        let files = std::fs::read_dir(golden.join(family).join("model")).expect("golden data");
        for file in files.flatten().filter(|file| file.path().is_file()) {
            std::fs::copy(file.path(), folder.join(file.file_name())).expect("a file is copied");
        }
    }
    std::fs::write(folder.join(name), bytes).expect("the folder takes a file");
    folder
}
