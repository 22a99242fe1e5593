//! The roles of parameters: how each starts, and in what precision it is kept.
//!
//! A layer asks for its tensors through these functions only, so this file is the table of
//! initial values. Matrices start normal with standard deviation 1/sqrt(inputs), which keeps the
//! scale of what passes through them; a matrix that writes into a residual stream is smaller by
//! the square root of the number of such matrices (GPT-2, section 2.3), so that the stream of a
//! fresh model does not grow with depth.
//!
//! Large matrices come in the form in which they are kept (bf16 in a shipped model), and so do the
//! kernels of a network that consists of convolutions. What is small and sensitive (norms, biases,
//! gates, the router, a stem's convolutions) is always an f32 tensor.

use avocet_kernels::Weight;
use candle_core::{Result, Shape, Tensor};

use crate::builder::Builder;
use crate::parameter::{Init, Role};

/// How tables of embeddings start, as in GPT-2.
const TABLE: Init = Init::Normal { stdev: 0.02 };

/// A matrix (out, in).
pub(crate) fn matrix(builder: &Builder, shape: (usize, usize), name: &str) -> Result<Weight> {
    residual(builder, shape, name, 1)
}

/// A matrix (out, in) that writes into a residual stream, one of `num_residual_layers`.
pub(crate) fn residual(
    builder: &Builder,
    shape: (usize, usize),
    name: &str,
    num_residual_layers: usize,
) -> Result<Weight> {
    let init = fan_in(shape.1, num_residual_layers);
    builder.matrix(shape, name, Role::Matrix, init)
}

/// One matrix an expert (E, out, in), all of them one of `num_residual_layers` that write into a
/// residual stream, or 1.
pub(crate) fn experts(
    builder: &Builder,
    shape: (usize, usize, usize),
    name: &str,
    num_residual_layers: usize,
) -> Result<Weight> {
    let init = fan_in(shape.2, num_residual_layers);
    builder.matrix(shape, name, Role::Experts, init)
}

/// The output head (V, D).
pub(crate) fn head(builder: &Builder, shape: (usize, usize)) -> Result<Weight> {
    builder.matrix(shape, "head", Role::Head, fan_in(shape.1, 1))
}

/// A matrix (out, in) that scores experts.
pub(crate) fn router(builder: &Builder, shape: (usize, usize), name: &str) -> Result<Weight> {
    builder.small_matrix(shape, name, Role::Router, fan_in(shape.1, 1))
}

/// The kernels of a convolution, flattened to (out, k * k * in).
pub(crate) fn convolution(builder: &Builder, shape: (usize, usize), name: &str) -> Result<Weight> {
    builder.small_matrix(shape, name, Role::Convolution, fan_in(shape.1, 1))
}

/// A depthwise 3 x 3 kernel (9, C) that writes into a residual stream, one of `num_residual_layers`.
pub(crate) fn depthwise(
    builder: &Builder,
    channels: usize,
    name: &str,
    num_residual_layers: usize,
) -> Result<Tensor> {
    let init = fan_in(9, num_residual_layers);
    builder.tensor((9, channels), name, Role::Convolution, init)
}

/// The kernels of a convolution, flattened to (out, k * k * in), one of so many that they are kept as
/// large matrices are.
pub(crate) fn large_convolution(
    builder: &Builder,
    shape: (usize, usize),
    name: &str,
) -> Result<Weight> {
    builder.matrix(shape, name, Role::Convolution, fan_in(shape.1, 1))
}

/// A table of embeddings (rows, D).
pub(crate) fn table(builder: &Builder, rows: usize, dim: usize, name: &str) -> Result<Weight> {
    builder.matrix((rows, dim), name, Role::Embedding, TABLE)
}

/// Learned rows that take the place of an input, of unit scale.
pub(crate) fn rows(builder: &Builder, rows: usize, dim: usize, name: &str) -> Result<Tensor> {
    let init = Init::Normal { stdev: 1.0 };
    builder.tensor((rows, dim), name, Role::Latents, init)
}

/// The scale of a norm.
pub(crate) fn norm(builder: &Builder, dim: usize, name: &str) -> Result<Tensor> {
    builder.tensor(dim, name, Role::Norm, Init::Constant(1.0))
}

/// A bias, from zero.
pub(crate) fn bias(builder: &Builder, dim: usize, name: &str) -> Result<Tensor> {
    builder.tensor(dim, name, Role::Bias, Init::Constant(0.0))
}

/// A gate, one for all channels (1) or one a channel (D).
pub(crate) fn gate(builder: &Builder, dim: usize, initial: f64, name: &str) -> Result<Tensor> {
    builder.tensor(dim, name, Role::Gate, Init::Constant(initial))
}

/// Learned positions (.., D), or a row that stands before the patches.
pub(crate) fn positions<S: Into<Shape>>(builder: &Builder, shape: S, name: &str) -> Result<Tensor> {
    builder.tensor(shape, name, Role::Position, TABLE)
}

/// Vectors (rows, D) that are added to rows of unit scale to say what these are.
pub(crate) fn marks(builder: &Builder, rows: usize, dim: usize, name: &str) -> Result<Tensor> {
    let init = Init::Normal { stdev: 0.5 };
    builder.tensor((rows, dim), name, Role::Position, init)
}

/// A statistic (D) of a frozen part, which is measured and not trained.
pub(crate) fn statistic(builder: &Builder, dim: usize, start: f64, name: &str) -> Result<Tensor> {
    builder.tensor(dim, name, Role::Norm, Init::Constant(start))
}

/// A small table (rows, D) of vectors that are looked up, kept in f32.
pub(crate) fn small_table(builder: &Builder, shape: (usize, usize), name: &str) -> Result<Tensor> {
    builder.tensor(shape, name, Role::Embedding, TABLE)
}

/// The router's loss-free bias (E), from zero.
pub(crate) fn load_bias(builder: &Builder, num_experts: usize) -> Result<Tensor> {
    let init = Init::Constant(0.0);
    builder.tensor(num_experts, "load_bias", Role::RouterBias, init)
}

fn fan_in(inputs: usize, num_residual_layers: usize) -> Init {
    Init::Normal {
        stdev: 1.0 / (inputs as f64 * num_residual_layers as f64).sqrt(),
    }
}
