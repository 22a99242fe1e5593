//! Where a network computes, and in which number format.

use avocet_products::Precision;
use candle_core::Device;

/// The processor's own memory: where files are read, and where fused forms compute.
pub const HOST: Device = Device::Cpu;

/// Where a network lies and how it multiplies: decided where it is built, and carried from there
/// by whoever holds its parameters.
#[derive(Debug, Clone)]
pub struct Placement {
    /// Where tensors are.
    pub device: Device,
    /// What large products read.
    pub precision: Precision,
}

impl Placement {
    /// On the processor, in `precision`.
    pub fn host(precision: Precision) -> Self {
        let device = HOST;
        Self { device, precision }
    }
}

impl Default for Placement {
    /// On the processor, in f32.
    fn default() -> Self {
        Self::host(Precision::F32)
    }
}
