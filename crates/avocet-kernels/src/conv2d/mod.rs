//! Convolution of packed grids as a matrix product over gathered windows.

mod cpu;

#[cfg(test)]
mod tests;

use avocet_products::Precision;
use candle_core::{Result, Shape, Tensor, bail};

use crate::fused::{FusedOp, Gradient, Gradients, Inputs, Outcome, apply, f32s};
use crate::grids::{Grid, Padding, packed, strided};
use crate::weight::Weight;

/// A convolution with zero padding of `kernel / 2` on packed grids.
///
/// `x` is (pixels, C); `w` is (O, kernel * kernel * C), a window row by row with the channels
/// innermost, in memory; `b` is (O). The result is (output pixels, O), where a grid of h x w gives
/// `ceil(h / stride)` x `ceil(w / stride)`.
///
/// Errors if the shapes disagree, the kernel is even, or the stride is zero.
pub fn conv2d(
    x: &Tensor,
    w: &Weight,
    b: &Tensor,
    grids: &[(usize, usize)],
    kernel: usize,
    stride: usize,
) -> Result<Tensor> {
    let padding = Padding {
        kernel,
        stride,
        same: false,
    };
    padded(x, w, b, grids, padding)
}

/// As [`conv2d`], with zero padding as TensorFlow's SAME has it: of a stride of 2 over an even
/// side, the pixel too few is behind.
///
/// Errors as [`conv2d`] does.
pub fn conv2d_same(
    x: &Tensor,
    w: &Weight,
    b: &Tensor,
    grids: &[(usize, usize)],
    kernel: usize,
    stride: usize,
) -> Result<Tensor> {
    let padding = Padding {
        kernel,
        stride,
        same: true,
    };
    padded(x, w, b, grids, padding)
}

fn padded(
    x: &Tensor,
    w: &Weight,
    b: &Tensor,
    grids: &[(usize, usize)],
    padding: Padding,
) -> Result<Tensor> {
    let Padding { kernel, stride, .. } = padding;
    let (rows, channels) = x.dims2()?;
    let (outputs, window) = w.dims2("conv2d")?;
    if kernel.is_multiple_of(2) || stride == 0 {
        bail!("conv2d: kernel {kernel} must be odd and stride {stride} positive");
    }
    if window != kernel * kernel * channels {
        bail!(
            "conv2d: w has windows of {window}, but {kernel} * {kernel} * {channels} = {}",
            kernel * kernel * channels
        );
    }
    if b.dims() != [outputs] {
        bail!(
            "conv2d: b has shape {:?} but w has {outputs} outputs",
            b.dims()
        );
    }
    let inputs = packed("conv2d", grids, rows)?;
    let op = Conv {
        outputs: strided(&inputs, stride),
        inputs,
        padding,
        precision: w.precision,
    };
    let (w, b) = (w.tensor()?.to_dtype(x.dtype())?, b.to_dtype(x.dtype())?);
    apply(op, [x, &w, &b])
}

struct Conv {
    inputs: Vec<Grid>,
    outputs: Vec<Grid>,
    padding: Padding,
    precision: Precision,
}

impl FusedOp<3> for Conv {
    const NAME: &'static str = "conv2d";
    type Saved = ();

    fn shape(&self, [_, _, b]: [&Shape; 3]) -> Result<Shape> {
        Ok((self.output_pixels(), b.dims1()?).into())
    }

    fn forward(&self, inputs: Inputs<'_, 3>) -> Result<(Vec<f32>, ())> {
        let [x, w, b] = f32s(inputs)?;
        let y = if w.is_empty() {
            b.repeat(self.output_pixels())
        } else {
            self.convolve(x, w, b)
        };
        Ok((y, ()))
    }

    fn backward(&self, inputs: Inputs<'_, 3>, result: Outcome<'_, ()>) -> Gradients<3> {
        let wants_dx = inputs[0].wanted;
        let [x, w, b] = f32s(inputs)?;
        if w.is_empty() {
            let db = result.grad_tensor.sum(0)?;
            return Ok([
                vec![0.0; x.len()].into(),
                Vec::new().into(),
                Gradient::Tensor(db),
            ]);
        }
        let (dx, dw, db) = self.gradients(x, w, result.grad, b.len(), wants_dx);
        let dx = if wants_dx { dx.into() } else { Gradient::None };
        Ok([dx, dw.into(), db.into()])
    }

    /// By gathering every tap's pixels, with one row of zeros for those outside.
    fn composed(&self, [x, w, b]: [&Tensor; 3]) -> Result<Tensor> {
        let (rows, channels) = x.dims2()?;
        let pixels = self.output_pixels();
        let padded = x.pad_with_zeros(0, 0, 1)?;
        let kernel = self.padding.kernel;
        let mut sources = Vec::with_capacity(pixels * kernel * kernel);
        for (input, output) in self.inputs.iter().zip(&self.outputs) {
            for pixel in 0..output.len() {
                for tap in 0..kernel * kernel {
                    let tap = (tap / kernel, tap % kernel);
                    let source = self.padding.source((input, output), pixel, tap);
                    sources.push(source.map_or(rows, |at| input.first + at) as u32);
                }
            }
        }
        let len = sources.len();
        let sources = Tensor::from_vec(sources, len, x.device())?;
        padded
            .index_select(&sources, 0)?
            .reshape((pixels, kernel * kernel * channels))?
            .matmul(&w.t()?)?
            .broadcast_add(b)
    }
}

impl Conv {
    fn output_pixels(&self) -> usize {
        self.outputs.iter().map(Grid::len).sum()
    }
}
