//! Damaged GGUF files: refused by field and byte, or read; never a panic.

use super::tests::golden;
use super::*;
use crate::fixture::below;
use candle_core::Device;
use std::io::Write;
use std::path::Path;
use tempfile::NamedTempFile;

fn open(bytes: &[u8]) -> Result<Gguf, String> {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    Gguf::open(Path::new(file.path())).map_err(|error| error.to_string())
}

fn text(text: &str) -> Vec<u8> {
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend(text.as_bytes());
    bytes
}

struct Info(&'static str, &'static [u64], u32, u64);

/// A file of version 3 with the given pairs (key, type and value) and tensors.
fn file(pairs: &[(&str, Vec<u8>)], tensors: &[Info], data: usize) -> Vec<u8> {
    let mut bytes = b"GGUF\x03\0\0\0".to_vec();
    bytes.extend((tensors.len() as u64).to_le_bytes());
    bytes.extend((pairs.len() as u64).to_le_bytes());
    for (key, value) in pairs {
        bytes.extend(text(key));
        bytes.extend(value);
    }
    for Info(name, dims, dtype, offset) in tensors {
        bytes.extend(text(name));
        bytes.extend((dims.len() as u32).to_le_bytes());
        bytes.extend(dims.iter().flat_map(|dim| dim.to_le_bytes()));
        bytes.extend(dtype.to_le_bytes());
        bytes.extend(offset.to_le_bytes());
    }
    bytes.resize(bytes.len().next_multiple_of(32) + data, 0);
    bytes
}

fn u32_value(number: u32) -> Vec<u8> {
    [4u32, number]
        .iter()
        .flat_map(|n| n.to_le_bytes())
        .collect()
}

fn array(dtype: u32, count: u64) -> Vec<u8> {
    let mut bytes = dtype.to_le_bytes().to_vec();
    bytes.extend(count.to_le_bytes());
    bytes
}

#[test]
fn every_lie_is_refused_by_field_and_byte() {
    const HUGE: u64 = 1 << 40;
    let one = |info: Info| file(&[], &[info], 64);
    let pair = |value: Vec<u8>| file(&[("k", value)], &[], 64);
    let start = |bytes: &[u8]| [b"GGUF".as_slice(), bytes].concat();
    let nested = [&9u32.to_le_bytes()[..], &array(9, 1).repeat(6)].concat();
    let many = [&9u32.to_le_bytes()[..], &array(4, HUGE)].concat();
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (Vec::new(), "magic, at byte 0: takes 4 bytes, but 0 follow"),
        (vec![0; 64], "the file is no GGUF file"),
        (
            start(&[1, 0, 0, 0]),
            "version, at byte 4: version 1 is not read",
        ),
        (start(&[0, 0, 0, 3]), "big-endian"),
        (
            start(&[3, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255]),
            "tensor_count, at byte 8",
        ),
        (
            pair(many),
            "value of \"k\", at byte 41: 1099511627776, but at most",
        ),
        (pair(nested), "depth of value of \"k\""),
        (pair(vec![7, 0, 0, 0, 2]), "a truth value is 2"),
        (pair(vec![13, 0, 0, 0]), "metadata type 13 is unknown"),
        (
            file(&[("k", u32_value(1)), ("k", u32_value(1))], &[], 0),
            "key \"k\", at byte 41: appears twice",
        ),
        (
            file(&[("general.alignment", u32_value(0))], &[], 0),
            "must be a 32-bit power of two",
        ),
        (
            file(&[("general.alignment", u32_value(48))], &[], 0),
            "must be a 32-bit power of two",
        ),
        (
            file(&[("general.alignment", u32_value(1 << 31))], &[], 0),
            "must be a 32-bit power of two",
        ),
        (
            one(Info("t", &[HUGE, HUGE], 0, 0)),
            "dims of tensor \"t\", at byte 37: dims [1099511627776, 1099511627776] overflow",
        ),
        (one(Info("t", &[HUGE, HUGE, 0], 0, 0)), "overflow"),
        (one(Info("t", &[u64::MAX], 0, 0)), "overflow"),
        (
            one(Info("t", &[4, 4, 4, 4, 4], 0, 0)),
            "n_dims of tensor \"t\"",
        ),
        (
            one(Info("t", &[33], 8, 0)),
            "33 is no multiple of the 32 numbers of a block of Q8_0",
        ),
        (one(Info("t", &[4], 77, 0)), "tensor type 77 is unknown"),
        (
            one(Info("t", &[4], 0, 8)),
            "8 is no multiple of the alignment 32",
        ),
        (
            one(Info("t", &[17], 0, 0)),
            "68 bytes from 0 on, but there are 64 bytes",
        ),
        (
            one(Info("t", &[1], 0, u64::MAX - 31)),
            "offset of tensor \"t\"",
        ),
        (
            file(&[], &[Info("a", &[9], 0, 0), Info("b", &[1], 0, 32)], 64),
            "tensor \"b\", at byte",
        ),
        (
            file(&[], &[Info("a", &[1], 0, 0), Info("a", &[1], 0, 32)], 64),
            "tensor \"a\", at byte 57: appears twice",
        ),
    ];
    for (bytes, wanted) in cases {
        let message = open(&bytes).map(drop).unwrap_err();
        assert!(message.contains(wanted), "{wanted:?} is not in {message:?}");
    }
    let whole = one(Info("t", &[2, 8], 0, 0));
    assert_eq!(
        open(&whole).unwrap().tensors().next().unwrap().shape,
        [8, 2]
    );
    let mut older = whole;
    older[4] = 2;
    open(&older).unwrap();
}

#[test]
fn a_damaged_file_is_refused_or_read() {
    let whole = std::fs::read(golden("every_type.gguf")).unwrap();
    let header = whole.len() - 8000;
    let mut state = 7;
    let (mut read, mut refused) = (0, 0);
    for _ in 0..4000 {
        let mut bytes = whole.clone();
        let at = below(&mut state, header);
        match below(&mut state, 4) {
            0 => bytes.truncate(below(&mut state, whole.len())),
            1 => bytes[at] ^= 1 << below(&mut state, 8),
            2 => bytes[at..at + 8]
                .copy_from_slice(&(u64::MAX >> below(&mut state, 64)).to_le_bytes()),
            _ => bytes[at..at + 4].fill(255),
        }
        match open(&bytes) {
            Err(message) => {
                assert!(message.len() < 70_000);
                refused += 1;
            }
            Ok(file) => {
                for stored in file.tensors() {
                    if let Ok(Some(tensor)) = file.tensor(&stored.name, &Device::Cpu) {
                        // The densest format read takes 18 bytes for 32 numbers.
                        assert!(tensor.elem_count() <= 2 * bytes.len(), "{}", stored.name);
                    }
                }
                read += 1;
            }
        }
    }
    assert!(
        read > 300 && refused > 1500,
        "{read} read, {refused} refused"
    );
}
