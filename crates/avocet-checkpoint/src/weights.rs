//! A checked weights file, and tensors out of it.

use crate::bytes::Bytes;
use crate::error::{CheckpointError, HeaderError};
use crate::header::{self, Entries, Entry, StoredType};
use candle_core::{Device, Result, Tensor};
use half::{bf16, f16};
use std::path::Path;

/// What a weights file says of one tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredTensor {
    /// Its field path in the model.
    pub name: String,
    /// Its number type in the file.
    pub dtype: StoredType,
    /// Its shape.
    pub shape: Vec<usize>,
}

/// A checked weights file.
pub(crate) struct Weights {
    bytes: Bytes,
    entries: Entries,
}

impl Weights {
    pub fn map(path: &Path) -> std::result::Result<Self, CheckpointError> {
        let bytes = Bytes::map(path)?;
        Self::check(bytes).map_err(|reason| CheckpointError::Weights {
            path: path.to_owned(),
            reason,
        })
    }

    pub fn carried(bytes: &'static [u8]) -> std::result::Result<Self, HeaderError> {
        Self::check(Bytes::Carried(bytes))
    }

    fn check(bytes: Bytes) -> std::result::Result<Self, HeaderError> {
        let entries = header::parse(bytes.get())?;
        Ok(Self { bytes, entries })
    }

    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// Length of the file in bytes.
    pub fn num_bytes(&self) -> usize {
        self.bytes.get().len()
    }

    pub fn tensors(&self) -> impl Iterator<Item = StoredTensor> {
        self.entries.iter().map(|(name, entry)| StoredTensor {
            name: name.clone(),
            dtype: entry.dtype,
            shape: entry.shape.clone(),
        })
    }

    /// The tensor of `entry`: BF16 as it is, all else F32; copied once.
    pub fn tensor(&self, entry: &Entry, device: &Device) -> Result<Tensor> {
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
        }
    }
}
