//! A chat template, under its budget.

#![no_main]

use avocet_text::{ChatTemplate, Content, Turn};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(source) = std::str::from_utf8(data) {
        for content in [Content::Text, Content::Parts] {
            if let Ok(template) = ChatTemplate::new(source, "<s>", "</s>", content) {
                let _ = template.render(&[Turn::system("Be kind."), Turn::user("Why?")]);
            }
        }
    }
});
