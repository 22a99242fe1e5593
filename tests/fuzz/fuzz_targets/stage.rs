//! A training file.

#![no_main]

use avocet_train::TrainConfig;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        if let Ok(config) = toml::from_str::<TrainConfig>(text) {
            let _ = config.validate();
        }
    }
});
