//! The dense feed-forward block of every tower.

use avocet_kernels::{Activation, StepRows, Weight, activate, swiglu, swiglu_ffn};
use candle_core::{Result, Tensor};

use crate::builder::Builder;
use crate::init;
use crate::projection::Projection;
use avocet_config::FeedForwardKind;

/// A feed-forward block.
#[derive(Debug, Clone)]
pub enum FeedForward {
    /// `down(silu(gate(x)) * up(x))`, no biases. arXiv:2002.05202.
    SwiGlu {
        /// Gate above up (2F, D).
        gate_up: Weight,
        /// (D, F)
        down: Weight,
    },
    /// `down(activation(up(x)))`.
    Mlp {
        /// To the hidden width.
        up: Projection,
        /// What stands between.
        activation: Activation,
        /// And back.
        down: Projection,
    },
}

impl FeedForward {
    /// Makes a block of width `dim` and hidden width `ff_dim`; `num_residual_layers` blocks of the tower
    /// write into its residual stream. SwiGLU blocks have no biases, whatever `has_bias` says.
    pub fn new(
        kind: FeedForwardKind,
        (dim, ff_dim): (usize, usize),
        has_bias: bool,
        num_residual_layers: usize,
        builder: Builder,
    ) -> Result<Self> {
        let activation = match kind {
            FeedForwardKind::SwiGlu => {
                return Ok(Self::SwiGlu {
                    gate_up: init::matrix(&builder, (2 * ff_dim, dim), "gate_up")?,
                    down: init::residual(&builder, (dim, ff_dim), "down", num_residual_layers)?,
                });
            }
            FeedForwardKind::Gelu => Activation::Gelu,
            FeedForwardKind::GeluTanh => Activation::GeluTanh,
            FeedForwardKind::QuickGelu => Activation::QuickGelu,
            FeedForwardKind::Relu => Activation::Relu,
        };
        Ok(Self::Mlp {
            up: Projection::new((ff_dim, dim), has_bias, &builder, "up")?,
            activation,
            down: Projection::residual(
                (dim, ff_dim),
                has_bias,
                num_residual_layers,
                &builder,
                "down",
            )?,
        })
    }

    /// Maps `x` (S, D) to (S, D).
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::SwiGlu { gate_up, down } => swiglu_ffn(x, gate_up, down),
            Self::Mlp {
                up,
                activation,
                down,
            } => down.forward(&activate(&up.forward(x)?, *activation)?),
        }
    }

    /// As [`FeedForward::forward`], for inference.
    pub fn infer(&self, x: &Tensor, rows: StepRows) -> Result<Tensor> {
        match self {
            Self::SwiGlu { gate_up, down } => down.infer(&swiglu(&gate_up.infer(x, rows)?)?, rows),
            Self::Mlp {
                up,
                activation,
                down,
            } => down.infer(&activate(&up.infer(x, rows)?, *activation)?, rows),
        }
    }
}
