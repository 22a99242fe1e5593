//! One model in several GGUF files.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use avocet_checkpoint::gguf::{Gguf, GgufTensor, Value, write_gguf};
use avocet_checkpoint::{BlockFormat, ModelFiles};
use candle_core::Device;
use tempfile::TempDir;

use crate::hostile_gguf::llama;

const COUNT: u16 = 3;

/// What the parts say of themselves, for the part `index` of `count`.
fn keys(index: u16, count: u16, tensors: usize) -> BTreeMap<String, Value> {
    BTreeMap::from([
        ("split.count".to_owned(), Value::U16(count)),
        ("split.no".to_owned(), Value::U16(index)),
        ("split.tensors.count".to_owned(), Value::I32(tensors as i32)),
    ])
}

/// Writes some tensors of `file`, whose numbers are all F32.
fn write(
    path: &Path,
    file: &Gguf,
    tensors: &[GgufTensor],
    metadata: &BTreeMap<String, Value>,
) -> Result<()> {
    write_gguf(path, metadata, tensors, |index, out: &mut dyn Write| {
        let tensor = file.tensor(&tensors[index].name, &Device::Cpu)?;
        let tensor = tensor.expect("the file's own").flatten_all()?;
        for number in tensor.to_vec1::<f32>()? {
            out.write_all(&number.to_le_bytes())
                .expect("the disk has room");
        }
        Ok(())
    })?;
    Ok(())
}

fn part(folder: &Path, index: u16) -> PathBuf {
    folder.join(format!("llama-{:05}-of-{COUNT:05}.gguf", index + 1))
}

/// A folder with the model whole and in parts: all metadata in the first, as its writer has it.
fn split() -> Result<TempDir> {
    let folder = TempDir::new()?;
    let whole = folder.path().join("llama.gguf");
    fs::write(&whole, llama().0)?;
    let file = Gguf::open(&whole)?;
    let tensors: Vec<GgufTensor> = file.tensors().collect();
    for index in 0..COUNT {
        let mut metadata = keys(index, COUNT, tensors.len());
        if index == 0 {
            metadata.extend(file.metadata().clone());
        }
        let some = tensors.iter().enumerate();
        let some = some.filter(|(which, _)| which % COUNT as usize == index as usize);
        let some: Vec<GgufTensor> = some.map(|(_, tensor)| tensor.clone()).collect();
        write(&part(folder.path(), index), &file, &some, &metadata)?;
    }
    Ok(folder)
}

/// Every parameter's numbers.
fn numbers(files: &ModelFiles) -> Result<BTreeMap<String, Vec<f32>>> {
    let parameters = files.parameters()?.into_iter();
    let flat = parameters.map(|(name, value)| Ok((name, value.flatten_all()?.to_vec1()?)));
    flat.collect()
}

fn refused(path: &Path, words: &[&str]) -> Result<()> {
    let error = ModelFiles::open(path).err().context("is refused")?;
    let said = error.to_string();
    for word in words {
        ensure!(said.contains(word), "{word:?} is missing in: {said}");
    }
    Ok(())
}

#[test]
fn a_model_in_parts_is_the_model_in_one_file() -> Result<()> {
    let folder = split()?;
    let whole = ModelFiles::open(&folder.path().join("llama.gguf"))?;
    for index in 0..COUNT {
        let parts = ModelFiles::open(&part(folder.path(), index))?;
        parts.check()?;
        ensure!(parts.config().decoder == whole.config().decoder);
        ensure!(numbers(&parts)? == numbers(&whole)?);
        parts.language()?;
    }
    let blocks = folder.path().join("blocks");
    ModelFiles::open(&part(folder.path(), 1))?.quantise(BlockFormat::Q8_0, &blocks)?;
    let again = ModelFiles::open(&blocks)?;
    ensure!(numbers(&again)? == numbers(&whole)?);
    Ok(())
}

#[test]
fn parts_that_do_not_belong_together_are_refused_by_name() -> Result<()> {
    let folder = split()?;
    let first = part(folder.path(), 0);
    let third = fs::read(part(folder.path(), 2))?;
    fs::remove_file(part(folder.path(), 2))?;
    refused(&first, &["split.count", "llama-00003-of-00003.gguf"])?;
    fs::copy(part(folder.path(), 1), part(folder.path(), 2))?;
    refused(&first, &["llama-00003", "split.no is 1"])?;
    fs::copy(folder.path().join("llama.gguf"), part(folder.path(), 2))?;
    refused(&first, &["llama-00003", "split.no is missing"])?;
    fs::write(part(folder.path(), 2), &third)?;
    let renamed = folder.path().join("first.gguf");
    fs::rename(&first, &renamed)?;
    refused(&renamed, &["first.gguf", "split.count", "-of-00003.gguf"])?;
    fs::rename(&renamed, &first)?;

    let file = Gguf::open(&folder.path().join("llama.gguf"))?;
    let twice: Vec<GgufTensor> = file.tensors().take(1).collect();
    let all = file.tensors().count();
    write(&part(folder.path(), 2), &file, &twice, &keys(2, COUNT, all))?;
    refused(&first, &["llama-00003", &twice[0].name, "earlier part"])?;
    write(&part(folder.path(), 2), &file, &[], &keys(2, COUNT, all))?;
    refused(&first, &["split.tensors.count", "12"])?;
    Ok(())
}
