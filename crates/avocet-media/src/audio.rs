//! The sound of media files as 16 kHz mono, decoded by the worker.

use serde::{Deserialize, Serialize};

/// Samples a second of all audio that the worker gives.
pub const SAMPLE_RATE_HZ: u32 = 16_000;

/// Describes one block; the payload is little-endian f32 samples in [-1, 1], one channel.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BlockHeader {
    /// When the first sample is heard, from the start of the file.
    pub start_s: f64,
}
