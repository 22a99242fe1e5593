//! A speech model: a ggml file, and the `model.bin` of CTranslate2 with its conversion.

#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use avocet_fuzz::placed;
use avocet_video::whisper_model::WhisperModels;
use libfuzzer_sys::fuzz_target;

/// A folder of faster-whisper without its weights, and the folder of conversions.
static FOLDERS: LazyLock<(PathBuf, PathBuf)> = LazyLock::new(|| {
    let (folder, cache) = (placed("a", b""), placed("b", b""));
    let folders = (folder.with_file_name("model"), cache.with_file_name("cache"));
    std::fs::create_dir(&folders.0).expect("a folder can be made");
    let words: String = (0..51_864).map(|n| format!("{n}\n")).collect();
    std::fs::write(folders.0.join("vocabulary.txt"), words).expect("is written");
    folders
});

fuzz_target!(|data: &[u8]| {
    let (folder, cache) = &*FOLDERS;
    let models = WhisperModels::with_cache(cache).expect("the list of sources is right");
    let _ = models.find(&placed("ggml.bin", data).to_string_lossy());
    std::fs::write(folder.join("model.bin"), data).expect("the folder takes a file");
    let _ = models.find(&folder.to_string_lossy());
    let _ = std::fs::remove_dir_all(cache);
});
