//! Damaged and hostile files of `torch.save`: refused or read; never a panic, never executed.

use super::tests::golden;
use super::*;
use crate::fixture::below;
use candle_core::Device;
use std::io::Write;
use tempfile::NamedTempFile;

fn open(bytes: &[u8]) -> Result<Pickle, String> {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    Pickle::open(file.path()).map_err(|error| error.to_string())
}

/// A zip archive of stored members, without zip64.
fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in members {
        let place = bytes.len() as u32;
        let length = (content.len() as u32).to_le_bytes();
        let name_length = (name.len() as u16).to_le_bytes();
        let mut fields = vec![0; 10];
        fields.extend([0; 4]);
        fields.extend([length, length].concat());
        fields.extend(name_length);
        fields.extend([0, 0]);
        bytes.extend(b"PK\x03\x04");
        bytes.extend(&fields);
        bytes.extend(name.as_bytes());
        bytes.extend(*content);
        directory.extend(b"PK\x01\x02\0\0");
        directory.extend(&fields);
        directory.extend([0; 10]);
        directory.extend(place.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let start = (bytes.len() as u32).to_le_bytes();
    let count = (members.len() as u16).to_le_bytes();
    bytes.extend(&directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend([count, count].concat());
    bytes.extend((directory.len() as u32).to_le_bytes());
    bytes.extend(start);
    bytes.extend([0, 0]);
    bytes
}

fn pickle(program: &[u8]) -> Result<Pickle, String> {
    open(&zip(&[("a/data.pkl", program), ("a/data/0", &[0; 16])]))
}

fn text(text: &str) -> Vec<u8> {
    let length = (text.len() as u32).to_le_bytes();
    [b"X", length.as_slice(), text.as_bytes()].concat()
}

/// A tensor of four F32 stored under `key`: sizes and strides are instructions for tuples.
fn tensor(key: &str, count: u8, offset: u8, sizes: &[u8], strides: &[u8]) -> Vec<u8> {
    [
        b"ctorch._utils\n_rebuild_tensor_v2\n((".as_slice(),
        &text("storage"),
        b"ctorch\nFloatStorage\n",
        &text(key),
        &text("cpu"),
        &[b'K', count, b't', b'Q', b'K', offset],
        sizes,
        strides,
        b"\x89)tR",
    ]
    .concat()
}

fn small(sizes: &[u8]) -> Vec<u8> {
    let numbers = sizes.iter().flat_map(|&size| [b'K', size]);
    [b'('].into_iter().chain(numbers).chain([b't']).collect()
}

#[test]
fn every_lie_is_refused_by_name() {
    // 2^40, -1 as LONG1.
    let huge = b"\x8a\x06\0\0\0\0\0\x01".as_slice();
    let pair = [b"(", huge, huge, b"t"].concat();
    let one = |sizes: &[u8], strides: &[u8], offset| {
        [tensor("0", 4, offset, sizes, strides), b".".to_vec()].concat()
    };
    let (four, unit) = (small(&[4]), small(&[1]));
    let deep = [b"]".repeat(100), b"a".repeat(99), b".".to_vec()].concat();
    // Thirty lists that each hold the next one twice.
    let laughs: Vec<u8> = (0..30)
        .flat_map(|i: u8| {
            [
                b']',
                b'q',
                i,
                b'h',
                i.saturating_sub(1),
                b'a',
                b'h',
                i.saturating_sub(1),
                b'a',
            ]
        })
        .chain([b'.'])
        .collect();
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (b"".to_vec(), "ends within an instruction"),
        (b".".to_vec(), "the stack is empty"),
        (b"(.".to_vec(), "the stack is empty"),
        (b"\x80\x05.".to_vec(), "protocol 5 is not read"),
        (b"I1\n.".to_vec(), "at its byte 0: opcode 0x49 is not run"),
        (
            b"cos\nsystem\n.".to_vec(),
            "at its byte 0: global os.system is refused",
        ),
        (b"cbuiltins\neval\n.".to_vec(), "builtins.eval is refused"),
        (b"cos\nsystem".to_vec(), "a line does not end"),
        (
            b"X\xff\xff\xff\xffa.".to_vec(),
            "ends within an instruction",
        ),
        (b"h\x05.".to_vec(), "the memo has no value 5"),
        (b"}(K\x01u.".to_vec(), "a key has no value"),
        (b"]K\x01K\x02s.".to_vec(), "items for what is no dict"),
        (b"}K\x01a.".to_vec(), "items for what is no list"),
        (b"NNR.".to_vec(), "arguments that are no tuple"),
        (b"N)R.".to_vec(), "a call of what is no function"),
        (
            b"ccollections\nOrderedDict\n(K\x01tR.".to_vec(),
            "called with other arguments",
        ),
        (b"(K\x01tQ.".to_vec(), "a persistent id that is no storage"),
        (
            [b"(".repeat(300), b".".to_vec()].concat(),
            "too deep within each other",
        ),
        (deep, "containers lie deeper than 64"),
        (b"]q\0h\0a.".to_vec(), "containers"),
        (laughs, "containers"),
        (
            one(&small(&[5]), &unit, 0),
            "leaves storage \"0\" of 4 numbers",
        ),
        (one(&four, &unit, 1), "leaves storage"),
        (one(&four, &small(&[2]), 0), "leaves storage"),
        (one(&four, &small(&[1, 1]), 0), "1 sizes and 2 strides"),
        (one(b"(N\x74", &unit, 0), "no whole numbers"),
        (one(b"(J\xff\xff\xff\xfft", &unit, 0), "no whole numbers"),
        (one(&pair, &small(&[0, 0]), 0), "overflows"),
        (one(&pair, &pair, 0), "overflows"),
        (
            [tensor("0", 5, 0, &four, &unit), b".".to_vec()].concat(),
            "should hold 5 numbers",
        ),
        (
            [tensor("9", 4, 0, &four, &unit), b".".to_vec()].concat(),
            "no member \"a/data/9\"",
        ),
        (
            [
                b"}(N".to_vec(),
                tensor("0", 4, 0, &four, &unit),
                b"u.".to_vec(),
            ]
            .concat(),
            "a key is neither",
        ),
        (
            [
                b"}(K\x01".to_vec(),
                tensor("0", 4, 0, &four, &unit),
                text("1"),
                tensor("0", 4, 0, &four, &unit),
                b"u.".to_vec(),
            ]
            .concat(),
            "at \"1\": two tensors have this path",
        ),
    ];
    for (program, wanted) in cases {
        let message = pickle(&program).map(drop).unwrap_err();
        assert!(message.contains(wanted), "{wanted:?} is not in {message:?}");
    }
    let whole = pickle(&one(&four, &unit, 0)).unwrap();
    assert_eq!(whole.tensors().next().unwrap().shape, [4]);
}

#[test]
fn an_archive_that_torch_does_not_write_is_refused() {
    let same = zip(&[("a/data.pkl", b"N."), ("a/data.pkl", b"N.")]);
    let big = zip(&[("a/byteorder", b"big"), ("a/data.pkl", b"N.")]);
    let mut compressed = zip(&[("a/data.pkl", b"N.")]);
    let entry = compressed
        .windows(4)
        .position(|w| w == b"PK\x01\x02")
        .unwrap();
    compressed[entry + 10] = 8;
    let mut tar = vec![0; 300];
    tar[257..262].copy_from_slice(b"ustar");
    let cases = [
        (Vec::new(), "too short for a zip archive"),
        (vec![0; 64], "no end of a zip archive"),
        (zip(&[("a/version", b"3")]), "no member \"data.pkl\""),
        (same, "appears twice"),
        (big, "byte order \"big\" is not read"),
        (compressed, "is compressed or encrypted"),
        (tar, "neither a zip archive"),
    ];
    for (bytes, wanted) in cases {
        let message = open(&bytes).map(drop).unwrap_err();
        assert!(message.contains(wanted), "{wanted:?} is not in {message:?}");
    }
}

#[test]
fn a_damaged_file_is_refused_or_read() {
    let mut state = 9;
    let (mut read, mut refused) = (0, 0);
    for name in ["nested", "types", "views", "protocol4", "wrapped", "legacy"] {
        let whole = std::fs::read(golden(&format!("pickle_{name}.pt"))).unwrap();
        for _ in 0..1000 {
            let mut bytes = whole.clone();
            let at = below(&mut state, whole.len() - 8);
            match below(&mut state, 4) {
                0 => bytes.truncate(at),
                1 => bytes[at] ^= 1 << below(&mut state, 8),
                2 => bytes[at..at + 8]
                    .copy_from_slice(&(u64::MAX >> below(&mut state, 64)).to_le_bytes()),
                _ => bytes[at] = below(&mut state, 256) as u8,
            }
            match open(&bytes) {
                Err(message) => {
                    assert!(message.len() < 10_000);
                    refused += 1;
                }
                Ok(file) => {
                    for stored in file.tensors() {
                        let tensor = file.tensor(&stored.name, &Device::Cpu).unwrap().unwrap();
                        assert!(tensor.elem_count() <= bytes.len(), "{}", stored.name);
                    }
                    read += 1;
                }
            }
        }
    }
    assert!(
        read > 500 && refused > 1500,
        "{read} read, {refused} refused"
    );
}
