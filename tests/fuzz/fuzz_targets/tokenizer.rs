//! A `tokenizer.json`, and a text through it.

#![no_main]

use avocet_text::Tokenizer;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(tokenizer) = Tokenizer::from_json(data) {
        if let Ok(ids) = tokenizer.encode("Straße 12, <s>日本</s> it's", true) {
            let _ = tokenizer.decode(&ids);
        }
    }
});
