//! The tensors of one model by name, out of one file or several.

use super::number_type::{NumberType, StoredTensor};
use crate::error::{CheckpointError, Result};
use crate::formats::gguf::Gguf;
use crate::formats::pickle::Pickle;
use crate::formats::safetensors::Safetensors;
use crate::io::{self, Bytes};
use crate::layout::{INDEX, MAX_INDEX, PICKLED, QUANTISED, WEIGHTS};
use avocet_kernels::HOST;
use avocet_products::stored::{StoredFormat, StoredRows};
use candle_core::{DType, Device, Result as CandleResult, Tensor, bail};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Most files that one model is read from.
const MOST_FILES: usize = 1024;

/// A file that was opened, and where.
pub(super) struct Opened {
    pub path: PathBuf,
    pub source: Source,
}

pub(super) enum Source {
    Safetensors(Safetensors),
    Pickle(Pickle),
    Gguf(Gguf),
}

pub(super) struct Place {
    pub source: usize,
    /// The name in the file, which may differ from the one that it goes by.
    pub key: String,
    pub tensor: StoredTensor,
}

/// The tensors of one model, in one file or several.
pub(crate) struct Store {
    pub(super) sources: Vec<Opened>,
    pub(super) places: BTreeMap<String, Place>,
    num_bytes: usize,
    left_out: usize,
}

impl Store {
    /// No tensor.
    pub fn empty() -> Self {
        Self {
            sources: Vec::new(),
            places: BTreeMap::new(),
            num_bytes: 0,
            left_out: 0,
        }
    }

    /// The tensors of a safetensors file.
    pub fn safetensors(path: &Path) -> Result<Self> {
        Self::of([(
            path.to_owned(),
            Source::Safetensors(Safetensors::map(path)?),
        )])
    }

    /// The tensors of a safetensors file that is part of the binary.
    pub fn carried(weights: Safetensors) -> Result<Self> {
        Self::of([(PathBuf::from(WEIGHTS), Source::Safetensors(weights))])
    }

    /// Tensors that were made of the file `path`.
    pub fn made(path: &Path, weights: Safetensors) -> Result<Self> {
        Self::of([(path.to_owned(), Source::Safetensors(weights))])
    }

    /// The tensors of a file of `torch.save`.
    pub fn pickle(path: &Path) -> Result<Self> {
        Self::of([(path.to_owned(), Source::Pickle(Pickle::open(path)?))])
    }

    /// The tensors of the GGUF file `path`, which was opened as `parts`; they go by its path.
    pub fn gguf(path: &Path, parts: Vec<Gguf>) -> Result<Self> {
        Self::of(
            parts
                .into_iter()
                .map(|part| (path.to_owned(), Source::Gguf(part))),
        )
    }

    /// The tensors of a folder: `model.safetensors`, or the shards that its index lists, or the
    /// same as `pytorch_model.bin`, or `model.gguf` that stands for them with the same names.
    ///
    /// Errors if there is none of them, or a shard is missing.
    pub fn folder(folder: &Path) -> Result<Self> {
        let index = |name: &str| Some(folder.join(name)).filter(|path| path.is_file());
        let safetensors = |file: &Path| Ok(Source::Safetensors(Safetensors::map(file)?));
        let pickle = |file: &Path| Ok(Source::Pickle(Pickle::open(file)?));
        if let Some(store) = Self::whole_or_shards(folder, WEIGHTS, safetensors)? {
            return Ok(store);
        }
        if let Some(store) = Self::whole_or_shards(folder, PICKLED, pickle)? {
            return Ok(store);
        }
        if let Some(path) = index(QUANTISED) {
            return Self::gguf(&path, vec![Gguf::open(&path)?]);
        }
        Err(CheckpointError::NoWeights {
            folder: folder.to_owned(),
        })
    }

