//! Stored rows of any format without a file, for tests and measurements.

use std::sync::Arc;

use super::error::StoredError;
use super::formats::StoredFormat;
use super::rows::StoredRows;

impl StoredRows {
    /// Rows of random blocks whose numbers are of the order of 1, the same for the same seed, at
    /// an odd offset of their bytes.
    ///
    /// Errors if `cols` are not whole blocks.
    pub fn random(
        format: StoredFormat,
        rows: usize,
        cols: usize,
        seed: u64,
    ) -> Result<Self, StoredError> {
        let mut state = seed ^ 0x2545_F491_4F6C_DD1D;
        let mut next = || {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            (z ^ (z >> 31)) >> 32
        };
        let offset = 2 * (seed as usize % 8) + 3;
        let mut bytes = vec![0xa5; offset];
        for _ in 0..rows * cols / format.block_len() {
            let mut block: Vec<u8> = (0..format.block_bytes()).map(|_| next() as u8).collect();
            let mut uniform = || (next() % 2001) as f32 / 1000.0 - 1.0;
            (format.kernels().tame)(&mut block, &mut uniform);
            bytes.extend_from_slice(&block);
        }
        bytes.push(0xa5);
        Self::new(Arc::new(bytes), offset, rows, cols, format)
    }
}
