//! A k x k convolution of each channel on its own, with stride, a bias and ReLU6: the middle of an
//! inverted residual block (MobileNetV2, arXiv:1801.04381, section 3.4).

mod cpu;
mod gradients;

#[cfg(test)]
mod tests;

use candle_core::{Result, Shape, Tensor, bail};

use crate::activation::relu6_gradients;
use crate::fused::{FusedOp, Gradient, Gradients, Inputs, Outcome, apply, f32s};
use crate::grids::{Grid, Padding, packed, strided};

/// The depthwise convolution of packed grids, with a bias and ReLU6, padded as TensorFlow's SAME
/// does.
///
/// `x` is (pixels, C); `w` is (kernel * kernel, C), taps row by row; `b` is (C). The result is
/// (output pixels, C), where a grid of h x w gives `ceil(h / stride)` x `ceil(w / stride)`.
///
/// Errors if the shapes disagree, the kernel is neither 3 nor 5, or the stride is zero.
pub fn depthwise_conv2d_relu6(
    x: &Tensor,
    w: &Tensor,
    b: &Tensor,
    grids: &[(usize, usize)],
    kernel: usize,
    stride: usize,
) -> Result<Tensor> {
    let (rows, channels) = x.dims2()?;
    if !matches!(kernel, 3 | 5) || stride == 0 {
        bail!("depthwise_conv2d: kernel {kernel} must be 3 or 5 and stride {stride} positive");
    }
    let taps = kernel * kernel;
    if w.dims() != [taps, channels] || b.dims() != [channels] {
        bail!(
            "depthwise_conv2d: w has shape {:?} and b {:?}, but x needs [{taps}, {channels}] and [{channels}]",
            w.dims(),
            b.dims()
        );
    }
    let inputs = packed("depthwise_conv2d", grids, rows)?;
    let op = Depthwise {
        outputs: strided(&inputs, stride),
        inputs,
        kernel,
        stride,
    };
    apply(op, [x, &w.to_dtype(x.dtype())?, &b.to_dtype(x.dtype())?])
}

struct Depthwise {
    inputs: Vec<Grid>,
    outputs: Vec<Grid>,
    kernel: usize,
    stride: usize,
}

impl FusedOp<3> for Depthwise {
    const NAME: &'static str = "depthwise_conv2d";
    type Saved = ();

    fn shape(&self, [_, _, b]: [&Shape; 3]) -> Result<Shape> {
        Ok((self.output_pixels(), b.dims1()?).into())
    }

    fn forward(&self, inputs: Inputs<'_, 3>) -> Result<(Vec<f32>, ())> {
        let [x, w, b] = f32s(inputs)?;
        Ok((self.convolve(x, w, b), ()))
    }

    fn backward(&self, inputs: Inputs<'_, 3>, result: Outcome<'_, ()>) -> Gradients<3> {
        let wants = inputs.map(|input| input.wanted);
        let [x, w, b] = f32s(inputs)?;
        let grad = relu6_gradients(result.out, result.grad);
        let dx = wants[0].then(|| self.input_gradients(w, &grad, b.len()).into());
        let (mut dw, mut db) = (Gradient::None, Gradient::None);
        if wants[1] || wants[2] {
            let (taps, bias) = self.tap_gradients(x, &grad, b.len());
            (dw, db) = (taps.into(), bias.into());
        }
        Ok([dx.unwrap_or(Gradient::None), dw, db])
    }

    /// By gathering every tap's pixels, with one row of zeros for those outside.
    fn composed(&self, [x, w, b]: [&Tensor; 3]) -> Result<Tensor> {
        let (rows, channels) = x.dims2()?;
        let padded = x.pad_with_zeros(0, 0, 1)?;
        let taps = self.kernel * self.kernel;
        let mut sum = b
            .broadcast_as((self.output_pixels(), channels))?
            .contiguous()?;
        for tap in 0..taps {
            let mut sources = Vec::with_capacity(self.output_pixels());
            for (input, output) in self.inputs.iter().zip(&self.outputs) {
                for pixel in 0..output.len() {
                    let source = self.padding().source(
                        (input, output),
                        pixel,
                        (tap / self.kernel, tap % self.kernel),
                    );
                    sources.push(source.map_or(rows, |at| input.first + at) as u32);
                }
            }
            let len = sources.len();
            let sources = Tensor::from_vec(sources, len, x.device())?;
            let line = w.narrow(0, tap, 1)?.squeeze(0)?;
            sum = (sum + padded.index_select(&sources, 0)?.broadcast_mul(&line)?)?;
        }
        sum.clamp(0.0, 6.0)
    }
}

impl Depthwise {
    fn output_pixels(&self) -> usize {
        self.outputs.iter().map(Grid::len).sum()
    }

    fn padding(&self) -> Padding {
        Padding {
            kernel: self.kernel,
            stride: self.stride,
            same: true,
        }
    }
}
