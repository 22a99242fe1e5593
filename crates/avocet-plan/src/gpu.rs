//! GPUs: what the maker says, and what share of it programs reach.
//!
//! Sources of the makers' figures: NVIDIA's data sheets of A100 (NVIDIA A100 Tensor Core GPU, June
//! 2021), H100 and H200 (SXM), and the DGX B200; dense rates, without sparsity. H800 is H100 with
//! NVLink cut to 400 GB/s. Memory is what `nvidia-smi` lists. Links of a GPU are counted one way.

use serde::Serialize;

use crate::error::{PlanError, Result};

/// A GPU with its links.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gpu {
    /// What it is called on the command line.
    pub name: &'static str,
    /// Peak of 16-bit matrix products, FLOP/s.
    pub peak: f64,
    /// Peak of 8-bit floating-point products, FLOP/s; that of 16 bits where there are none.
    pub peak_8bit: f64,
    /// Memory in bytes.
    pub memory: f64,
    /// Memory bandwidth, bytes/s.
    pub bandwidth: f64,
    /// Bandwidth to the other GPUs of its node, bytes/s one way.
    pub nvlink: f64,
    /// Its share of the node's network, bytes/s one way.
    pub network: f64,
    /// GPUs that NVLink joins.
    pub per_node: u64,
    /// What programs reach of all this.
    pub rates: Rates,
    /// Dollars an hour that the described system's account assumes, where it names any.
    pub price: Option<f64>,
}

/// Shares of the maker's figures that programs reach. What each was fitted on stands in the README
/// of this crate, and `cargo run --example fit` fits them again.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rates {
    /// Share of the peak that a very deep product reaches.
    pub product: f64,
    /// Depth (the summed dimension) at which a product reaches half of that.
    pub half_depth: f64,
    /// Share of the memory bandwidth of large reads and writes.
    pub memory: f64,
    /// Share of the 16-bit peak that fused attention reaches, forward.
    pub attention: f64,
    /// The same, backward.
    pub attention_backward: f64,
    /// Share of NVLink that collectives reach.
    pub nvlink: f64,
    /// Share of the network that collectives between nodes reach.
    pub network: f64,
    /// Seconds that each kernel costs beside its work.
    pub kernel_s: f64,
    /// How much longer the layers take where more than one node steps together: everyone waits for
    /// the slowest.
    pub spread: f64,
}

/// Fitted on the two 1T rows of Megatron-LM, and tested on all other rows of several nodes.
const SPREAD: f64 = 1.073;

/// A100: fitted on the layer times and the two 22B rows of Megatron-LM.
const AMPERE: Rates = Rates {
    product: 0.88,
    half_depth: 69.0,
    memory: 0.895,
    attention: 0.60,
    attention_backward: 0.50,
    nvlink: 0.483,
    network: 0.80,
    kernel_s: 2e-6,
    spread: SPREAD,
};

/// H100 and its kin: fitted on products and layers measured on an H100 (`measured/h100.json`).
const HOPPER: Rates = Rates {
    product: 0.797,
    half_depth: 263.0,
    memory: 0.832,
    attention: 0.577,
    attention_backward: 0.364,
    nvlink: 0.80,
    network: 0.80,
    kernel_s: 2.07e-6,
    spread: SPREAD,
};

const MIB: f64 = 1024.0 * 1024.0;

const fn hopper(name: &'static str, mib: f64, bandwidth: f64, nvlink: f64) -> Gpu {
    Gpu {
        name,
        peak: 989.4e12,
        peak_8bit: 1978.9e12,
        memory: mib * MIB,
        bandwidth,
        nvlink,
        network: 50e9,
        per_node: 8,
        rates: HOPPER,
        price: None,
    }
}

const fn ampere(name: &'static str, mib: f64, bandwidth: f64) -> Gpu {
    Gpu {
        name,
        peak: 312e12,
        peak_8bit: 312e12,
        memory: mib * MIB,
        bandwidth,
        nvlink: 300e9,
        network: 25e9,
        per_node: 8,
        rates: AMPERE,
        price: None,
    }
}

/// Every known GPU. Prices are those of the described system's account, and for H800 the one that
/// DeepSeek counts with (arXiv:2412.19437, table 1).
pub const KNOWN: [Gpu; 6] = [
    ampere("a100-40", 40_960.0, 1.555e12),
    Gpu {
        price: Some(1.0),
        ..ampere("a100-80", 81_920.0, 2.039e12)
    },
    Gpu {
        price: Some(2.0),
        ..hopper("h100", 81_559.0, 3.35e12, 450e9)
    },
    Gpu {
        price: Some(2.0),
        ..hopper("h800", 81_559.0, 3.35e12, 200e9)
    },
    hopper("h200", 143_771.0, 4.8e12, 450e9),
    Gpu {
        peak: 2250e12,
        peak_8bit: 4500e12,
        ..hopper("b200", 183_359.0, 8.0e12, 900e9)
    },
];

