//! What files say of their tensors, in one form for all forms of files.

use crate::formats::gguf::GgmlType;
use crate::formats::pickle::ElementType;
use crate::formats::safetensors::StoredType;
use avocet_products::stored::StoredFormat;
use std::fmt;

/// What a file says of one tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredTensor {
    /// Its name in the file.
    pub name: String,
    /// Its number type in the file.
    pub dtype: NumberType,
    /// Its shape.
    pub shape: Vec<usize>,
}

/// A number type of any of the file forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberType {
    /// Of a safetensors file.
    Safetensors(StoredType),
    /// Of a file of `torch.save`.
    Pickle(ElementType),
    /// Of a GGUF file.
    Gguf(GgmlType),
}

impl NumberType {
    /// The type of ggml with the same bytes; `None` if there is none.
    pub(crate) fn ggml(self) -> Option<GgmlType> {
        Some(match self {
            Self::Gguf(dtype) => dtype,
            Self::Safetensors(StoredType::F32) | Self::Pickle(ElementType::F32) => GgmlType::F32,
            Self::Safetensors(StoredType::F16) | Self::Pickle(ElementType::F16) => GgmlType::F16,
            Self::Safetensors(StoredType::Bf16) | Self::Pickle(ElementType::Bf16) => GgmlType::Bf16,
            Self::Safetensors(_) | Self::Pickle(_) => return None,
        })
    }

    /// The form in which matrices of this type are computed with as they lie; `None` if they
    /// cannot be.
    pub fn format(self) -> Option<StoredFormat> {
        match self {
            Self::Safetensors(StoredType::F32)
            | Self::Pickle(ElementType::F32)
            | Self::Gguf(GgmlType::F32) => Some(StoredFormat::F32),
            Self::Safetensors(StoredType::F16)
            | Self::Pickle(ElementType::F16)
            | Self::Gguf(GgmlType::F16) => Some(StoredFormat::F16),
            Self::Safetensors(StoredType::Bf16)
            | Self::Pickle(ElementType::Bf16)
            | Self::Gguf(GgmlType::Bf16) => Some(StoredFormat::Bf16),
            Self::Gguf(GgmlType::Q8_0) => Some(StoredFormat::Q8_0),
            Self::Gguf(GgmlType::Q4_0) => Some(StoredFormat::Q4_0),
            Self::Gguf(GgmlType::Q4_1) => Some(StoredFormat::Q4_1),
            Self::Gguf(GgmlType::Q4K) => Some(StoredFormat::Q4K),
            Self::Gguf(GgmlType::Q5K) => Some(StoredFormat::Q5K),
            Self::Gguf(GgmlType::Q6K) => Some(StoredFormat::Q6K),
            Self::Safetensors(_) | Self::Pickle(_) | Self::Gguf(_) => None,
        }
    }

    /// Whether the numbers could be parameters.
    pub fn is_float(self) -> bool {
        let double = matches!(
            self,
            Self::Safetensors(StoredType::F64) | Self::Pickle(ElementType::F64)
        );
        double || self.format().is_some()
    }

    /// Bytes that so many numbers of this type occupy.
    pub fn num_bytes(self, elements: u64) -> u64 {
        match self {
            Self::Safetensors(dtype) => elements.saturating_mul(dtype.size() as u64),
            Self::Pickle(dtype) => elements.saturating_mul(dtype.size() as u64),
            Self::Gguf(dtype) => {
                let blocks = elements.div_ceil(dtype.block_len() as u64);
                blocks.saturating_mul(dtype.block_bytes() as u64)
            }
        }
    }
}

impl fmt::Display for NumberType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Safetensors(dtype) => write!(f, "{dtype:?}"),
            Self::Pickle(dtype) => write!(f, "{dtype}"),
            Self::Gguf(dtype) => write!(f, "{dtype}"),
        }
    }
}
