//! Linear maps, with or without a bias.

use avocet_kernels::{StepRows, Weight, infer_each};
use candle_core::{Result, Tensor};

use crate::builder::Builder;
use crate::init;

/// `x w^T`, and a bias if there is one.
#[derive(Debug, Clone)]
pub struct Projection {
    weight: Weight,
    bias: Option<Tensor>,
}

impl Projection {
    /// Makes a map from `shape.1` to `shape.0` channels: its matrix is `name`, its bias, if it has
    /// one, `name` with `_bias`.
    pub fn new(
        shape: (usize, usize),
        has_bias: bool,
        builder: &Builder,
        name: &str,
    ) -> Result<Self> {
        Self::residual(shape, has_bias, 1, builder, name)
    }

    /// As [`Projection::new`], for one of `num_residual_layers` maps that write into a residual stream.
    pub fn residual(
        shape: (usize, usize),
        has_bias: bool,
        num_residual_layers: usize,
        builder: &Builder,
        name: &str,
    ) -> Result<Self> {
        let bias = || init::bias(builder, shape.0, &format!("{name}_bias"));
        Ok(Self {
            weight: init::residual(builder, shape, name, num_residual_layers)?,
            bias: has_bias.then(bias).transpose()?,
        })
    }

    /// Maps `x` (.., I) to (.., O).
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match &self.bias {
            Some(bias) => self.weight.linear_bias(x, bias),
            None => self.weight.linear(x),
        }
    }

    /// As [`Projection::forward`], for inference.
    pub fn infer(&self, x: &Tensor, rows: StepRows) -> Result<Tensor> {
        match &self.bias {
            Some(bias) => self.weight.infer_bias(x, bias, rows),
            None => self.weight.infer(x, rows),
        }
    }

    /// Maps `x` (.., I) through each of several maps, as [`Projection::infer`] does.
    pub fn infer_each<const N: usize>(
        x: &Tensor,
        maps: [&Self; N],
        rows: StepRows,
    ) -> Result<[Tensor; N]> {
        let mut outs = infer_each(x, maps.map(|map| &map.weight), rows)?;
        for (out, map) in outs.iter_mut().zip(maps) {
            if let Some(bias) = &map.bias {
                *out = out.broadcast_add(bias)?;
            }
        }
        Ok(outs)
    }
}
