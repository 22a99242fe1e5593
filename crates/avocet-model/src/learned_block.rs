//! The block of the public vision towers: layer norms, biases where they have them, and rows that
//! hold their positions themselves.

use avocet_kernels::{KeyRanges, gated_add};
use candle_core::{Result, Tensor};

use crate::builder::Builder;
use crate::feed_forward::FeedForward;
use crate::init;
use crate::norm::Norm;
use crate::self_attention::{AttentionShape, Positions, SelfAttention};
use avocet_config::{FeedForwardKind, NormKind};

/// Shape of a block, shared by all of a tower.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockShape {
    pub dim: usize,
    pub num_heads: usize,
    pub ff_dim: usize,
    pub num_layers: usize,
    pub eps: f64,
    pub ff: FeedForwardKind,
    /// Whether attention has biases; the feed-forward always does.
    pub attention_bias: bool,
    /// Whether both parts are added through tanh gates.
    pub gated: bool,
}

/// A pre-norm block: attention, then a feed-forward, each added through a gate if it is gated.
#[derive(Debug, Clone)]
pub struct LearnedBlock {
    attention_norm: Norm,
    attention: SelfAttention,
    ff_norm: Norm,
    ff: FeedForward,
    gates: Option<(Tensor, Tensor)>,
}

impl LearnedBlock {
    pub(crate) fn new(shape: &BlockShape, builder: Builder) -> Result<Self> {
        let num_residual_layers = 2 * shape.num_layers;
        let attention = AttentionShape {
            bias: shape.attention_bias,
            output_bias: shape.attention_bias,
            ..AttentionShape::plain(shape.dim, shape.num_heads, num_residual_layers)
        };
        let norm = |name| Norm::new(NormKind::Layer, shape.dim, shape.eps, &builder, name);
        let gate = |name| init::gate(&builder, 1, 0.0, name);
        let gates = || Ok::<_, candle_core::Error>((gate("attention_gate")?, gate("ff_gate")?));
        let widths = (shape.dim, shape.ff_dim);
        Ok(Self {
            attention_norm: norm("attention_norm")?,
            attention: SelfAttention::new(&attention, builder.pp("attention"))?,
            ff_norm: norm("ff_norm")?,
            ff: FeedForward::new(
                shape.ff,
                widths,
                true,
                num_residual_layers,
                builder.pp("ff"),
            )?,
            gates: shape.gated.then(gates).transpose()?,
        })
    }

    /// Maps packed rows `x` (S, D_v) to (S, D_v); row i attends to the rows of `ranges`.
    pub fn forward(&self, x: &Tensor, ranges: &KeyRanges) -> Result<Tensor> {
        let normed = self.attention_norm.forward(x)?;
        let attended = self
            .attention
            .forward(&normed, Positions::Learned, ranges)?;
        let Some((attention_gate, ff_gate)) = &self.gates else {
            let x = (x + attended)?;
            return &x + self.ff.forward(&self.ff_norm.forward(&x)?)?;
        };
        let x = gated_add(x, &attended, attention_gate)?;
        let fed = self.ff.forward(&self.ff_norm.forward(&x)?)?;
        gated_add(&x, &fed, ff_gate)
    }
}
