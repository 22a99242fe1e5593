//! From patches, channel by channel, to pixel rows: what a convolutional stem reads.

mod cpu;

#[cfg(test)]
mod tests;

use candle_core::{Result, Shape, Tensor, bail};

use crate::fused::{FusedOp, Gradients, Inputs, Outcome, apply};
use crate::grids::{Grid, packed};

/// Turns `patches` (P, 3 * p * p), each channel-major, into pixels (P * p * p, 3), row by row of
/// each image; `grids` are the images' patch rows and columns.
///
/// Errors if the patches have another width or the grids another number of patches.
pub fn patches_to_pixels(patches: &Tensor, grids: &[(usize, usize)], p: usize) -> Result<Tensor> {
    let (rows, width) = patches.dims2()?;
    if p == 0 || 3 * p * p != width {
        bail!(
            "patches_to_pixels: patches of {width} values, but 3 * {p} * {p} = {}",
            3 * p * p
        );
    }
    let grids = packed("patches_to_pixels", grids, rows)?;
    apply(PatchesToPixels { grids, p }, [patches])
}

struct PatchesToPixels {
    grids: Vec<Grid>,
    p: usize,
}

impl FusedOp<1> for PatchesToPixels {
    const NAME: &'static str = "patches_to_pixels";
    type Saved = ();

    fn shape(&self, [patches]: [&Shape; 1]) -> Result<Shape> {
        Ok((patches.elem_count() / 3, 3).into())
    }

    fn forward(&self, [patches]: Inputs<'_, 1>) -> Result<(Vec<f32>, ())> {
        Ok((self.pixels(patches.f32()?), ()))
    }

    fn backward(&self, _: Inputs<'_, 1>, result: Outcome<'_, ()>) -> Gradients<1> {
        Ok([self.patches(result.grad).into()])
    }

    fn composed(&self, [patches]: [&Tensor; 1]) -> Result<Tensor> {
        let p = self.p;
        let images = self.grids.iter().filter(|grid| grid.len() > 0).map(|grid| {
            patches
                .narrow(0, grid.first, grid.len())?
                .reshape(&[grid.height, grid.width, 3, p, p][..])?
                .permute([0, 3, 1, 4, 2])? // (rows, p, columns, p, 3)
                .contiguous()?
                .reshape((grid.len() * p * p, 3))
        });
        match images.collect::<Result<Vec<_>>>()? {
            images if images.is_empty() => patches.reshape((0, 3)),
            images => Tensor::cat(&images, 0),
        }
    }
}
