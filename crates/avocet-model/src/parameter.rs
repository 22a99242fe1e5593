//! What a network says of a parameter when it asks for it.

use candle_core::Shape;

/// What a parameter is to the network: what decays, what low-rank factors stand beside, what is
/// kept in single precision and what is shared out among processes follow from it, not from the
/// text of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The matrix of a linear map (out, in).
    Matrix,
    /// One matrix an expert, in a stack (E, out, in).
    Experts,
    /// A table that is read by row.
    Embedding,
    /// The output head (V, D) where it is not the table of embeddings.
    Head,
    /// The matrix that scores experts (E, D), or the one score of a shared expert.
    Router,
    /// The router's loss-free bias (E), which no gradient moves (arXiv:2408.15664).
    RouterBias,
    /// The kernels of a convolution.
    Convolution,
    /// Learned positions, or a row that stands before the patches.
    Position,
    /// Learned rows that take the place of an input.
    Latents,
    /// The scale of a norm.
    Norm,
    /// What is added to the channels of a linear map or a norm.
    Bias,
    /// A gate, or another scale of a whole branch.
    Gate,
}

impl Role {
    /// Whether gradients train it. The router's bias is moved from the experts' load instead.
    pub fn has_gradient(self) -> bool {
        self != Self::RouterBias
    }

    /// Whether it is looked up by row as well as multiplied with.
    pub fn is_table(self) -> bool {
        matches!(self, Self::Embedding | Self::Head)
    }
}

/// How a fresh parameter starts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// Every number the same.
    Constant(f64),
    /// Drawn from a normal distribution around zero.
    Normal {
        /// Its standard deviation.
        stdev: f64,
    },
}

/// A parameter as a network asks for it.
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterSpec {
    /// Its field path in the model, which is its name in a checkpoint.
    pub name: String,
    /// Its shape.
    pub shape: Shape,
    /// What it is to the network.
    pub role: Role,
    /// How it starts.
    pub init: Init,
    /// Whether it is kept in F32 however it is stored: all but large matrices.
    pub sensitive: bool,
}
