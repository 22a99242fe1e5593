//! Moving pixels between patches and rows of an image.

use rayon::prelude::*;

use super::PatchesToPixels;
use crate::grids::Grid;

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
    /// The pixels of all patches.
    pub(super) fn pixels(&self, patches: &[f32]) -> Vec<f32> {
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
        pixels
    }

    /// The patches of all pixels.
    pub(super) fn patches(&self, pixels: &[f32]) -> Vec<f32> {
        let (p, plane) = (self.p, self.p * self.p);
        let mut patches = vec![0.0; pixels.len()];
        let images = self.split(&mut patches);
        self.grids.par_iter().zip(images).for_each(|(grid, image)| {
            let start = grid.first * 3 * plane;
            let pixels = &pixels[start..start + image.len()];
            for (run, to) in pixels.chunks_exact(3 * p).zip(self.runs(grid)) {
                for (x, pixel) in run.chunks_exact(3).enumerate() {
                    for (channel, value) in pixel.iter().enumerate() {
                        image[to - start + channel * plane + x] = *value;
                    }
                }
            }
        });
        patches
    }
}
