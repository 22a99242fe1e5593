//! What the worker is asked and what it answers.

#![no_main]

use avocet_media::child::{ChildLimits, Envelope, Request, read_block};
use avocet_media::video::MediaInfo;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = serde_json::from_slice::<Request>(data);
    let _ = serde_json::from_slice::<ChildLimits>(data);
    let _ = serde_json::from_slice::<Envelope<MediaInfo>>(data);
    let (mut pipe, mut block) = (data, Vec::new());
    while read_block(&mut pipe, &mut block).is_ok_and(|more| more) {}
});
