//! A GGUF file: metadata, tokenizer, tensors.

#![no_main]

use avocet_checkpoint::ModelFiles;
use avocet_checkpoint::gguf::Gguf;
use avocet_fuzz::placed;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let path = placed("model.gguf", data);
    let _ = Gguf::open(&path);
    if let Ok(files) = ModelFiles::open(&path) {
        let _ = files.language();
    }
});
