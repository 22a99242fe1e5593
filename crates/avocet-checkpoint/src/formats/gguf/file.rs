//! A checked GGUF file, and tensors out of it.
//!
//! A file is: magic, version, counts, metadata, the tensors' infos, and from the next multiple of
//! the alignment on their data. Source: docs/gguf.md of ggml.

use super::cursor::{Cursor, fail};
use super::dequantize;
use super::error::{GgufError, Problem};
use super::{GgmlType, Value};
use crate::error::{CheckpointError, Result};
use crate::io::Bytes;
use candle_core::{Device, Tensor};
use half::bf16;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Longest key, as the format says.
const MAX_KEY: u64 = 65_535;
/// Longest name of a tensor; llama.cpp takes 63 bytes, other writers more.
const MAX_NAME: u64 = 1024;
/// Most dimensions, as in ggml.
const MAX_DIMS: u32 = 4;
const MAX_ALIGNMENT: u32 = 1 << 20;
pub(super) const ALIGNMENT: &str = "general.alignment";
pub(super) const DEFAULT_ALIGNMENT: u32 = 32;
/// Fewest bytes of a key with its value, and of a tensor's info.
const LEAST_PAIR: usize = 8 + 4 + 1;
const LEAST_INFO: usize = 8 + 4 + 4 + 8;

/// What a GGUF file says of one tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct GgufTensor {
    /// Its name in the file.
    pub name: String,
    /// Its number type in the file.
    pub dtype: GgmlType,
    /// Its shape, outermost dimension first.
    pub shape: Vec<usize>,
}

struct Entry {
    dtype: GgmlType,
    shape: Vec<usize>,
    /// Bytes from the start of the file.
    bytes: Range<usize>,
    /// Where its info begins and its offset stands, for messages.
    info: usize,
    offset_at: usize,
}

/// A GGUF file whose every field was checked when it was opened.
pub struct Gguf {
    path: PathBuf,
    bytes: Arc<Bytes>,
    metadata: BTreeMap<String, Value>,
    entries: BTreeMap<String, Entry>,
}

impl Gguf {
    /// Maps and checks the file `path`.
    ///
    /// Errors name the field and the byte that it begins at.
    pub fn open(path: &Path) -> Result<Self> {
        let bytes = Bytes::map(path)?;
        let checked = parse(bytes.get());
        let (metadata, entries) = checked.map_err(|reason| CheckpointError::Gguf {
            path: path.to_owned(),
            reason,
        })?;
        Ok(Self {
            path: path.to_owned(),
            bytes: Arc::new(bytes),
            metadata,
            entries,
        })
    }

    /// The metadata, by key.
    pub fn metadata(&self) -> &BTreeMap<String, Value> {
        &self.metadata
    }

    /// Every tensor, by name.
    pub fn tensors(&self) -> impl Iterator<Item = GgufTensor> {
        self.entries.iter().map(|(name, entry)| GgufTensor {
            name: name.clone(),
            dtype: entry.dtype,
            shape: entry.shape.clone(),
        })
    }

    /// The file's bytes.
    pub(crate) fn bytes(&self) -> &Arc<Bytes> {
        &self.bytes
    }

    /// Where the tensor `name` lies in the file.
    pub(crate) fn place(&self, name: &str) -> Option<Range<usize>> {
        self.entries.get(name).map(|entry| entry.bytes.clone())
    }

    /// The tensor `name`: BF16 as it is, all else in F32; `None` if there is none.
    ///
    /// Errors if its number type is one of those that are only listed.
    pub fn tensor(&self, name: &str, device: &Device) -> Result<Option<Tensor>> {
        let Some(entry) = self.entries.get(name) else {
            return Ok(None);
        };
        let bytes = &self.bytes.get()[entry.bytes.clone()];
        let shape = entry.shape.as_slice();
        if entry.dtype == GgmlType::Bf16 {
            let (numbers, _) = bytes.as_chunks::<2>();
            let values: Vec<bf16> = numbers.iter().map(|b| bf16::from_le_bytes(*b)).collect();
            return Ok(Some(Tensor::from_vec(values, shape, device)?));
        }
        let Some(values) = dequantize::numbers(entry.dtype, bytes) else {
            let problem = Problem::Unsupported(entry.dtype);
            return Err(CheckpointError::Gguf {
                path: self.path.clone(),
                reason: fail(&format!("tensor {name:?}"), entry.info, problem),
            });
        };
        Ok(Some(Tensor::from_vec(values, shape, device)?))
    }
}

type Parsed = (BTreeMap<String, Value>, BTreeMap<String, Entry>);

fn parse(file: &[u8]) -> Result<Parsed, GgufError> {
    let mut cursor = Cursor::new(file);
    if cursor.array::<4>("magic")? != *b"GGUF" {
        return Err(fail("magic", 0, Problem::Magic));
    }
    match cursor.u32("version")? {
        2 | 3 => {}
        other if other & 0xFFFF == 0 => return Err(fail("version", 4, Problem::BigEndian)),
        other => return Err(fail("version", 4, Problem::Version(other))),
    }
    let num_tensors = cursor.count(LEAST_INFO, "tensor_count")?;
    let num_pairs = cursor.count(LEAST_PAIR, "metadata_kv_count")?;
    let mut metadata = BTreeMap::new();
    let mut alignment = DEFAULT_ALIGNMENT;
    for index in 0..num_pairs {
        let start = cursor.offset();
        let key = cursor.text(MAX_KEY, &format!("key {index}"))?;
        let field = format!("value of {key:?}");
        let value_at = cursor.offset();
        let value = Value::read(&mut cursor, &field)?;
        if key == ALIGNMENT {
            alignment = checked_alignment(&value).map_err(|p| fail(&field, value_at, p))?;
        }
        if metadata.insert(key.to_owned(), value).is_some() {
            return Err(fail(&format!("key {key:?}"), start, Problem::Duplicate));
        }
    }
    let mut entries = BTreeMap::new();
    for index in 0..num_tensors {
        let (name, entry) = info(&mut cursor, index, alignment)?;
        let start = entry.info;
        if entries.insert(name.to_owned(), entry).is_some() {
            return Err(fail(&format!("tensor {name:?}"), start, Problem::Duplicate));
        }
    }
    // The alignment is at most 2^20, and a file's length at most 2^63: no overflow.
    let data = cursor.offset().next_multiple_of(alignment as usize);
    place(&mut entries, data, file.len())?;
    Ok((metadata, entries))
}

