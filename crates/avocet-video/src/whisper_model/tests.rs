//! A tiny network in CTranslate2's format: converted to the last bit, and its file mutated.

use super::convert::{self, source, tensor_header, widen};
use super::ctranslate2::{Ct2, NumberType};
use super::dimensions::{Dimensions, Role};
use super::joined::Joined;
use super::*;

const TINY: Dimensions = Dimensions {
    vocab: 51864,
    audio_context: 1500,
    width: 4,
    audio_heads: 2,
    audio_layers: 4,
    text_context: 8,
    text_width: 4,
    text_heads: 2,
    text_layers: 1,
    mels: 80,
};

/// Writes the files of a faster-whisper folder with numbers of `kind`, each different.
fn folder(kind: NumberType) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("model.bin"), bytes_of(kind)).unwrap();
    let vocabulary = "!\nĠa\nÃ\n<|endoftext|>\n<|startoftranscript|>\n";
    fs::write(dir.path().join("vocabulary.txt"), vocabulary).unwrap();
    dir
}

fn bytes_of(kind: NumberType) -> Vec<u8> {
    let code = match kind {
        NumberType::F16 => 4u8,
        NumberType::I8 => 1,
        _ => 0,
    };
    let mut variables: Vec<(String, Vec<u32>, u8, Vec<u8>)> = Vec::new();
    for name in ["encoder/num_heads", "decoder/num_heads"] {
        variables.push((name.into(), vec![], 2, vec![2, 0]));
    }
    let mut state = 1u32;
    for tensor in TINY.tensors() {
        let rows = source(&tensor.name);
        if variables.iter().any(|(name, ..)| *name == rows.variable) {
            continue;
        }
        let mut shape = tensor.shape.clone();
        if shape.last() == Some(&1) {
            shape.pop();
        }
        shape[0] *= rows.of as u32;
        let count: u32 = shape.iter().product();
        let mut data = Vec::new();
        for index in 0..count {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let third = count / rows.of as u32;
            let is_key = match (rows.of, index / third) {
                (3, part) => part == 1,
                (2, part) => part == 0,
                _ => false,
            };
            let is_zero = is_key && rows.variable.ends_with("bias");
            // Finite in 16 bits: the exponent is never all ones.
            let bits = if is_zero {
                0
            } else {
                (state >> 16) as u16 & 0xbbff
            };
            match kind {
                NumberType::F16 => data.extend(bits.to_le_bytes()),
                NumberType::I8 => data.push(bits as u8),
                _ => data.extend(half::f16::from_bits(bits).to_f32().to_le_bytes()),
            }
        }
        variables.push((rows.variable, shape, code, data));
    }
    let mut bytes = 6u32.to_le_bytes().to_vec();
    let text = |bytes: &mut Vec<u8>, text: &str| {
        bytes.extend((text.len() as u16 + 1).to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes.push(0);
    };
    text(&mut bytes, "WhisperSpec");
    bytes.extend(3u32.to_le_bytes());
    bytes.extend((variables.len() as u32).to_le_bytes());
    for (name, shape, code, data) in &variables {
        text(&mut bytes, name);
        bytes.push(shape.len() as u8);
        shape
            .iter()
            .for_each(|size| bytes.extend(size.to_le_bytes()));
        bytes.push(*code);
        bytes.extend((data.len() as u32).to_le_bytes());
        bytes.extend(data);
    }
    bytes
}

fn models(cache: &Path) -> WhisperModels {
    WhisperModels::with_cache(cache).unwrap()
}

#[test]
fn every_tensor_of_a_converted_folder_has_its_sources_bits() {
    for kind in [NumberType::F16, NumberType::F32] {
        let (dir, cache) = (folder(kind), tempfile::tempdir().unwrap());
        let model = models(cache.path())
            .find(dir.path().to_str().unwrap())
            .unwrap();
        assert!(!model.is_multilingual);
        let converted = fs::read(&model.path).unwrap();
        assert_eq!(converted.len() as u64, model.bytes);
        let ct2 = Ct2::open(Joined::open(&[dir.path().join("model.bin")]).unwrap()).unwrap();
        // From the end to the front: the numbers, and what stands before them.
        let mut end = converted.len();
        for tensor in TINY.tensors().iter().rev() {
            let rows = source(&tensor.name);
            let variable = ct2.get(&rows.variable).unwrap();
            let count = variable.bytes / rows.of;
            let bytes = ct2.read(variable, count * rows.index, count).unwrap();
            let is_half = kind == NumberType::F16 && tensor.role != Role::Small;
            let wanted = if is_half { bytes } else { widen(&bytes, kind) };
            let start = end - wanted.len();
            assert!(converted[start..end] == wanted[..], "{}", tensor.name);
            let header = tensor_header(tensor, is_half);
            end = start - header.len();
            assert_eq!(converted[end..start], header[..], "{}", tensor.name);
        }
        let tokens: Vec<u8> = [&b"!"[..], b" a", b"\xc3"]
            .iter()
            .flat_map(|token| [&(token.len() as u32).to_le_bytes(), *token].concat())
            .collect();
        assert!(converted[..end].ends_with(&tokens));
    }
}

#[test]
fn a_folder_is_converted_once_and_anew_when_it_changes() {
    let (dir, cache) = (folder(NumberType::F16), tempfile::tempdir().unwrap());
    let find = || models(cache.path()).find(dir.path().to_str().unwrap());
    let first = find().unwrap();
    let written = first.path.metadata().unwrap().modified().unwrap();
    let second = find().unwrap();
    assert_eq!(first, second);
    assert_eq!(second.path.metadata().unwrap().modified().unwrap(), written);
    fs::write(dir.path().join("vocabulary.txt"), "?\n<|endoftext|>\n").unwrap();
    assert_ne!(find().unwrap().path, first.path);
    let left = fs::read_dir(cache.path().join("whisper")).unwrap().count();
    assert_eq!(left, 2, "no partial file is left behind");
}

#[test]
fn numbers_that_were_rounded_already_are_refused() {
    let (dir, cache) = (folder(NumberType::I8), tempfile::tempdir().unwrap());
    let error = models(cache.path())
        .find(dir.path().to_str().unwrap())
        .unwrap_err()
        .to_string();
    assert!(error.contains("I8") && error.contains("float16"), "{error}");
    assert_eq!(
        fs::read_dir(cache.path().join("whisper")).unwrap().count(),
        0
    );
}

#[test]
fn two_halves_of_a_file_convert_as_the_whole() {
    let (dir, cache) = (folder(NumberType::F16), tempfile::tempdir().unwrap());
    let bytes = fs::read(dir.path().join("model.bin")).unwrap();
    let halves = tempfile::tempdir().unwrap();
    let (one, two) = (halves.path().join("one/a"), halves.path().join("two/b"));
    fs::create_dir_all(&one).unwrap();
    fs::create_dir_all(&two).unwrap();
    fs::write(one.join("model.bin.part1"), &bytes[..100_003]).unwrap();
    fs::copy(
        dir.path().join("vocabulary.txt"),
        one.join("vocabulary.txt"),
    )
    .unwrap();
    fs::write(two.join("model.bin.part2"), &bytes[100_003..]).unwrap();
    let packages = [halves.path().join("one"), halves.path().join("two")];
    let joined = cache.path().join("joined.bin");
    write(&FolderParts::of_packages(&packages).unwrap(), &joined).unwrap();
    let whole = models(cache.path())
        .find(dir.path().to_str().unwrap())
        .unwrap();
    assert!(fs::read(joined).unwrap() == fs::read(whole.path).unwrap());
}

#[test]
fn what_is_no_model_is_said_in_one_line() {
    let cache = tempfile::tempdir().unwrap();
    let message = |reference: &str| {
        models(cache.path())
            .find(reference)
            .unwrap_err()
            .to_string()
    };
    assert!(message("huge").contains("tiny.en or base"));
    assert!(message(cache.path().to_str().unwrap()).contains("model.bin"));
    let file = cache.path().join("x.bin");
    fs::write(&file, b"GGUF1234").unwrap();
    assert!(message(file.to_str().unwrap()).contains("ggml"));
    fs::write(&file, b"").unwrap();
    assert!(message(file.to_str().unwrap()).contains("ggml"));
}

/// A seeded stream of numbers.
struct Draws(u64);

impl Draws {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % limit.max(1)
    }
}

