//! The `config.json` of a public family.

#![no_main]

use avocet_checkpoint::{ModelFiles, read_shape};
use avocet_fuzz::model_with;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let folder = model_with("llama", "config.json", data);
    let _ = read_shape(&folder);
    let _ = ModelFiles::open(&folder);
});
