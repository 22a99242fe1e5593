//! Texts of every markup that is read as paragraphs: plain, Markdown, HTML.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        for block in reading::placed_paragraphs(text) {
            assert!(block.bytes.end <= text.len());
        }
        reading::placed_blocks(text);
        reading::keyboard(text);
    }
});
