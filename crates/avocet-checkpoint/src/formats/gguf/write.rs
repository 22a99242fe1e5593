//! Writing a GGUF file, version 3, tensor by tensor.
//!
//! The order of keys and tensors is the caller's sorted one and nothing else enters the file, so
//! the same content makes the same bytes.

use super::file::{ALIGNMENT, DEFAULT_ALIGNMENT};
use super::value::{Array, Value};
use super::{Gguf, GgufTensor};
use crate::error::{CheckpointError, Result};
use avocet_files::NewFile;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

/// Zeros that fill up to the next aligned place.
const ZEROS: [u8; 256] = [0; 256];

/// Writes a file of `tensors`; `content` writes the bytes of the tensor of an index.
///
/// The file is written beside its place, flushed and renamed: a crash leaves no part of one. At
/// most what `content` holds is in memory.
///
/// Errors if a tensor's bytes are not as many as its shape takes, if the file could not be read
/// back, or if the system refuses.
pub fn write_gguf(
    path: &Path,
    metadata: &BTreeMap<String, Value>,
    tensors: &[GgufTensor],
    mut content: impl FnMut(usize, &mut dyn Write) -> Result<()>,
) -> Result<()> {
    let alignment = match metadata.get(ALIGNMENT) {
        Some(Value::U32(alignment)) if alignment.is_power_of_two() => u64::from(*alignment),
        _ => u64::from(DEFAULT_ALIGNMENT),
    };
    let mut file = Counting {
        to: NewFile::create(path)?,
        count: 0,
    };
    file.write_all(&header(metadata, tensors, alignment))
        .map_err(CheckpointError::io(path))?;
    for (index, tensor) in tensors.iter().enumerate() {
        file.pad(alignment).map_err(CheckpointError::io(path))?;
        let start = file.count;
        content(index, &mut file)?;
        let (bytes, wanted) = (file.count - start, num_bytes(tensor));
        if bytes != wanted {
            return Err(CheckpointError::Unwritable {
                path: path.to_owned(),
                reason: format!(
                    "tensor {:?} has {bytes} bytes, its shape takes {wanted}",
                    tensor.name
                ),
            });
        }
    }
    file.pad(alignment).map_err(CheckpointError::io(path))?;
    let mut written = file.to;
    written.sync()?;
    Gguf::open(written.partial())?;
    Ok(written.commit()?)
}

/// Bytes of a tensor's blocks.
fn num_bytes(tensor: &GgufTensor) -> u64 {
    let numbers = tensor.shape.iter().product::<usize>() as u64;
    numbers / tensor.dtype.block_len() as u64 * tensor.dtype.block_bytes() as u64
}

