//! A 3 x 3 convolution of each channel on its own, with zero padding.
//!
//! It gives attention blocks a sense of neighbourhood cheaply (CvT, arXiv:2103.15808).

mod cpu;

#[cfg(test)]
mod tests;

use candle_core::{Result, Tensor, bail};

use crate::fused::{FusedOp, Gradients, Inputs, Outcome, apply, f32s};
use crate::grids::{Grid, packed};

/// `y[r, c] = sum over the 3 x 3 neighbours of x * w`, on every grid and channel alone.
///
/// `x` is (S, C), packed grids; `w` is (9, C), tap `3 * i + j` for the neighbour at row r + i - 1
/// and column c + j - 1. Pixels outside a grid count as zero.
///
/// Errors if the channels disagree or the grids hold another number of pixels.
pub fn depthwise_conv3(x: &Tensor, w: &Tensor, grids: &[(usize, usize)]) -> Result<Tensor> {
    let (rows, channels) = x.dims2()?;
    if w.dims() != [9, channels] {
        bail!(
            "depthwise_conv3: w has shape {:?}, but x needs [9, {channels}]",
            w.dims()
        );
    }
    let grids = packed("depthwise_conv3", grids, rows)?;
    apply(Depthwise { grids }, [x, &w.to_dtype(x.dtype())?])
}

struct Depthwise {
    grids: Vec<Grid>,
}

impl FusedOp<2> for Depthwise {
    const NAME: &'static str = "depthwise_conv3";
    type Saved = ();

    fn forward(&self, inputs: Inputs<'_, 2>) -> Result<(Vec<f32>, ())> {
        let [x, w] = f32s(inputs)?;
        Ok((self.convolve(x, w), ()))
    }

    fn backward(&self, inputs: Inputs<'_, 2>, result: Outcome<'_, ()>) -> Gradients<2> {
        let [x, w] = f32s(inputs)?;
        let channels = w.len() / 9;
        // The gradient of x is the convolution with the taps in reverse.
        let taps = w.chunks_exact(channels.max(1)).rev();
        let reversed: Vec<f32> = taps.flatten().copied().collect();
        let dx = self.convolve(result.grad, &reversed);
        let dw = self.tap_gradients(x, result.grad, channels);
        Ok([dx.into(), dw.into()])
    }

    fn composed(&self, [x, w]: [&Tensor; 2]) -> Result<Tensor> {
        let channels = x.dim(1)?;
        let mut images = Vec::new();
        for grid in self.grids.iter().filter(|grid| grid.len() > 0) {
            let image = x
                .narrow(0, grid.first, grid.len())?
                .reshape((grid.height, grid.width, channels))?
                .pad_with_zeros(0, 1, 1)?
                .pad_with_zeros(1, 1, 1)?;
            let mut sum = None;
            for tap in 0..9 {
                let shifted =
                    image
                        .narrow(0, tap / 3, grid.height)?
                        .narrow(1, tap % 3, grid.width)?;
                let term = shifted
                    .contiguous()?
                    .broadcast_mul(&w.narrow(0, tap, 1)?.squeeze(0)?)?;
                sum = Some(match sum {
                    None => term,
                    Some(sum) => (sum + term)?,
                });
            }
            if let Some(sum) = sum {
                images.push(sum.reshape((grid.len(), channels))?);
            }
        }
        if images.is_empty() {
            return x.zeros_like();
        }
        Tensor::cat(&images, 0)
    }
}
