//! Picture files of every format that is decoded in the process.

#![no_main]

use avocet_fuzz::panics_may_be_caught;
use avocet_media::{Limits, decode_damaged};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    panics_may_be_caught();
    let limits = Limits {
        max_pixels: 1 << 20,
        max_alloc: 64 << 20,
        ..Limits::default()
    };
    let _ = decode_damaged(data, &limits);
});
