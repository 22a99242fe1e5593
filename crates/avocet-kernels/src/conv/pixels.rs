//! From patches, channel by channel, to pixel rows: what a convolutional stem reads.

use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::{Grid, packed};
use crate::slices::{f32_slice, with_f32};

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
    if patches.device().is_cpu() && patches.dtype() == DType::F32 {
        return patches
            .contiguous()?
            .apply_op1(PatchesToPixels { grids, p });
    }
    patches_to_pixels_composed(patches, &grids, p)
}

fn patches_to_pixels_composed(patches: &Tensor, grids: &[Grid], p: usize) -> Result<Tensor> {
    let images = grids.iter().filter(|grid| grid.len() > 0).map(|grid| {
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

struct PatchesToPixels {
    grids: Vec<Grid>,
    p: usize,
}

impl PatchesToPixels {
    /// Visits the runs of p pixels that lie side by side in patches and pixels alike, in order of
    /// the pixels: for each, the first element in a patch (the channels follow p * p apart).
    fn runs(&self, grid: &Grid) -> impl Iterator<Item = usize> + use<> {
        let (grid, p) = (*grid, self.p);
        let patch_len = 3 * p * p;
        (0..grid.height * p).flat_map(move |y| {
            (0..grid.width).map(move |column| {
                let patch = grid.first + y / p * grid.width + column;
                patch * patch_len + y % p * p
            })
        })
    }

    /// The pixels of each image, to be filled in parallel.
    fn split<'a>(&self, mut all: &'a mut [f32]) -> Vec<&'a mut [f32]> {
        let mut images = Vec::with_capacity(self.grids.len());
        for grid in &self.grids {
            let (image, rest) = all.split_at_mut(grid.len() * 3 * self.p * self.p);
            images.push(image);
            all = rest;
        }
        images
    }
}

impl CustomOp1 for PatchesToPixels {
    fn name(&self) -> &'static str {
        "patches_to_pixels"
    }

    fn cpu_fwd(&self, patches: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let patches = f32_slice(patches, layout, "patches_to_pixels")?;
        let (p, plane) = (self.p, self.p * self.p);
        let mut pixels = vec![0.0; patches.len()];
        let images = self.split(&mut pixels);
        self.grids.par_iter().zip(images).for_each(|(grid, image)| {
            for (run, from) in image.chunks_exact_mut(3 * p).zip(self.runs(grid)) {
                for (x, pixel) in run.chunks_exact_mut(3).enumerate() {
                    for (channel, value) in pixel.iter_mut().enumerate() {
                        *value = patches[from + channel * plane + x];
                    }
                }
            }
        });
        let shape = Shape::from((patches.len() / 3, 3));
        Ok((CpuStorage::F32(pixels), shape))
    }

    fn bwd(&self, patches: &Tensor, _pixels: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (p, plane) = (self.p, self.p * self.p);
        let dpatches = with_f32(grad, "patches_to_pixels", |grad| {
            let mut dpatches = vec![0.0; grad.len()];
            let images = self.split(&mut dpatches);
            self.grids.par_iter().zip(images).for_each(|(grid, image)| {
                let start = grid.first * 3 * plane;
                let grad = &grad[start..start + image.len()];
                for (run, to) in grad.chunks_exact(3 * p).zip(self.runs(grid)) {
                    for (x, pixel) in run.chunks_exact(3).enumerate() {
                        for (channel, value) in pixel.iter().enumerate() {
                            image[to - start + channel * plane + x] = *value;
                        }
                    }
                }
            });
            Ok(dpatches)
        })?;
        Tensor::from_vec(dpatches, patches.shape(), patches.device()).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::{assert_matches, random};

    #[test]
    fn pixels_are_their_composed_form() -> Result<()> {
        let grids = [(2, 3), (0, 4), (1, 1)];
        let packed = packed("test", &grids, 7)?;
        let patches = [random((7, 3 * 4 * 4), 1)];
        assert_matches(
            &patches,
            0.0,
            &|t| patches_to_pixels(&t[0], &grids, 4),
            &|t| patches_to_pixels_composed(&t[0], &packed, 4),
        )
    }

    #[test]
    fn patches_of_another_size_are_refused_with_both_numbers() {
        let error = patches_to_pixels(&random((2, 48), 1), &[(1, 2)], 5).expect_err("48 is not 75");
        assert!(error.to_string().contains("48 values") && error.to_string().contains("75"));
        assert!(patches_to_pixels(&random((2, 48), 1), &[(1, 3)], 4).is_err());
    }
}
