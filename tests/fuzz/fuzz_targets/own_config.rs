//! The `config.toml` of a model of ours.

#![no_main]

use avocet_config::ModelConfig;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = ModelConfig::from_toml(text);
    }
});
