//! How numbers are stored, and rows of them as they lie.

/// Numbers that share a scale, at most.
#[cfg(target_arch = "x86_64")]
pub(crate) const GROUP: usize = 32;

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
    pub const fn block_len(self) -> usize {
        match self {
            Self::F32 | Self::F16 | Self::Bf16 => 1,
            Self::Q8_0 | Self::Q4_0 | Self::Q4_1 => 32,
            Self::Q4K | Self::Q5K | Self::Q6K => 256,
        }
    }

    /// Whether a number is a multiple of a scale less a minimum.
    #[cfg(target_arch = "x86_64")]
    pub(crate) const fn has_minima(self) -> bool {
        matches!(self, Self::Q4_1 | Self::Q4K | Self::Q5K)
    }

    /// Bytes of a block.
    pub const fn block_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::Q8_0 => 34,
            Self::Q4_0 => 18,
            Self::Q4_1 => 20,
            Self::Q4K => 144,
            Self::Q5K => 176,
            Self::Q6K => 210,
        }
    }
}

/// One row as it is stored.
#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    pub(crate) format: StoredFormat,
    pub bytes: &'a [u8],
}

/// Rows of one format as they are stored, one after another.
#[derive(Clone, Copy)]
pub(crate) struct Run<'a> {
    pub(crate) format: StoredFormat,
    pub bytes: &'a [u8],
    pub row_bytes: usize,
    pub rows: usize,
}
