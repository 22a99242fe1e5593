//! Writing a model anew with its matrices in blocks.
//!
//! The folder written is a copy of the model's, in which GGUF files stand in the place of the
//! files of weights and keep the names of their tensors: whoever reads the folder finds the same
//! model, a family's as that family, one of our own as ours.

use crate::error::{CheckpointError, Result};
use crate::files::ModelFiles;
use crate::formats::gguf::dequantize::numbers;
use crate::formats::gguf::{GgmlType, GgufTensor, SPLIT_KEYS, Value, quantize, write_gguf};
use crate::io;
use crate::layout::{CONCEPTS, CONFIG, QUANTISED, TOKENIZER};
use crate::parameters::cols;
use crate::tensors::Origin;
use avocet_model::{Role, parameter_specs};
use half::bf16;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Numbers that are turned into blocks at a time, a multiple of every block.
const AT_ONCE: usize = 1 << 22;
const FILE_TYPE: &str = "general.file_type";

/// What matrices are turned into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockFormat {
    /// 8 bits a number, 8.5 with the scales; blocks of 32.
    Q8_0,
    /// 4 bits a number, 4.5 with the scales; blocks of 256. Embeddings and the output head, and
    /// rows that do not fill such blocks, are [`BlockFormat::Q8_0`].
    Q4K,
}

/// What was written, counted over the tensors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BlockCount {
    /// Numbers of all tensors.
    pub numbers: u64,
    /// Their bytes in the files that were read.
    pub bytes_before: u64,
    /// Their bytes in the files written.
    pub bytes_after: u64,
    /// Tensors whose numbers were turned into blocks.
    pub converted: usize,
    /// Tensors that were left as they are.
    pub kept: usize,
}

/// How the parameters that a stored tensor is part of are used.
#[derive(Default)]
struct Use {
    /// Somewhere as small and sensitive numbers.
    sensitive: bool,
    /// As a table of embeddings or the output head.
    table: bool,
    /// As kernels of a network that consists of convolutions.
    convolution: bool,
    /// Widths of the rows of the matrices.
    widths: BTreeSet<usize>,
}

struct Planned<'a> {
    origin: Origin<'a>,
    from: GgmlType,
    to: GgufTensor,
}

impl ModelFiles {
    /// Writes the model into `folder`, its matrices in blocks of `format`.
    ///
    /// A tensor is converted if the network computes with it as a matrix, its rows are whole
    /// blocks, and the blocks take fewer bits than it has; kernels of an EfficientNet whose rows are
    /// not become BF16; all others keep their bytes. One tensor
    /// is in memory at a time, and never a whole one that lies in row-major order.
    ///
    /// Errors as [`ModelFiles::check`] does, if `folder` holds anything, or if a number is not
    /// finite.
    pub fn quantise(&self, format: BlockFormat, folder: &Path) -> Result<BlockCount> {
        self.check()?;
        if self.adapter().is_some() {
            return Err(CheckpointError::Unwritable {
                path: self.path().to_owned(),
                reason: "is an adapter; blocks are made of a whole model".into(),
            });
        }
        let files = self.plan(format)?;
        let new = io::new_folder(folder)?;
        self.copy_settings(new.partial(), files.keys())?;
        let mut count = BlockCount::default();
        for (path, planned) in &files {
            let metadata = self.metadata_of(planned, format);
            self.write_planned(&new.partial().join(path), &metadata, planned, &mut count)?;
        }
        new.commit()?;
        Ok(count)
    }

