//! The header of a safetensors file, as a model's weights.

#![no_main]

use avocet_checkpoint::ModelFiles;
use avocet_fuzz::model_with;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let folder = model_with("llama", "model.safetensors", data);
    if let Ok(files) = ModelFiles::open(&folder) {
        let _ = files.builder();
    }
});
