//! A 3 x 3 convolution of each channel on its own, with zero padding.
//!
//! It gives attention blocks a sense of neighbourhood cheaply (CvT, arXiv:2103.15808).

use avocet_products::simd::vectorised;
use candle_core::{CpuStorage, CustomOp2, DType, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::{Grid, packed, parts};
use crate::slices::{f32_slice, sum_in_order, with_f32};

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
    let w = w.to_dtype(x.dtype())?.contiguous()?;
    if x.device().is_cpu() && x.dtype() == DType::F32 {
        return x.contiguous()?.apply_op2(&w, Depthwise { grids });
    }
    depthwise_composed(x, &w, &grids)
}

fn depthwise_composed(x: &Tensor, w: &Tensor, grids: &[Grid]) -> Result<Tensor> {
    let channels = x.dim(1)?;
    let mut images = Vec::new();
    for grid in grids.iter().filter(|grid| grid.len() > 0) {
        let image = x
            .narrow(0, grid.first, grid.len())?
            .reshape((grid.height, grid.width, channels))?
            .pad_with_zeros(0, 1, 1)?
            .pad_with_zeros(1, 1, 1)?;
        let mut sum = None;
        for tap in 0..9 {
            let shifted = image
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

struct Depthwise {
    grids: Vec<Grid>,
}

/// The row of a grid at `row + step - 1`, if there is one, for steps 0, 1, 2.
fn neighbour(row: usize, step: usize, len: usize) -> Option<usize> {
    (row + step).checked_sub(1).filter(|row| *row < len)
}

impl Depthwise {
    /// The convolution of all grids, a task an image row.
    fn convolve(&self, x: &[f32], w: &[f32]) -> Vec<f32> {
        let channels = w.len() / 9;
        let mut y = vec![0.0; x.len()];
        let mut rows = Vec::new();
        let mut rest = &mut y[..];
        for grid in &self.grids {
            for row in 0..grid.height {
                let (head, tail) = rest.split_at_mut(grid.width * channels);
                rows.push((grid, row, head));
                rest = tail;
            }
        }
        rows.into_par_iter().for_each(|(grid, row, y)| {
            let line = grid.width * channels;
            for i in 0..3 {
                if let Some(from) = neighbour(row, i, grid.height) {
                    let at = grid.first * channels + from * line;
                    convolve_line(&x[at..at + line], &w[3 * i * channels..], channels, y);
                }
            }
        });
        y
    }
}

vectorised! {
    /// Adds to `y` the convolution of one line with three taps of `w`.
    fn convolve_line(x: &[f32], w: &[f32], channels: usize, y: &mut [f32]) {
        if channels == 0 {
            return;
        }
        let (w0, rest) = w.split_at(channels);
        let (w1, rest) = rest.split_at(channels);
        let w2 = &rest[..channels];
        let columns = y.len() / channels;
        for column in 0..columns {
            let at = column * channels;
            let y = &mut y[at..at + channels];
            let here = &x[at..at + channels];
            for ((y, x), w) in y.iter_mut().zip(here).zip(w1) {
                *y += x * w;
            }
            if column > 0 {
                for ((y, x), w) in y.iter_mut().zip(&x[at - channels..at]).zip(w0) {
                    *y += x * w;
                }
            }
            if column + 1 < columns {
                for ((y, x), w) in y.iter_mut().zip(&x[at + channels..]).zip(w2) {
                    *y += x * w;
                }
            }
        }
    }
}

vectorised! {
    /// Adds to the three taps `dw` the products of a line's gradient with its neighbours.
    fn line_tap_gradients(x: &[f32], g: &[f32], channels: usize, dw: &mut [f32]) {
        if channels == 0 {
            return;
        }
        let (d0, rest) = dw.split_at_mut(channels);
        let (d1, rest) = rest.split_at_mut(channels);
        let d2 = &mut rest[..channels];
        let columns = g.len() / channels;
        for column in 0..columns {
            let at = column * channels;
            let g = &g[at..at + channels];
            for ((d, x), g) in d1.iter_mut().zip(&x[at..]).zip(g) {
                *d += x * g;
            }
            if column > 0 {
                for ((d, x), g) in d0.iter_mut().zip(&x[at - channels..at]).zip(g) {
                    *d += x * g;
                }
            }
            if column + 1 < columns {
                for ((d, x), g) in d2.iter_mut().zip(&x[at + channels..]).zip(g) {
                    *d += x * g;
                }
            }
        }
    }
}

impl CustomOp2 for Depthwise {
    fn name(&self) -> &'static str {
        "depthwise_conv3"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        w: &CpuStorage,
        w_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let x = f32_slice(x, x_layout, "depthwise_conv3")?;
        let w = f32_slice(w, w_layout, "depthwise_conv3")?;
        Ok((
            CpuStorage::F32(self.convolve(x, w)),
            x_layout.shape().clone(),
        ))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let channels = w.dim(1)?;
        let (dx, dw) = with_f32(x, "depthwise_conv3", |x| {
            with_f32(w, "depthwise_conv3", |w| {
                with_f32(grad, "depthwise_conv3", |grad| {
                    // The gradient of x is the convolution with the taps in reverse.
                    let reversed: Vec<f32> = if channels == 0 {
                        Vec::new()
                    } else {
                        w.chunks_exact(channels).rev().flatten().copied().collect()
                    };
                    Ok((
                        self.convolve(grad, &reversed),
                        self.tap_gradients(x, grad, channels),
                    ))
                })
            })
        })?;
        Ok((
            Some(Tensor::from_vec(dx, x.shape(), x.device())?),
            Some(Tensor::from_vec(dw, w.shape(), w.device())?),
        ))
    }
}

impl Depthwise {
    fn tap_gradients(&self, x: &[f32], grad: &[f32], channels: usize) -> Vec<f32> {
        let sums: Vec<Vec<f32>> = parts(&self.grids)
            .into_par_iter()
            .map(|run| {
                let mut dw = vec![0.0; 9 * channels];
                for grid in run {
                    let line = grid.width * channels;
                    let at = |row: usize| grid.first * channels + row * line;
                    for row in 0..grid.height {
                        let g = &grad[at(row)..at(row) + line];
                        for i in 0..3 {
                            if let Some(from) = neighbour(row, i, grid.height) {
                                let x = &x[at(from)..at(from) + line];
                                line_tap_gradients(x, g, channels, &mut dw[3 * i * channels..]);
                            }
                        }
                    }
                }
                dw
            })
            .collect();
        sum_in_order(sums, 9 * channels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::{
        assert_close, assert_finite_differences, assert_matches,
        assert_same_on_one_and_two_threads, random,
    };

    #[test]
    fn depthwise_convolution_is_its_composed_form() -> Result<()> {
        let grids = [(5, 7), (1, 1), (0, 3), (1, 6), (12, 12)];
        let grid_rows = packed("test", &grids, 35 + 1 + 6 + 144)?;
        let inputs = [random((186, 19), 1), random((9, 19), 2)];
        let fused = |t: &[Tensor]| depthwise_conv3(&t[0], &t[1], &grids);
        assert_matches(&inputs, 1e-5, &fused, &|t| {
            depthwise_composed(&t[0], &t[1], &grid_rows)
        })?;
        assert_same_on_one_and_two_threads(&inputs, &fused)?;
        assert_finite_differences(&[random((9, 2), 1), random((9, 2), 2)], &|t| {
            depthwise_conv3(&t[0], &t[1], &[(3, 2), (1, 3)])
        })
    }

    #[test]
    fn packed_grids_equal_their_images_one_by_one() -> Result<()> {
        let (x, w) = (random((10, 4), 1), random((9, 4), 2));
        let both = depthwise_conv3(&x, &w, &[(2, 3), (2, 2)])?;
        let second = depthwise_conv3(&x.narrow(0, 6, 4)?, &w, &[(2, 2)])?;
        let both = both.narrow(0, 6, 4)?.flatten_all()?.to_vec1()?;
        assert_close(
            &both,
            &second.flatten_all()?.to_vec1()?,
            0.0,
            "second image",
        );
        Ok(())
    }

    #[test]
    fn grids_of_other_pixels_are_refused_with_both_numbers() {
        let error = depthwise_conv3(&random((7, 4), 1), &random((9, 4), 2), &[(2, 3)]);
        let text = error.expect_err("6 is not 7").to_string();
        assert!(
            text.contains("6 pixels") && text.contains("7 rows"),
            "{text}"
        );
        assert!(depthwise_conv3(&random((6, 4), 1), &random((9, 5), 2), &[(2, 3)]).is_err());
    }
}
