//! Linear maps, with or without a bias.

use avocet_kernels::Weight;
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
        Self::writing(shape, has_bias, 1, builder, name)
    }

    /// As [`Projection::new`], for one of `num_writers` maps that write into a residual stream.
    pub fn writing(
        shape: (usize, usize),
        has_bias: bool,
        num_writers: usize,
        builder: &Builder,
        name: &str,
    ) -> Result<Self> {
        let bias = || init::bias(builder, shape.0, &format!("{name}_bias"));
        Ok(Self {
            weight: init::residual(builder, shape, name, num_writers)?,
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
}
