//! A ggml file held against what a network of its shape must have, before Whisper's runtime
//! reads it: the runtime trusts sizes in the file.

use std::collections::BTreeMap;
use std::path::Path;

use super::convert::MAGIC;
use super::dimensions::{Dimensions, Expected, Role};
use super::error::WhisperModelError;
use super::joined::{Cursor, Joined};
use super::mel;

type Result<T> = std::result::Result<T, WhisperModelError>;

const MAX_TOKEN_BYTES: u32 = 1024;
const MAX_NAME_BYTES: u32 = 256;
/// What a file's format number is taken modulo of.
const FORMAT_VERSIONS: u32 = 1000;
const F32: u32 = 0;
const F16: u32 = 1;

/// Formats of matrices: the file's number, the tensors' number, numbers in a block and its bytes.
const FORMATS: [(u32, u32, u64, u64); 12] = [
    (0, F32, 1, 4),
    (1, F16, 1, 2),
    (2, 2, 32, 18),
    (3, 3, 32, 20),
    (7, 8, 32, 34),
    (8, 6, 32, 22),
    (9, 7, 32, 24),
    (10, 10, 256, 84),
    (11, 11, 256, 110),
    (12, 12, 256, 144),
    (13, 13, 256, 176),
    (14, 14, 256, 210),
];

/// The shape of the model in the file at `path`.
///
/// Errors, naming the field or tensor, if the file is not of this format, has sizes that disagree,
/// or lacks a tensor.
pub(super) fn check(path: &Path) -> Result<Dimensions> {
    let file = Joined::open(&[path.to_owned()])?;
    let mut cursor = Cursor::new(&file, 0);
    let wrong = |part: &str, reason: String| WhisperModelError::model(path, part, reason);
    if file.length() < 4 || cursor.u32()? != MAGIC {
        let reason = "is not of the ggml format, as whisper.cpp writes it (a GGUF file is not)";
        return Err(wrong("the file", reason.into()));
    }
    let mut next = || cursor.u32();
    let dimensions = Dimensions {
        vocab: next()?,
        audio_context: next()?,
        width: next()?,
        audio_heads: next()?,
        audio_layers: next()?,
        text_context: next()?,
        text_width: next()?,
        text_heads: next()?,
        text_layers: next()?,
        mels: next()?,
    };
    let format = next()?;
    dimensions.validate(path)?;
    let format_row = FORMATS.iter().find(|row| row.0 == format % FORMAT_VERSIONS);
    let Some(&(_, matrix_type, ..)) = format_row else {
        return Err(wrong("ftype", format!("is {format}, which is unknown")));
    };
    let filters = (cursor.u32()?, cursor.u32()?);
    if filters != (dimensions.mels, mel::BINS as u32) {
        let reason = format!("are {filters:?}, not {:?}", (dimensions.mels, mel::BINS));
        return Err(wrong("the mel filters", reason));
    }
    cursor.skip(u64::from(filters.0) * u64::from(filters.1) * 4)?;
    let tokens = cursor.u32()?;
    if tokens > dimensions.vocab {
        let reason = format!("are {tokens}, but n_vocab is {}", dimensions.vocab);
        return Err(wrong("the tokens", reason));
    }
    for token in 0..tokens {
        let length = cursor.u32()?;
        if length > MAX_TOKEN_BYTES {
            return Err(wrong(
                &format!("token {token}"),
                format!("has {length} bytes"),
            ));
        }
        cursor.skip(u64::from(length))?;
    }
    let mut missing: BTreeMap<String, Expected> = dimensions
        .tensors()
        .into_iter()
        .map(|tensor| (tensor.name.clone(), tensor))
        .collect();
    while !cursor.at_end() {
        tensor(&mut cursor, path, matrix_type, &mut missing)?;
    }
    match missing.first_key_value() {
        None => Ok(dimensions),
        Some((name, _)) => Err(wrong(name, "is missing".into())),
    }
}

/// Checks one tensor and takes it off the list.
fn tensor(
    cursor: &mut Cursor<'_>,
    path: &Path,
    matrix_type: u32,
    missing: &mut BTreeMap<String, Expected>,
) -> Result<()> {
    let at = cursor.position;
    let wrong = |part: &str, reason: String| WhisperModelError::model(path, part, reason);
    let (rank, length, found_type) = (cursor.u32()?, cursor.u32()?, cursor.u32()?);
    if rank > 3 || length > MAX_NAME_BYTES {
        let reason = format!("has {rank} axes and a name of {length} bytes");
        return Err(wrong(&format!("the tensor at {at}"), reason));
    }
    let mut shape: Vec<u32> = (0..rank).map(|_| cursor.u32()).collect::<Result<_>>()?;
    shape.reverse();
    let name = cursor.bytes(u64::from(length))?;
    let name = String::from_utf8_lossy(&name).into_owned();
    let Some(expected) = missing.remove(&name) else {
        return Err(wrong(
            &name,
            "is no tensor of this model, or there twice".into(),
        ));
    };
    if shape != expected.shape {
        let reason = format!("has the shape {shape:?}, not {:?}", expected.shape);
        return Err(wrong(&name, reason));
    }
    let wanted_type = match expected.role {
        Role::Small => F32,
        Role::Convolution if matrix_type != F32 => F16,
        Role::Convolution | Role::Matrix => matrix_type,
    };
    if found_type != wanted_type {
        let reason = format!("is of type {found_type}, not {wanted_type}");
        return Err(wrong(&name, reason));
    }
    let Some(&(_, _, block, bytes)) = FORMATS.iter().find(|row| row.1 == found_type) else {
        return Err(wrong(&name, format!("is of the unknown type {found_type}")));
    };
    let fastest = shape.last().map_or(1, |&size| u64::from(size));
    if !fastest.is_multiple_of(block) {
        let reason = format!("has rows of {fastest}, which do not fill blocks of {block}");
        return Err(wrong(&name, reason));
    }
    // Sizes were held against bounded dimensions, so that this cannot overflow.
    let numbers: u64 = shape.iter().map(|&size| u64::from(size)).product();
    cursor.skip(numbers / block * bytes)
}