fn header(metadata: &BTreeMap<String, Value>, tensors: &[GgufTensor], alignment: u64) -> Vec<u8> {
    let mut out = b"GGUF".to_vec();
    out.extend(3u32.to_le_bytes());
    out.extend((tensors.len() as u64).to_le_bytes());
    out.extend((metadata.len() as u64).to_le_bytes());
    for (key, value) in metadata {
        put_text(&mut out, key);
        put_value(&mut out, value);
    }
    let mut offset = 0u64;
    for tensor in tensors {
        put_text(&mut out, &tensor.name);
        out.extend((tensor.shape.len() as u32).to_le_bytes());
        for size in tensor.shape.iter().rev() {
            out.extend((*size as u64).to_le_bytes());
        }
        out.extend(tensor.dtype.number().to_le_bytes());
        out.extend(offset.to_le_bytes());
        offset = (offset + num_bytes(tensor)).next_multiple_of(alignment);
    }
    out
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

fn put_value(out: &mut Vec<u8>, value: &Value) {
    let mut put = |kind: u32, bytes: &[u8]| {
        out.extend(kind.to_le_bytes());
        out.extend(bytes);
    };
    match value {
        Value::U8(n) => put(0, &n.to_le_bytes()),
        Value::I8(n) => put(1, &n.to_le_bytes()),
        Value::U16(n) => put(2, &n.to_le_bytes()),
        Value::I16(n) => put(3, &n.to_le_bytes()),
        Value::U32(n) => put(4, &n.to_le_bytes()),
        Value::I32(n) => put(5, &n.to_le_bytes()),
        Value::F32(n) => put(6, &n.to_le_bytes()),
        Value::Bool(truth) => put(7, &[u8::from(*truth)]),
        Value::String(text) => {
            put(8, &[]);
            put_text(out, text);
        }
        Value::Array(array) => {
            put(9, &[]);
            put_array(out, array);
        }
        Value::U64(n) => put(10, &n.to_le_bytes()),
        Value::I64(n) => put(11, &n.to_le_bytes()),
        Value::F64(n) => put(12, &n.to_le_bytes()),
    }
}

fn put_array(out: &mut Vec<u8>, array: &Array) {
    fn list<T, const N: usize>(out: &mut Vec<u8>, kind: u32, list: &[T], le: fn(&T) -> [u8; N]) {
        out.extend(kind.to_le_bytes());
        out.extend((list.len() as u64).to_le_bytes());
        out.extend(list.iter().flat_map(le));
    }
    match array {
        Array::U8(numbers) => list(out, 0, numbers, |n| n.to_le_bytes()),
        Array::I8(numbers) => list(out, 1, numbers, |n| n.to_le_bytes()),
        Array::U16(numbers) => list(out, 2, numbers, |n| n.to_le_bytes()),
        Array::I16(numbers) => list(out, 3, numbers, |n| n.to_le_bytes()),
        Array::U32(numbers) => list(out, 4, numbers, |n| n.to_le_bytes()),
        Array::I32(numbers) => list(out, 5, numbers, |n| n.to_le_bytes()),
        Array::F32(numbers) => list(out, 6, numbers, |n| n.to_le_bytes()),
        Array::Bool(truths) => list(out, 7, truths, |truth| [u8::from(*truth)]),
        Array::String(texts) => {
            list::<String, 0>(out, 8, texts, |_| []);
            texts.iter().for_each(|text| put_text(out, text));
        }
        Array::Array(arrays) => {
            list::<Array, 0>(out, 9, arrays, |_| []);
            arrays.iter().for_each(|array| put_array(out, array));
        }
        Array::U64(numbers) => list(out, 10, numbers, |n| n.to_le_bytes()),
        Array::I64(numbers) => list(out, 11, numbers, |n| n.to_le_bytes()),
        Array::F64(numbers) => list(out, 12, numbers, |n| n.to_le_bytes()),
    }
}

/// Counts what goes through.
struct Counting {
    to: NewFile,
    count: u64,
}

impl Counting {
    fn pad(&mut self, alignment: u64) -> std::io::Result<()> {
        let mut missing = self.count.next_multiple_of(alignment) - self.count;
        while missing > 0 {
            let some = missing.min(ZEROS.len() as u64);
            self.write_all(&ZEROS[..some as usize])?;
            missing -= some;
        }
        Ok(())
    }
}

impl Write for Counting {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.count += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::golden;
    use super::*;

    #[test]
    fn a_file_read_and_written_again_holds_the_same_and_always_the_same_bytes() {
        let file = Gguf::open(&golden("every_type.gguf")).unwrap();
        let tensors: Vec<GgufTensor> = file.tensors().collect();
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str| {
            let path = folder.path().join(name);
            write_gguf(&path, file.metadata(), &tensors, |index, out| {
                let bytes = file.place(&tensors[index].name).unwrap();
                out.write_all(&file.bytes().get()[bytes])
                    .map_err(CheckpointError::io(&path))
            })
            .unwrap();
            path
        };
        let (first, second) = (write("first.gguf"), write("second.gguf"));
        let bytes = std::fs::read(&first).unwrap();
        assert!(bytes == std::fs::read(second).unwrap());
        let again = Gguf::open(&first).unwrap();
        assert_eq!(again.metadata(), file.metadata());
        assert_eq!(again.tensors().collect::<Vec<_>>(), tensors);
        for tensor in &tensors {
            let bytes =
                |file: &Gguf| file.bytes().get()[file.place(&tensor.name).unwrap()].to_vec();
            assert!(bytes(&again) == bytes(&file), "{}", tensor.name);
        }
    }

    #[test]
    fn too_few_bytes_leave_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("short.gguf");
        let tensor = GgufTensor {
            name: "a".into(),
            dtype: super::super::GgmlType::F32,
            shape: vec![2, 3],
        };
        let error = write_gguf(&path, &BTreeMap::new(), &[tensor], |_, out| {
            out.write_all(&[0; 20]).map_err(CheckpointError::io(&path))
        });
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("has 20 bytes, its shape takes 24"),
            "{error}"
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
