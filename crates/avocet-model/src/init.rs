//! The kinds of parameters: how each starts, and in what precision it is kept.
//!
//! A layer asks for its tensors through these functions only, so this file is the table of
//! initial values. Matrices start normal with standard deviation 1/sqrt(inputs), which keeps the
//! scale of what passes through them; a matrix that writes into a residual stream is smaller by
//! the square root of the number of such matrices (GPT-2, section 2.3), so that the stream of a
//! fresh model does not grow with depth.
//!
//! Large matrices come in the form in which they are kept (bf16 in a shipped model). What is small
//! and sensitive (norms, biases, gates, the router, convolutions) is always an f32 tensor.

use avocet_kernels::Weight;
use candle_core::{Result, Shape, Tensor};
use candle_nn::Init;

use crate::builder::Builder;

/// Standard deviation of embedding tables, as in GPT-2.
const TABLE_STDEV: f64 = 0.02;

/// Last part of the name of the router's loss-free bias.
const LOAD_BIAS: &str = "load_bias";

fn normal(stdev: f64) -> Init {
    Init::Randn { mean: 0.0, stdev }
}

/// Whether gradients train the parameter of this name. The router's loss-free bias is moved by
/// the trainer from the experts' load instead.
pub fn is_trained(name: &str) -> bool {
    name.rsplit('.').next() != Some(LOAD_BIAS)
}

/// A matrix, or one a expert, whose last dimension is its inputs.
pub(crate) fn matrix<S: Into<Shape>>(builder: &Builder, shape: S, name: &str) -> Result<Weight> {
    residual(builder, shape, name, 1)
}

/// A matrix that writes into a residual stream, one of `num_residual_layers`.
pub(crate) fn residual<S: Into<Shape>>(
    builder: &Builder,
    shape: S,
    name: &str,
    num_residual_layers: usize,
) -> Result<Weight> {
    let shape = shape.into();
    let stdev = fan_in_stdev(&shape, num_residual_layers);
    builder.matrix(shape, name, normal(stdev))
}

/// A small matrix kept in f32: the router, and convolutions flattened to (out, k * k * in).
pub(crate) fn small_matrix<S: Into<Shape>>(
    builder: &Builder,
    shape: S,
    name: &str,
) -> Result<Weight> {
    let shape = shape.into();
    let stdev = fan_in_stdev(&shape, 1);
    builder.small_matrix(shape, name, normal(stdev))
}

/// A depthwise 3 x 3 kernel (9, C) that writes into a residual stream, one of `num_residual_layers`.
pub(crate) fn depthwise(
    builder: &Builder,
    channels: usize,
    name: &str,
    num_residual_layers: usize,
) -> Result<Tensor> {
    let stdev = 1.0 / (9.0 * num_residual_layers as f64).sqrt();
    builder.tensor((9, channels), name, normal(stdev))
}

/// A table of embeddings (rows, D).
pub(crate) fn table(builder: &Builder, rows: usize, dim: usize, name: &str) -> Result<Weight> {
    builder.matrix((rows, dim), name, normal(TABLE_STDEV))
}

/// Learned rows that take the place of an input, of unit scale.
pub(crate) fn rows(builder: &Builder, rows: usize, dim: usize, name: &str) -> Result<Tensor> {
    builder.tensor((rows, dim), name, normal(1.0))
}

/// The scale of a norm.
pub(crate) fn norm(builder: &Builder, dim: usize, name: &str) -> Result<Tensor> {
    builder.tensor(dim, name, Init::Const(1.0))
}

/// A bias, from zero.
pub(crate) fn bias(builder: &Builder, dim: usize, name: &str) -> Result<Tensor> {
    builder.tensor(dim, name, Init::Const(0.0))
}

/// A gate, one for all channels (1) or one a channel (D).
pub(crate) fn gate(builder: &Builder, dim: usize, initial: f64, name: &str) -> Result<Tensor> {
    builder.tensor(dim, name, Init::Const(initial))
}

/// Learned positions (.., D), or a row that stands before the patches.
pub(crate) fn positions<S: Into<Shape>>(builder: &Builder, shape: S, name: &str) -> Result<Tensor> {
    builder.tensor(shape, name, normal(TABLE_STDEV))
}

/// The router's loss-free bias (E), from zero.
pub(crate) fn load_bias(builder: &Builder, num_experts: usize) -> Result<Tensor> {
    bias(builder, num_experts, LOAD_BIAS)
}

fn fan_in_stdev(shape: &Shape, num_residual_layers: usize) -> f64 {
    let inputs = shape.dims().last().copied().unwrap_or(1);
    1.0 / (inputs as f64 * num_residual_layers as f64).sqrt()
}