    /// The tensors of the file `name` in `folder`, or of the shards that its index lists; `None` if
    /// there is neither.
    ///
    /// Errors if there are both and the index does not name the file: only one of them is the
    /// model, and nothing says which.
    fn whole_or_shards(
        folder: &Path,
        name: &str,
        open: impl Fn(&Path) -> Result<Source>,
    ) -> Result<Option<Self>> {
        let whole = folder.join(name);
        let index = folder.join(format!("{name}{INDEX}"));
        if !index.is_file() {
            if !whole.is_file() {
                return Ok(None);
            }
            let source = open(&whole)?;
            return Self::of([(whole, source)]).map(Some);
        }
        let refuse = |reason: String| CheckpointError::Index {
            path: index.clone(),
            reason,
        };
        let weight_map = weight_map(&index)?;
        let names: std::collections::BTreeSet<&String> = weight_map.values().collect();
        if whole.is_file() && !names.iter().any(|shard| *shard == name) {
            return Err(refuse(format!(
                "lists {} shards, and {name} stands beside it, which is none of them: \
                 take away the one that is not the model",
                names.len()
            )));
        }
        if names.len() > MOST_FILES {
            return Err(refuse(format!(
                "{} shards, at most {MOST_FILES} are read",
                names.len()
            )));
        }
        let mut sources = Vec::new();
        for name in names {
            // A shard lies beside its index; a path could lead anywhere.
            if Path::new(name)
                .file_name()
                .is_none_or(|file| file != name.as_str())
            {
                return Err(refuse(format!("shard {name:?} is not a file name")));
            }
            let path = folder.join(name);
            let source = open(&path)?;
            sources.push((path, source));
        }
        let store = Self::of(sources)?;
        let is_absent = |name: &&String| !store.places.contains_key(*name);
        match weight_map.keys().find(is_absent) {
            Some(name) => Err(refuse(format!("tensor {name:?} is in none of the shards"))),
            None => Ok(Some(store)),
        }
    }

    fn of(sources: impl IntoIterator<Item = (PathBuf, Source)>) -> Result<Self> {
        let mut store = Self::empty();
        for (path, source) in sources {
            store.add(path, source);
        }
        Ok(store)
    }

    /// Takes the tensors of `other` in, under the names that `rename` gives them; those without
    /// one are left out.
    pub fn join(&mut self, other: Self, rename: impl Fn(&str) -> Option<String>) {
        let first = self.sources.len();
        self.sources.extend(other.sources);
        self.num_bytes += other.num_bytes;
        self.left_out += other.left_out;
        for (name, mut place) in other.places {
            match rename(&name) {
                Some(name) => {
                    place.source += first;
                    place.tensor.name.clone_from(&name);
                    self.place(name, place);
                }
                None => self.left_out += 1,
            }
        }
    }

    /// Calls a tensor by `name`, in place of one that had it.
    fn place(&mut self, name: String, place: Place) {
        let replaced = self.places.insert(name, place);
        self.left_out += usize::from(replaced.is_some());
    }

    /// Calls every tensor by the name that `rename` gives it; those without one are left out.
    pub fn renamed(self, rename: impl Fn(&str) -> Option<String>) -> Self {
        let mut store = Self::empty();
        store.join(self, rename);
        store
    }

    fn add(&mut self, path: PathBuf, source: Source) {
        let index = self.sources.len();
        let tensors: Vec<StoredTensor> = match &source {
            Source::Safetensors(file) => file
                .tensors()
                .map(|(name, entry)| StoredTensor {
                    name: name.clone(),
                    dtype: NumberType::Safetensors(entry.dtype),
                    shape: entry.shape.clone(),
                })
                .collect(),
            Source::Pickle(file) => file
                .tensors()
                .map(|tensor| StoredTensor {
                    name: tensor.name,
                    dtype: NumberType::Pickle(tensor.dtype),
                    shape: tensor.shape,
                })
                .collect(),
            Source::Gguf(file) => file
                .tensors()
                .map(|tensor| StoredTensor {
                    name: tensor.name,
                    dtype: NumberType::Gguf(tensor.dtype),
                    shape: tensor.shape,
                })
                .collect(),
        };
        self.num_bytes += match &source {
            Source::Safetensors(file) => file.bytes().get().len(),
            Source::Pickle(file) => file.bytes().get().len(),
            Source::Gguf(file) => file.bytes().get().len(),
        };
        self.sources.push(Opened { path, source });
        for tensor in tensors {
            let name = tensor.name.clone();
            let place = Place {
                source: index,
                key: name.clone(),
                tensor,
            };
            self.place(name, place);
        }
    }

    /// Tensors of the files that go by no name: second copies, and those that another file
    /// replaces.
    pub fn num_left_out(&self) -> usize {
        self.left_out
    }

    /// Bytes of the files together.
    pub fn num_bytes(&self) -> usize {
        self.num_bytes
    }

    /// Every tensor, sorted by name.
    pub fn tensors(&self) -> impl Iterator<Item = &StoredTensor> {
        self.places.values().map(|place| &place.tensor)
    }

    /// What the files say of one tensor.
    pub fn get(&self, name: &str) -> Option<&StoredTensor> {
        self.places.get(name).map(|place| &place.tensor)
    }

