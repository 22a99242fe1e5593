//! Norms of every kind that the towers have.

use avocet_kernels::{layer_norm, layer_norm_unbiased, rms_norm};
use candle_core::{Result, Tensor};

use crate::builder::Builder;
use crate::init;
use avocet_config::NormKind;

/// Normalises the last dimension.
#[derive(Debug, Clone)]
pub struct Norm {
    weight: Tensor,
    formula: Formula,
    eps: f64,
}

#[derive(Debug, Clone)]
enum Formula {
    Rms,
    Layer { bias: Tensor },
    LayerUnbiased,
}

impl Norm {
    /// Makes a norm of `dim` channels: its scale is `name`, its bias `name` with `_bias`.
    pub fn new(
        kind: NormKind,
        dim: usize,
        eps: f64,
        builder: &Builder,
        name: &str,
    ) -> Result<Self> {
        let weight = init::norm(builder, dim, name)?;
        let formula = match kind {
            NormKind::Rms => Formula::Rms,
            NormKind::Layer => Formula::Layer {
                bias: init::bias(builder, dim, &format!("{name}_bias"))?,
            },
            NormKind::LayerUnbiased => Formula::LayerUnbiased,
        };
        Ok(Self {
            weight,
            formula,
            eps,
        })
    }

    /// Maps `x` (.., D) to (.., D).
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match &self.formula {
            Formula::Rms => rms_norm(x, &self.weight, self.eps),
            Formula::Layer { bias } => layer_norm(x, &self.weight, bias, self.eps),
            Formula::LayerUnbiased => layer_norm_unbiased(x, &self.weight, self.eps),
        }
    }
}
