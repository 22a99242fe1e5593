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
    kind: Kind,
    eps: f64,
}

#[derive(Debug, Clone)]
enum Kind {
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
        let kind = match kind {
            NormKind::Rms => Kind::Rms,
            NormKind::Layer => Kind::Layer {
                bias: init::bias(builder, dim, &format!("{name}_bias"))?,
            },
            NormKind::LayerUnbiased => Kind::LayerUnbiased,
        };
        Ok(Self { weight, kind, eps })
    }

    /// Maps `x` (.., D) to (.., D).
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match &self.kind {
            Kind::Rms => rms_norm(x, &self.weight, self.eps),
            Kind::Layer { bias } => layer_norm(x, &self.weight, bias, self.eps),
            Kind::LayerUnbiased => layer_norm_unbiased(x, &self.weight, self.eps),
        }
    }
}
