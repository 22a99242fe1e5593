//! Formulas in LaTeX, Markdown and plain text.

#![no_main]

use formulas::{Markup, find_formulas};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        for markup in [Markup::Tex, Markup::Markdown, Markup::Plain] {
            find_formulas(text, markup);
        }
    }
});
