//! Addresses of pages, and the ids of hubs.

#![no_main]

use avocet_fetch::HubId;
use avocet_fetch::web::web_url;
use avocet_media::named::{brief, data_uri};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        if let Ok(url) = web_url(text) {
            assert!(matches!(url.scheme(), "http" | "https"));
        }
        let _ = HubId::parse(text);
        let _ = data_uri(text, 1 << 16);
        brief(text);
    }
});
