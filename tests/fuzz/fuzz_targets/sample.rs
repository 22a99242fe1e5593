//! A sample as it lies in a shard: the tar members as they are, and a description whose name and
//! checksum are set right, so that what is behind them is reached.

#![no_main]

use avocet_data::Sample;
use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};

/// A member of a tar file.
fn member(name: &str, contents: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 512];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    bytes[124..136].copy_from_slice(format!("{:011o}\0", contents.len()).as_bytes());
    bytes[148..156].fill(b' ');
    bytes[156] = b'0';
    let sum: u32 = bytes.iter().map(|byte| u32::from(*byte)).sum();
    bytes[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    bytes.extend(contents);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fuzz_target!(|data: &[u8]| {
    let _ = Sample::from_members(data);
    let id: String = Sha256::digest(data)[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let _ = Sample::from_members(&member(&format!("{id}.json"), data));
});
