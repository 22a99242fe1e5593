//! Where the storages lie in files of `torch.save` from before PyTorch 1.6, which are no archives:
//! pickles one behind another, then the storages, each behind the count of its numbers.
//!
//! Source: `_legacy_save` of torch/serialization.py. The pickles are a magic number, the version of
//! the protocol, what is known of the machine, the object, and the keys of the storages in their
//! order.

use super::value::{ElementType, Heap, Value};
use super::{PickleError, machine};
use std::collections::BTreeMap;
use std::ops::Range;

/// The pickle of the magic number, from its second byte, the protocol, on.
const MAGIC: [u8; 13] = [
    0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, b'.',
];
/// Bytes before it: the protocol of the pickle.
const PROTOCOL_LEN: usize = 2;
const VERSION: i64 = 1001;
/// Bytes of the count before a storage.
const COUNT_LEN: usize = 8;

/// What such a file consists of.
pub(super) struct Legacy<'a> {
    /// What the object's pickle leaves.
    pub result: Value<'a>,
    pub heap: Heap<'a>,
    /// Bytes of the object's pickle.
    pub program_len: usize,
    /// The bytes of every storage in the file, by its key.
    pub storages: BTreeMap<&'a str, Range<usize>>,
}

/// Whether a file begins as one of before PyTorch 1.6.
pub(super) fn is_legacy(file: &[u8]) -> bool {
    let magic = file.get(PROTOCOL_LEN..PROTOCOL_LEN + MAGIC.len());
    magic.is_some_and(|magic| magic == MAGIC)
}

/// Reads a file that [`is_legacy`], whose pickles have at most `most` bytes each.
pub(super) fn read(file: &[u8], most: usize) -> Result<Legacy<'_>, PickleError> {
    let mut at = PROTOCOL_LEN + MAGIC.len();
    let next = |at: &mut usize| {
        let end = file.len().min(at.saturating_add(most));
        let (result, heap, length) = machine::run(&file[*at..end])?;
        *at += length;
        Ok::<_, PickleError>((result, heap, length))
    };
    let version = next(&mut at)?.0;
    if version != Value::Int(VERSION) {
        return Err(fail(at, "another version of PyTorch's protocol than 1001"));
    }
    let (system, heap, _) = next(&mut at)?;
    check_order(system, &heap)?;
    let (result, heap, program_len) = next(&mut at)?;
    let (keys, of_keys, _) = next(&mut at)?;
    let Value::List(keys) = keys else {
        return Err(fail(at, "the keys of the storages are no list"));
    };
    let types: BTreeMap<&str, ElementType> = heap
        .storages
        .iter()
        .map(|storage| (storage.key, storage.dtype))
        .collect();
    let mut storages = BTreeMap::new();
    for key in &of_keys.lists[keys] {
        let Value::Text(key) = *key else {
            return Err(fail(at, "the key of a storage is no text"));
        };
        // Of a storage that no tensor lies in, nothing says how long its numbers are.
        let Some(dtype) = types.get(key) else {
            return Err(fail(at, "a storage that no tensor lies in"));
        };
        let count = file
            .get(at..)
            .and_then(|rest| rest.first_chunk::<COUNT_LEN>());
        let count = count.and_then(|count| usize::try_from(i64::from_le_bytes(*count)).ok());
        let start = at + COUNT_LEN;
        let end = count
            .and_then(|count| count.checked_mul(dtype.size()))
            .and_then(|length| start.checked_add(length))
            .filter(|&end| end <= file.len());
        let Some(end) = end else {
            return Err(fail(at, "a storage ends beyond the file"));
        };
        if storages.insert(key, start..end).is_some() {
            return Err(fail(at, "a storage appears twice"));
        }
        at = end;
    }
    Ok(Legacy {
        result,
        heap,
        program_len,
        storages,
    })
}

/// Errors unless the machine is said to have had low bytes first.
fn check_order(system: Value, heap: &Heap) -> Result<(), PickleError> {
    let pairs = match system {
        Value::Dict(dict) => heap.dicts[dict].as_slice(),
        _ => &[],
    };
    let little = (Value::Text("little_endian"), Value::Bool(true));
    if pairs.contains(&little) {
        return Ok(());
    }
    Err(PickleError::ByteOrder("big".to_owned()))
}

fn fail(offset: usize, problem: &str) -> PickleError {
    let problem = problem.to_owned();
    PickleError::Legacy { offset, problem }
}