fn checked_alignment(value: &Value) -> Result<u32, Problem> {
    match value {
        Value::U32(n) if n.is_power_of_two() && *n <= MAX_ALIGNMENT => Ok(*n),
        _ => Err(Problem::Alignment {
            limit: MAX_ALIGNMENT,
        }),
    }
}

/// Reads one tensor's info; its bytes still count from the start of the data.
fn info<'a>(
    cursor: &mut Cursor<'a>,
    index: usize,
    alignment: u32,
) -> Result<(&'a str, Entry), GgufError> {
    let info = cursor.offset();
    let name = cursor.text(MAX_NAME, &format!("name of tensor {index}"))?;
    let field = |part: &str| format!("{part} of tensor {name:?}");
    let dims_at = cursor.offset();
    let num_dims = cursor.u32(&field("n_dims"))?;
    if num_dims > MAX_DIMS {
        let (found, limit) = (num_dims.into(), MAX_DIMS.into());
        let problem = Problem::TooMany { found, limit };
        return Err(fail(&field("n_dims"), dims_at, problem));
    }
    let first_at = cursor.offset();
    let dims = (0..num_dims).map(|_| cursor.u64(&field("dims")));
    let dims = dims.collect::<Result<Vec<u64>, _>>()?;
    let type_at = cursor.offset();
    let number = cursor.u32(&field("type"))?;
    let Some(dtype) = GgmlType::parse(number) else {
        return Err(fail(&field("type"), type_at, Problem::TensorType(number)));
    };
    let size = dims.first().copied().unwrap_or(1);
    let block = dtype.block_len();
    if size % block as u64 != 0 {
        let problem = Problem::Block { size, block, dtype };
        return Err(fail(&field("dims"), first_at, problem));
    }
    let Some((shape, num_bytes)) = sizes(&dims, dtype) else {
        return Err(fail(&field("dims"), first_at, Problem::Overflow(dims)));
    };
    let offset_at = cursor.offset();
    let found = cursor.u64(&field("offset"))?;
    let alignment = u64::from(alignment);
    if found % alignment != 0 {
        let problem = Problem::Unaligned { found, alignment };
        return Err(fail(&field("offset"), offset_at, problem));
    }
    let end = usize::try_from(found).ok();
    let range = end.and_then(|start| Some(start..start.checked_add(num_bytes)?));
    let Some(bytes) = range else {
        let (bytes, available) = (num_bytes as u64, cursor.remaining());
        let problem = Problem::Outside {
            found,
            bytes,
            available,
        };
        return Err(fail(&field("offset"), offset_at, problem));
    };
    let entry = Entry {
        dtype,
        shape,
        bytes,
        info,
        offset_at,
    };
    Ok((name, entry))
}

/// The shape, outermost first, and its bytes; `None` if the numbers without their blocks, or the
/// numbers as F32, would overflow.
fn sizes(dims: &[u64], dtype: GgmlType) -> Option<(Vec<usize>, usize)> {
    let shape: Option<Vec<usize>> = dims.iter().rev().map(|&d| d.try_into().ok()).collect();
    let shape = shape?;
    // Zeros are left out so that a shape such as [2^40, 2^40, 0] is refused as well.
    let nonzero = shape.iter().copied().filter(|&size| size > 0);
    let most = nonzero.chain([size_of::<f64>()]);
    most.clone().try_fold(1usize, usize::checked_mul)?;
    let count: usize = shape.iter().product();
    let num_bytes = (count / dtype.block_len()).checked_mul(dtype.block_bytes())?;
    Some((shape, num_bytes))
}

/// Moves every tensor's bytes to where the data starts; they must be in the file, and no two
/// tensors share any.
fn place(
    entries: &mut BTreeMap<String, Entry>,
    data: usize,
    file_len: usize,
) -> Result<(), GgufError> {
    let available = file_len.saturating_sub(data);
    for (name, entry) in entries.iter_mut() {
        if entry.bytes.end > available {
            let problem = Problem::Outside {
                found: entry.bytes.start as u64,
                bytes: entry.bytes.len() as u64,
                available,
            };
            let field = format!("offset of tensor {name:?}");
            return Err(fail(&field, entry.offset_at, problem));
        }
        if entry.bytes.is_empty() {
            entry.bytes = 0..0;
        } else {
            entry.bytes = data + entry.bytes.start..data + entry.bytes.end;
        }
    }
    let mut by_place: Vec<_> = entries.iter().filter(|e| !e.1.bytes.is_empty()).collect();
    by_place.sort_by_key(|(_, entry)| entry.bytes.start);
    for pair in by_place.windows(2) {
        let ((before, first), (name, second)) = (pair[0], pair[1]);
        if second.bytes.start < first.bytes.end {
            let field = format!("offset of tensor {name:?}");
            let problem = Problem::Overlap(before.clone());
            return Err(fail(&field, second.offset_at, problem));
        }
    }
    Ok(())
}
