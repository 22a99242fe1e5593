//! What a file of ggml's types would hold of stored tensors.

use super::store::{Source, Store};
use crate::formats::gguf::{GgmlType, Value};
use crate::io::Bytes;
use avocet_kernels::HOST;
use candle_core::{DType, Result, bail};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

/// A tensor and where it came from.
pub(crate) struct Origin<'a> {
    /// The name that it goes by.
    pub name: &'a str,
    /// The file it lies in.
    pub path: &'a Path,
    /// Its name there.
    pub key: &'a str,
}

impl Store {
    /// Every tensor with its file, sorted by the name that it goes by.
    pub(crate) fn origins(&self) -> impl Iterator<Item = Origin<'_>> {
        self.places.iter().map(|(name, place)| Origin {
            name,
            path: &self.sources[place.source].path,
            key: &place.key,
        })
    }

    /// Whether a file holds blocks.
    pub(crate) fn has_gguf(&self) -> bool {
        let is_gguf = |source: &Source| matches!(source, Source::Gguf(_));
        self.sources.iter().any(|opened| is_gguf(&opened.source))
    }

    /// The metadata of the GGUF file `path`, if it is one of the store's.
    pub(crate) fn metadata(&self, path: &Path) -> Option<&BTreeMap<String, Value>> {
        let opened = self.sources.iter().find(|opened| opened.path == path)?;
        match &opened.source {
            Source::Gguf(file) => Some(file.metadata()),
            Source::Safetensors(_) | Source::Pickle(_) => None,
        }
    }

    /// A tensor's numbers as one of ggml's types: as they lie, or in F32 where ggml has no such
    /// type or they lie in another order.
    ///
    /// Errors if there is none of this name, or it holds no numbers that are read.
    pub(crate) fn content(&self, name: &str) -> Result<(GgmlType, Cow<'_, [u8]>)> {
        let Some(place) = self.places.get(name) else {
            bail!("tensor {name:?} is missing from the weights");
        };
        if let (Some((bytes, range)), Some(dtype)) = (self.bytes(place), place.tensor.dtype.ggml())
        {
            let bytes: &Bytes = bytes;
            return Ok((dtype, Cow::Borrowed(&bytes.get()[range])));
        }
        let copied = self.tensor(name, &HOST)?.to_dtype(DType::F32)?;
        let numbers = copied.flatten_all()?.to_vec1::<f32>()?;
        let bytes: Vec<u8> = numbers.iter().flat_map(|v| v.to_le_bytes()).collect();
        Ok((GgmlType::F32, Cow::Owned(bytes)))
    }
}