/// Changes a few bytes of the headers, cuts the file, or fills a run with ones.
fn mutate(bytes: &mut Vec<u8>, headers: &[usize], draws: &mut Draws) {
    match draws.below(4) {
        0 => bytes.truncate(draws.below(bytes.len())),
        1 => {
            let at = headers[draws.below(headers.len())];
            let end = (at + 1 + draws.below(8)).min(bytes.len());
            bytes[at..end].fill(0xff);
        }
        _ => {
            for _ in 0..=draws.below(3) {
                let at = headers[draws.below(headers.len())];
                bytes[at] ^= 1 << draws.below(8);
            }
        }
    }
}

#[test]
fn a_name_with_a_line_end_leaves_the_message_on_one_line() {
    let error = WhisperModelError::model(Path::new("m.bin"), "conv\n.weight", "is unknown");
    assert_eq!(error.to_string(), r#""m.bin": conv\n.weight: is unknown"#);
}

/// Mutated files give an answer or an error; `AVOCET_MUTATIONS` sets how many are tried.
#[test]
fn mutated_models_end_in_an_answer_or_an_error() {
    let count: usize = std::env::var("AVOCET_MUTATIONS")
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(200);
    let (dir, cache) = (folder(NumberType::F16), tempfile::tempdir().unwrap());
    let original = fs::read(dir.path().join("model.bin")).unwrap();
    let vocabulary = dir.path().join("vocabulary.txt");
    let model = models(cache.path())
        .find(dir.path().to_str().unwrap())
        .unwrap();
    let converted = fs::read(&model.path).unwrap();
    let ct2 = Ct2::open(Joined::open(&[dir.path().join("model.bin")]).unwrap()).unwrap();
    // Bytes of the headers: the first of the file, and those before the numbers of each variable.
    let mut ct2_headers: Vec<usize> = (0..64).collect();
    let mut ggml_headers: Vec<usize> = (0..56).chain(64_376..64_420).collect();
    let mut end = converted.len();
    for tensor in TINY.tensors().iter().rev() {
        let variable = ct2.get(&source(&tensor.name).variable).unwrap();
        let at = variable.position as usize;
        ct2_headers.extend(at - 60..at);
        let rows = source(&tensor.name);
        let is_half = tensor.role != Role::Small;
        let bytes = (variable.bytes / rows.of) as usize * if is_half { 1 } else { 2 };
        let header = tensor_header(tensor, is_half).len();
        ggml_headers.extend(end - bytes - header..end - bytes);
        end -= bytes + header;
    }
    let mut draws = Draws(7);
    let path = cache.path().join("mutated.bin");
    let mut refused = 0;
    for index in 0..count {
        let is_ct2 = index % 2 == 0;
        let (mut bytes, headers) = if is_ct2 {
            (original.clone(), &ct2_headers)
        } else {
            (converted.clone(), &ggml_headers)
        };
        mutate(&mut bytes, headers, &mut draws);
        fs::write(&path, &bytes).unwrap();
        let result = if is_ct2 {
            Joined::open(std::slice::from_ref(&path))
                .and_then(Ct2::open)
                .and_then(|ct2| convert::convert(&ct2, &vocabulary, &mut std::io::sink()))
        } else {
            ggml::check(&path).map(drop)
        };
        if let Err(error) = result {
            refused += 1;
            let error = error.to_string();
            assert!(
                error.contains("mutated.bin") && error.lines().count() == 1,
                "{error}"
            );
        }
    }
    assert!(refused > count / 2, "{refused} of {count} were refused");
}
