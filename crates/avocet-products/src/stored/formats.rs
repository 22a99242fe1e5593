//! The formats that numbers are stored in.

mod k_scales;
mod plain;
mod q4_0;
mod q4_1;
mod q4_k;
mod q5_k;
mod q6_k;
mod q8_0;

use super::format::FormatKernels;

/// How numbers are stored. The block formats are those of ggml-common.h, little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredFormat {
    /// IEEE 754 numbers of 32 bits.
    F32,
    /// IEEE 754 numbers of 16 bits.
    F16,
    /// The upper halves of f32 numbers.
    Bf16,
    /// 32 numbers of 8 bits and a scale.
    Q8_0,
    /// 32 numbers of 4 bits and a scale; 8 stands for zero.
    Q4_0,
    /// 32 numbers of 4 bits, a scale and a minimum.
    Q4_1,
    /// 8 times 32 numbers of 4 bits; scales and minima of 6 bits.
    Q4K,
    /// 8 times 32 numbers of 5 bits; scales and minima of 6 bits.
    Q5K,
    /// 16 times 16 numbers of 6 bits; scales of 8 bits.
    Q6K,
}

impl StoredFormat {
    /// Every format.
    pub const ALL: [Self; 9] = [
        Self::F32,
        Self::F16,
        Self::Bf16,
        Self::Q8_0,
        Self::Q4_0,
        Self::Q4_1,
        Self::Q4K,
        Self::Q5K,
        Self::Q6K,
    ];

    /// Numbers of a block.
    pub fn block_len(self) -> usize {
        self.kernels().block_len
    }

    /// Bytes of a block.
    pub fn block_bytes(self) -> usize {
        self.kernels().block_bytes
    }

    /// What a product needs of the format.
    pub(crate) fn kernels(self) -> &'static FormatKernels {
        match self {
            Self::F32 => const { &FormatKernels::of::<plain::F32>() },
            Self::F16 => const { &FormatKernels::of::<plain::F16>() },
            Self::Bf16 => const { &FormatKernels::of::<plain::Bf16>() },
            Self::Q8_0 => const { &FormatKernels::of::<q8_0::Q8_0>() },
            Self::Q4_0 => const { &FormatKernels::of::<q4_0::Q4_0>() },
            Self::Q4_1 => const { &FormatKernels::of::<q4_1::Q4_1>() },
            Self::Q4K => const { &FormatKernels::of::<q4_k::Q4K>() },
            Self::Q5K => const { &FormatKernels::of::<q5_k::Q5K>() },
            Self::Q6K => const { &FormatKernels::of::<q6_k::Q6K>() },
        }
    }
}