    /// A tensor: BF16 as it is, other floating-point numbers in F32; copied once.
    ///
    /// Errors if there is none of this name, or it holds no floating-point numbers.
    pub fn tensor(&self, name: &str, device: &Device) -> CandleResult<Tensor> {
        let Some(place) = self.places.get(name) else {
            bail!("tensor {name:?} is missing from the weights");
        };
        let dtype = place.tensor.dtype;
        if !dtype.is_float() {
            bail!("tensor {name:?} is stored as {dtype}, which is not read as a parameter");
        }
        let missing = || candle_core::Error::Msg(format!("tensor {name:?} is gone"));
        match &self.sources[place.source].source {
            Source::Safetensors(file) => {
                let entry = file.entry(&place.key).ok_or_else(missing)?;
                file.tensor(entry, device)
            }
            Source::Pickle(file) => file.tensor(&place.key, device)?.ok_or_else(missing),
            Source::Gguf(file) => file
                .tensor(&place.key, device)
                .map_err(candle_core::Error::wrap)?
                .ok_or_else(missing),
        }
    }

    /// Where a tensor's numbers lie, if they lie in row-major order.
    pub(super) fn bytes(&self, place: &Place) -> Option<(&Arc<Bytes>, Range<usize>)> {
        let key = &place.key;
        match &self.sources[place.source].source {
            Source::Safetensors(file) => {
                let entry = file.entry(key)?;
                Some((file.bytes(), entry.bytes.clone()))
            }
            Source::Pickle(file) => Some((file.bytes(), file.place(key)?)),
            Source::Gguf(file) => Some((file.bytes(), file.place(key)?)),
        }
    }

    /// Whether [`Store::rows`] hands a tensor out as it lies in its file, without copying.
    pub fn lies_usable(&self, name: &str) -> bool {
        let usable =
            |place: &Place| self.bytes(place).is_some() && place.tensor.dtype.format().is_some();
        self.places.get(name).is_some_and(usable)
    }

    /// Runs of rows of `cols` numbers of a tensor, as they lie in its file; only numbers that do
    /// not lie in row-major order, or not in a form that is computed with, are copied, once.
    ///
    /// Errors as [`Store::tensor`] does, or if the rows do not exist.
    pub fn rows(
        &self,
        name: &str,
        cols: usize,
        runs: Vec<Range<usize>>,
    ) -> CandleResult<Vec<StoredRows>> {
        let Some(place) = self.places.get(name) else {
            bail!("tensor {name:?} is missing from the weights");
        };
        if let (Some((bytes, place)), Some(format)) =
            (self.bytes(place), place.tensor.dtype.format())
        {
            let run = |rows| mapped(Arc::clone(bytes) as Arc<_>, place.start, format, cols, rows);
            return runs.into_iter().map(run).collect();
        }
        let copied = self.tensor(name, &HOST)?.to_dtype(DType::F32)?;
        let numbers = copied.flatten_all()?.to_vec1::<f32>()?;
        let bytes: Vec<u8> = numbers.iter().flat_map(|v| v.to_le_bytes()).collect();
        let bytes = Arc::new(bytes);
        let run = |rows| {
            mapped(
                Arc::clone(&bytes) as Arc<_>,
                0,
                StoredFormat::F32,
                cols,
                rows,
            )
        };
        runs.into_iter().map(run).collect()
    }
}

/// Which shard holds which tensor, as the file `index` says.
pub(crate) fn weight_map(index: &Path) -> Result<BTreeMap<String, String>> {
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let bytes = io::read(index, MAX_INDEX)?;
    let read: Result<Index, _> = serde_json::from_slice(&bytes);
    read.map(|index| index.weight_map)
        .map_err(|error| CheckpointError::Index {
            path: index.to_owned(),
            reason: error.to_string(),
        })
}

fn mapped(
    bytes: Arc<dyn AsRef<[u8]> + Send + Sync>,
    start: usize,
    format: StoredFormat,
    cols: usize,
    rows: Range<usize>,
) -> CandleResult<StoredRows> {
    let row_bytes = cols / format.block_len() * format.block_bytes();
    let Some(offset) = rows
        .start
        .checked_mul(row_bytes)
        .and_then(|skipped| skipped.checked_add(start))
    else {
        bail!("rows {rows:?} of {cols} numbers overflow");
    };
    StoredRows::new(bytes, offset, rows.len(), cols, format).map_err(candle_core::Error::wrap)
}
