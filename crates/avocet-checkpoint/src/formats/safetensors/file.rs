//! A checked safetensors file, and tensors out of it.

use super::error::HeaderError;
use super::header::{self, Entries, Entry, StoredType};
use crate::error::{CheckpointError, Result};
use crate::io::Bytes;
use candle_core::{Device, Result as CandleResult, Tensor, bail};
use half::{bf16, f16};
use std::path::Path;
use std::sync::Arc;

/// A checked safetensors file.
pub(crate) struct Safetensors {
    bytes: Arc<Bytes>,
    entries: Entries,
}

impl Safetensors {
    pub fn map(path: &Path) -> Result<Self> {
        let bytes = Bytes::map(path)?;
        Self::check(bytes).map_err(|reason| CheckpointError::Weights {
            path: path.to_owned(),
            reason,
        })
    }

    pub fn check(bytes: Bytes) -> Result<Self, HeaderError> {
        let entries = header::parse(bytes.get())?;
        Ok(Self {
            bytes: Arc::new(bytes),
            entries,
        })
    }

    /// The file's bytes.
    pub fn bytes(&self) -> &Arc<Bytes> {
        &self.bytes
    }

    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    pub fn tensors(&self) -> impl Iterator<Item = (&String, &Entry)> {
        self.entries.iter()
    }

    /// The tensor of `entry`: BF16 as it is, other floating-point numbers in F32; copied once.
    ///
    /// Errors if it holds no floating-point numbers.
    pub fn tensor(&self, entry: &Entry, device: &Device) -> CandleResult<Tensor> {
        let bytes = &self.bytes.get()[entry.bytes.clone()];
        let shape = entry.shape.as_slice();
        match entry.dtype {
            StoredType::F32 => {
                let (numbers, _) = bytes.as_chunks::<4>();
                let values: Vec<f32> = numbers.iter().map(|b| f32::from_le_bytes(*b)).collect();
                Tensor::from_vec(values, shape, device)
            }
            StoredType::F16 => {
                let (numbers, _) = bytes.as_chunks::<2>();
                let values = numbers.iter().map(|b| f16::from_le_bytes(*b).to_f32());
                Tensor::from_vec(values.collect::<Vec<f32>>(), shape, device)
            }
            StoredType::Bf16 => {
                let (numbers, _) = bytes.as_chunks::<2>();
                let values: Vec<bf16> = numbers.iter().map(|b| bf16::from_le_bytes(*b)).collect();
                Tensor::from_vec(values, shape, device)
            }
            StoredType::F64 => {
                let (numbers, _) = bytes.as_chunks::<8>();
                let values = numbers.iter().map(|b| f64::from_le_bytes(*b) as f32);
                Tensor::from_vec(values.collect::<Vec<f32>>(), shape, device)
            }
            other => bail!("a tensor of {other:?}, where a parameter is wanted"),
        }
    }
}