    /// The tensors of each file that is to be written, by its path below the folder.
    fn plan(&self, format: BlockFormat) -> Result<BTreeMap<PathBuf, Vec<Planned<'_>>>> {
        let uses = self.uses()?;
        let mut files: BTreeMap<PathBuf, Vec<Planned<'_>>> = BTreeMap::new();
        for origin in self.stored.store.origins() {
            let used = uses.get(origin.name);
            let is_gguf = self.stored.store.metadata(origin.path).is_some();
            // What nothing uses may be needed by whoever else reads a GGUF file.
            if used.is_none() && !is_gguf {
                continue;
            }
            let Some(stored) = self.stored.store.get(origin.name) else {
                continue;
            };
            let from = stored.dtype.ggml().unwrap_or(GgmlType::F32);
            let dtype = used.map_or(from, |used| target(format, from, &stored.shape, used));
            let to = GgufTensor {
                name: origin.key.to_owned(),
                dtype,
                shape: stored.shape.clone(),
            };
            let path = self.place_of(origin.path);
            let planned = Planned { origin, from, to };
            files.entry(path).or_default().push(planned);
        }
        for planned in files.values_mut() {
            planned.sort_by(|a, b| a.to.name.cmp(&b.to.name));
        }
        Ok(files)
    }

    fn uses(&self) -> Result<BTreeMap<&str, Use>> {
        let mut uses: BTreeMap<&str, Use> = BTreeMap::new();
        for spec in parameter_specs(self.config())? {
            let name = spec.name.as_str();
            for term in self.stored.mappings.get(name).iter().flat_map(|r| &r.terms) {
                let used = uses.entry(term.tensor.as_str()).or_default();
                used.sensitive |= spec.sensitive;
                used.convolution |= spec.role == Role::Convolution && !spec.sensitive;
                used.table |= spec.role.is_table() && !spec.sensitive;
                used.widths.insert(cols(&spec.shape));
            }
        }
        Ok(uses)
    }

    /// Where the GGUF file in the place of `source` lies below the folder.
    fn place_of(&self, source: &Path) -> PathBuf {
        let below = source.strip_prefix(self.path()).unwrap_or(source);
        if self.path().is_file() || !self.path().exists() {
            return PathBuf::from(QUANTISED);
        }
        let name = below.file_stem().and_then(OsStr::to_str).unwrap_or("model");
        below.with_file_name(match name {
            "checkpoint" => "checkpoint.gguf",
            name if name.starts_with("open_clip") => "open_clip_model.gguf",
            _ => QUANTISED,
        })
    }

    /// What the folder holds beside its weights.
    fn copy_settings<'p>(&self, to: &Path, files: impl Iterator<Item = &'p PathBuf>) -> Result<()> {
        let below = files.filter_map(|path| path.parent());
        let folders: BTreeSet<&Path> = below.chain([Path::new("")]).collect();
        for folder in folders {
            let into = to.join(folder);
            std::fs::create_dir_all(&into).map_err(CheckpointError::io(&into))?;
            if self.path().is_dir() {
                io::copy_settings(&self.path().join(folder), &into)?;
            }
        }
        if !self.path().exists() {
            avocet_files::write(&to.join(CONFIG), self.config().to_toml().as_bytes())?;
            avocet_files::write(&to.join(TOKENIZER), self.tokenizer_bytes()?)?;
            if let Some(table) = self.concept_bytes() {
                avocet_files::write(&to.join(CONCEPTS), table)?;
            }
        }
        Ok(())
    }

    fn metadata_of(&self, planned: &[Planned<'_>], format: BlockFormat) -> BTreeMap<String, Value> {
        // The numbers that ggml has for files of mostly these blocks.
        let file_type = match format {
            BlockFormat::Q8_0 => 7,
            BlockFormat::Q4K => 15,
        };
        let source = planned
            .first()
            .and_then(|first| self.stored.store.metadata(first.origin.path));
        let mut metadata = source.cloned().unwrap_or_else(|| {
            let text = |text: &str| Value::String(text.to_owned());
            BTreeMap::from([
                ("general.architecture".to_owned(), text("avocet")),
                ("general.name".to_owned(), text(&self.config().name)),
                ("general.quantization_version".to_owned(), Value::U32(2)),
                (FILE_TYPE.to_owned(), Value::U32(0)),
            ])
        });
        // The parts become one file.
        metadata.retain(|key, _| !SPLIT_KEYS.contains(&key.as_str()));
        if let Some(value) = metadata.get_mut(FILE_TYPE) {
            *value = Value::U32(file_type);
        }
        metadata
    }

    fn write_planned(
        &self,
        path: &Path,
        metadata: &BTreeMap<String, Value>,
        planned: &[Planned<'_>],
        count: &mut BlockCount,
    ) -> Result<()> {
        let tensors: Vec<GgufTensor> = planned.iter().map(|one| one.to.clone()).collect();
        write_gguf(path, metadata, &tensors, |index, out| {
            let Planned { origin, from, to } = &planned[index];
            let (stored, bytes) = self.stored.store.content(origin.name)?;
            let numbers = to.shape.iter().product::<usize>();
            count.numbers += numbers as u64;
            count.bytes_before += bytes.len() as u64;
            count.bytes_after += (numbers / to.dtype.block_len() * to.dtype.block_bytes()) as u64;
            if to.dtype == *from {
                count.kept += 1;
                return out.write_all(&bytes).map_err(CheckpointError::io(path));
            }
            count.converted += 1;
            let step = AT_ONCE / stored.block_len() * stored.block_bytes();
            for bytes in bytes.chunks(step) {
                let refuse = |reason: String| CheckpointError::Unwritable {
                    path: path.to_owned(),
                    reason: format!("tensor {:?}: {reason}", origin.name),
                };
                let numbers = decoded(stored, bytes)
                    .ok_or_else(|| refuse(format!("numbers of type {stored} are not read")))?;
                let blocks = quantize(to.dtype, &numbers).map_err(|e| refuse(e.to_string()))?;
                out.write_all(&blocks).map_err(CheckpointError::io(path))?;
            }
            Ok(())
        })
    }
}

fn decoded(dtype: GgmlType, bytes: &[u8]) -> Option<Vec<f32>> {
    match dtype {
        GgmlType::Bf16 => {
            let (halves, _) = bytes.as_chunks::<2>();
            Some(
                halves
                    .iter()
                    .map(|b| bf16::from_le_bytes(*b).to_f32())
                    .collect(),
            )
        }
        other => numbers(other, bytes),
    }
}

/// The type that a tensor of this shape is stored as.
fn target(format: BlockFormat, from: GgmlType, shape: &[usize], used: &Use) -> GgmlType {
    let (Some(&last), true) = (shape.last(), shape.len() > 1 && !used.sensitive) else {
        return from;
    };
    let fills = |dtype: &GgmlType| {
        let mut widths = used.widths.iter().copied().chain([last]);
        widths.all(|width| width.is_multiple_of(dtype.block_len()))
    };
    let wanted = match format {
        BlockFormat::Q4K if !used.table => &[GgmlType::Q4K, GgmlType::Q8_0][..],
        BlockFormat::Q4K | BlockFormat::Q8_0 => &[GgmlType::Q8_0],
    };
    let bits = |dtype: GgmlType| dtype.block_bytes() as f64 / dtype.block_len() as f64;
    match wanted.iter().copied().find(fills) {
        Some(dtype) if bits(dtype) < bits(from) => dtype,
        None if used.convolution && bits(GgmlType::Bf16) < bits(from) => GgmlType::Bf16,
        _ => from,
    }
}

#[cfg(test)]
mod tests;