impl Gpu {
    /// The GPU of this name.
    ///
    /// Errors with the known names if there is none.
    pub fn named(name: &str) -> Result<Self> {
        let found = KNOWN.iter().find(|gpu| gpu.name == name.to_lowercase());
        found.cloned().ok_or_else(|| PlanError::UnknownGpu {
            name: name.chars().take(40).collect(),
            known: KNOWN.map(|gpu| gpu.name).join(", "),
        })
    }

    /// Seconds of `count` products (m, k) x (k, n) side by side, 16-bit numbers: the longer of
    /// computing and of moving the operands once.
    pub fn product_s(&self, count: f64, m: f64, n: f64, k: f64) -> f64 {
        self.product_of(self.peak, 2.0, count, m, n, k)
    }

    /// The same of 8-bit floating-point operands with a 16-bit result.
    pub(crate) fn product_8bit_s(&self, count: f64, m: f64, n: f64, k: f64) -> f64 {
        self.product_of(self.peak_8bit, 1.0, count, m, n, k)
    }

    fn product_of(&self, peak: f64, bytes: f64, count: f64, m: f64, n: f64, k: f64) -> f64 {
        if count * m * n * k <= 0.0 {
            return 0.0;
        }
        let rates = &self.rates;
        // Rows are computed in blocks of 64 at least. The last, half-empty round of blocks is left
        // out: with it, the products measured on an H100 came out 15 % off instead of 7 %.
        let rows = (m / 64.0).ceil() * 64.0;
        let share = rates.product * k / (k + rates.half_depth);
        let compute = 2.0 * count * rows * n * k / (peak * share);
        let moved = count * (bytes * (m * k + k * n) + 2.0 * m * n);
        compute.max(moved / (self.bandwidth * rates.memory)) + rates.kernel_s
    }

    /// Seconds of `kernels` elementwise kernels that read and write `bytes` in all.
    pub(crate) fn elementwise_s(&self, bytes: f64, kernels: f64) -> f64 {
        bytes / (self.bandwidth * self.rates.memory) + kernels * self.rates.kernel_s
    }

    /// Bandwidth that a group of `size` GPUs with `stride` between neighbours sees, bytes/s one
    /// way: NVLink inside a node, the network beyond.
    pub fn link(&self, size: u64, stride: u64) -> f64 {
        if size * stride <= self.per_node {
            self.nvlink * self.rates.nvlink
        } else {
            self.network * self.rates.network
        }
    }

    /// Seconds of summing `bytes` over a ring of `size` GPUs and giving everyone the sum, which is
    /// as long as a reduce-scatter and an all-gather (Thakur et al. 2005).
    pub(crate) fn all_reduce_s(&self, bytes: f64, size: u64, stride: u64) -> f64 {
        2.0 * self.gather_s(bytes, size, stride)
    }

    /// Seconds of an all-gather or reduce-scatter of `bytes` in all over a ring of `size` GPUs.
    pub(crate) fn gather_s(&self, bytes: f64, size: u64, stride: u64) -> f64 {
        if size <= 1 {
            return 0.0;
        }
        let share = (size - 1) as f64 / size as f64;
        // A step of a ring inside a node takes about a microsecond, between nodes about five.
        let step = if size * stride <= self.per_node {
            1e-6
        } else {
            5e-6
        };
        let steps = ((size - 1) as f64).min(64.0);
        share * bytes / self.link(size, stride) + steps * step
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_gpu_is_answered_with_the_known_ones() {
        let error = Gpu::named("tpu").unwrap_err().to_string();
        assert!(
            error.contains("tpu") && error.contains("a100-80, h100"),
            "{error}"
        );
        assert_eq!(Gpu::named("H100").unwrap().name, "h100");
    }

    #[test]
    fn a_product_is_bound_by_memory_when_thin_and_by_arithmetic_when_thick() {
        let gpu = Gpu::named("h100").unwrap();
        let thin = |m: f64| gpu.product_s(1.0, m, 8192.0, 8192.0);
        assert!(thin(64.0) / thin(1.0) < 1.05, "the weights are read once");
        let (one, two) = (
            gpu.product_s(1.0, 8192.0, 8192.0, 8192.0),
            gpu.product_s(1.0, 16384.0, 8192.0, 8192.0),
        );
        assert!((two / one - 2.0).abs() < 0.01);
    }
}
