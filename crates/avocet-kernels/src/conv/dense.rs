//! Convolution of packed grids as a matrix product over gathered windows.

use avocet_products::simd::vectorised;
use avocet_products::{MatMut, MatRef, Right, product_sequential};
use candle_core::{CpuStorage, CustomOp3, DType, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::{Grid, packed, parts, split_by_grids};
use crate::precision::product_precision;
use crate::slices::{f32_slice, sum_in_order, with_f32};

/// Output pixels whose windows exist at the same time in a task; fixed, so that results do not
/// depend on the threads.
const CHUNK_PIXELS: usize = 256;

/// A convolution with zero padding of `kernel / 2` on packed grids.
///
/// `x` is (pixels, C); `w` is (O, kernel * kernel * C), a window row by row with the channels
/// innermost; `b` is (O). The result is (output pixels, O), where a grid of h x w gives
/// `ceil(h / stride)` x `ceil(w / stride)`.
///
/// Errors if the shapes disagree, the kernel is even, or the stride is zero.
pub fn conv2d(
    x: &Tensor,
    w: &Tensor,
    b: &Tensor,
    grids: &[(usize, usize)],
    kernel: usize,
    stride: usize,
) -> Result<Tensor> {
    let (rows, channels) = x.dims2()?;
    let (outputs, window) = w.dims2()?;
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
        kernel,
        stride,
    };
    let (w, b) = (w.to_dtype(x.dtype())?, b.to_dtype(x.dtype())?);
    if x.device().is_cpu() && x.dtype() == DType::F32 {
        return x
            .contiguous()?
            .apply_op3(&w.contiguous()?, &b.contiguous()?, op);
    }
    op.composed(x, &w, &b)
}

/// The output grids of a stride.
fn strided(inputs: &[Grid], stride: usize) -> Vec<Grid> {
    let mut first = 0;
    let outputs = inputs.iter().map(|grid| {
        let (height, width) = (grid.height.div_ceil(stride), grid.width.div_ceil(stride));
        let output = Grid {
            height,
            width,
            first,
        };
        first += output.len();
        output
    });
    outputs.collect()
}

struct Conv {
    inputs: Vec<Grid>,
    outputs: Vec<Grid>,
    kernel: usize,
    stride: usize,
}

impl Conv {
    fn output_pixels(&self) -> usize {
        self.outputs.iter().map(Grid::len).sum()
    }

    /// By gathering every tap's pixels, with one row of zeros for those outside.
    fn composed(&self, x: &Tensor, w: &Tensor, b: &Tensor) -> Result<Tensor> {
        let (rows, channels) = x.dims2()?;
        let pixels = self.output_pixels();
        let padded = x.pad_with_zeros(0, 0, 1)?;
        let mut sources = Vec::with_capacity(pixels * self.kernel * self.kernel);
        for (input, output) in self.inputs.iter().zip(&self.outputs) {
            for pixel in 0..output.len() {
                for tap in 0..self.kernel * self.kernel {
                    let source = self.source(input, output, pixel, tap);
                    sources.push(source.map_or(rows, |at| input.first + at) as u32);
                }
            }
        }
        let len = sources.len();
        let sources = Tensor::from_vec(sources, len, &candle_core::Device::Cpu)?;
        padded
            .index_select(&sources.to_device(x.device())?, 0)?
            .reshape((pixels, self.kernel * self.kernel * channels))?
            .matmul(&w.t()?)?
            .broadcast_add(b)
    }

    /// The input pixel, within its grid, that tap `tap` of an output pixel reads.
    fn source(&self, input: &Grid, output: &Grid, pixel: usize, tap: usize) -> Option<usize> {
        let pad = self.kernel / 2;
        let at = |out: usize, tap: usize, len: usize| {
            (out * self.stride + tap)
                .checked_sub(pad)
                .filter(|at| *at < len)
        };
        let row = at(pixel / output.width, tap / self.kernel, input.height)?;
        let column = at(pixel % output.width, tap % self.kernel, input.width)?;
        Some(row * input.width + column)
    }

    /// The taps of a line of a window that lie inside a grid: the first tap, and the input pixels
    /// they read, which lie side by side.
    fn line(
        &self,
        input: &Grid,
        output: &Grid,
        pixel: usize,
        tap_row: usize,
    ) -> Option<(usize, std::ops::Range<usize>)> {
        let pad = self.kernel / 2;
        let (row, column) = (pixel / output.width, pixel % output.width);
        let row = (row * self.stride + tap_row)
            .checked_sub(pad)
            .filter(|r| *r < input.height)?;
        let left = column * self.stride;
        let first_tap = pad.saturating_sub(left);
        let from = left + first_tap - pad;
        let to = (left + self.kernel - pad).min(input.width);
        Some((
            first_tap,
            row * input.width + from..row * input.width + to.max(from),
        ))
    }

    /// Gathers the windows of output pixels `from..` of a grid into the rows of `windows`.
    fn gather(
        &self,
        x: &[f32],
        channels: usize,
        (input, output): (&Grid, &Grid),
        from: usize,
        windows: &mut [f32],
    ) {
        let line_len = self.kernel * channels;
        let x = &x[input.first * channels..];
        for (i, window) in windows.chunks_exact_mut(self.kernel * line_len).enumerate() {
            for (tap_row, to) in window.chunks_exact_mut(line_len).enumerate() {
                match self.line(input, output, from + i, tap_row) {
                    None => to.fill(0.0),
                    Some((first_tap, pixels)) => {
                        let start = first_tap * channels;
                        let end = start + pixels.len() * channels;
                        to[..start].fill(0.0);
                        to[start..end]
                            .copy_from_slice(&x[pixels.start * channels..pixels.end * channels]);
                        to[end..].fill(0.0);
                    }
                }
            }
        }
    }

    /// Adds the windows' gradients to the grid's pixels `dx`: the reverse of [`Conv::gather`].
    fn scatter(
        &self,
        windows: &[f32],
        channels: usize,
        (input, output): (&Grid, &Grid),
        from: usize,
        dx: &mut [f32],
    ) {
        let line_len = self.kernel * channels;
        for (i, window) in windows.chunks_exact(self.kernel * line_len).enumerate() {
            for (tap_row, line) in window.chunks_exact(line_len).enumerate() {
                if let Some((first_tap, pixels)) = self.line(input, output, from + i, tap_row) {
                    let to = &mut dx[pixels.start * channels..pixels.end * channels];
                    for (to, v) in to.iter_mut().zip(&line[first_tap * channels..]) {
                        *to += v;
                    }
                }
            }
        }
    }

    fn forward(&self, x: &[f32], w: &[f32], b: &[f32]) -> Vec<f32> {
        let (outputs, channels) = (b.len(), w.len() / b.len() / (self.kernel * self.kernel));
        let window = self.kernel * self.kernel * channels;
        let mut y = vec![0.0; self.output_pixels() * outputs];
        let mut chunks = Vec::new();
        let mut rest = &mut y[..];
        for grids in self.inputs.iter().zip(&self.outputs) {
            for from in (0..grids.1.len()).step_by(CHUNK_PIXELS) {
                let pixels = CHUNK_PIXELS.min(grids.1.len() - from);
                let (chunk, tail) = rest.split_at_mut(pixels * outputs);
                chunks.push((grids, from, chunk));
                rest = tail;
            }
        }
        let total = self.output_pixels();
        let right = Right::prepare(
            MatRef::new(w, outputs, window).transposed(),
            total,
            product_precision(),
        );
        chunks
            .into_par_iter()
            .for_each_init(Vec::new, |windows, (grids, from, y)| {
                let pixels = y.len() / outputs;
                windows.resize(CHUNK_PIXELS * window, 0.0);
                let windows = &mut windows[..pixels * window];
                self.gather(x, channels, grids, from, windows);
                for row in y.chunks_exact_mut(outputs) {
                    row.copy_from_slice(b);
                }
                let windows = MatRef::new(&windows[..], pixels, window);
                right.product(MatMut::new(y, pixels, outputs), windows, true);
            });
        y
    }

    /// Gradients of the pixels (empty unless wanted), the weights and the bias.
    fn backward(
        &self,
        x: &[f32],
        w: &[f32],
        grad: &[f32],
        outputs: usize,
        wants_dx: bool,
    ) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
        let window = w.len() / outputs;
        let channels = window / (self.kernel * self.kernel);
        let mut dx = vec![0.0; if wants_dx { x.len() } else { 0 }];
        let runs = parts(&self.inputs);
        let dxs = split_by_grids(&runs, &mut dx, channels);
        let mut rest = &self.outputs[..];
        let mut work = Vec::with_capacity(runs.len());
        for (run, dx) in runs.iter().zip(dxs) {
            let (outputs, tail) = rest.split_at(run.len());
            work.push((*run, outputs, dx));
            rest = tail;
        }
        let right = Right::prepare(
            MatRef::new(w, outputs, window),
            self.output_pixels(),
            product_precision(),
        );
        let sums: Vec<(Vec<f32>, Vec<f32>)> = work
            .into_par_iter()
            .map_init(
                Vec::new,
                |windows: &mut Vec<f32>, (run, run_outputs, dx)| {
                    let (mut dw, mut db) = (vec![0.0; w.len()], vec![0.0; outputs]);
                    let base = run.first().map_or(0, |grid| grid.first);
                    windows.resize(CHUNK_PIXELS * window, 0.0);
                    for (input, output) in run.iter().zip(run_outputs) {
                        for from in (0..output.len()).step_by(CHUNK_PIXELS) {
                            let pixels = CHUNK_PIXELS.min(output.len() - from);
                            let at = (output.first + from) * outputs;
                            let g = &grad[at..at + pixels * outputs];
                            add_rows(g, &mut db);
                            let g = MatRef::new(g, pixels, outputs);
                            let windows = &mut windows[..pixels * window];
                            self.gather(x, channels, (input, output), from, windows);
                            product_sequential(
                                MatMut::new(&mut dw, outputs, window),
                                g.transposed(),
                                MatRef::new(&windows[..], pixels, window),
                                true,
                                product_precision(),
                            );
                            if wants_dx {
                                right.product(MatMut::new(windows, pixels, window), g, false);
                                let start = (input.first - base) * channels;
                                let dx = &mut dx[start..start + input.len() * channels];
                                self.scatter(windows, channels, (input, output), from, dx);
                            }
                        }
                    }
                    (dw, db)
                },
            )
            .collect();
        let (dws, dbs) = sums.into_iter().unzip();
        (dx, sum_in_order(dws, w.len()), sum_in_order(dbs, outputs))
    }
}

vectorised! {
    /// Adds every row of `rows` to `sums`.
    fn add_rows(rows: &[f32], sums: &mut [f32]) {
        for row in rows.chunks_exact(sums.len()) {
            for (sum, v) in sums.iter_mut().zip(row) {
                *sum += v;
            }
        }
    }
}

impl CustomOp3 for Conv {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        w: &CpuStorage,
        w_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let x = f32_slice(x, x_layout, "conv2d")?;
        let w = f32_slice(w, w_layout, "conv2d")?;
        let b = f32_slice(b, b_layout, "conv2d")?;
        let y = if w.is_empty() {
            b.repeat(self.output_pixels())
        } else {
            self.forward(x, w, b)
        };
        Ok((
            CpuStorage::F32(y),
            Shape::from((self.output_pixels(), b.len())),
        ))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        b: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        if w.elem_count() == 0 {
            return Ok((
                Some(x.zeros_like()?),
                Some(w.zeros_like()?),
                Some(grad.sum(0)?),
            ));
        }
        let wants_dx = x.track_op();
        let (dx, dw, db) = with_f32(x, "conv2d", |x| {
            with_f32(w, "conv2d", |w| {
                with_f32(grad, "conv2d", |grad| {
                    Ok(self.backward(x, w, grad, b.elem_count(), wants_dx))
                })
            })
        })?;
        let dx = match wants_dx {
            true => Some(Tensor::from_vec(dx, x.shape(), x.device())?),
            false => None,
        };
        Ok((
            dx,
            Some(Tensor::from_vec(dw, w.shape(), w.device())?),
            Some(Tensor::from_vec(db, b.shape(), b.device())?),
        ))
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
    fn convolution_is_its_composed_form() -> Result<()> {
        for (kernel, stride) in [(1, 1), (3, 1), (3, 2), (5, 2), (3, 5)] {
            let grids = [(5, 7), (1, 1), (0, 3), (1, 6), (16, 12)];
            let rows = 35 + 1 + 6 + 192;
            let inputs = [
                random((rows, 5), 1),
                random((6, kernel * kernel * 5), 2),
                random(6, 3),
            ];
            let conv = packed("test", &grids, rows)?;
            let conv = Conv {
                outputs: strided(&conv, stride),
                inputs: conv,
                kernel,
                stride,
            };
            let fused = |t: &[Tensor]| conv2d(&t[0], &t[1], &t[2], &grids, kernel, stride);
            assert_matches(&inputs, 1e-5, &fused, &|t| {
                conv.composed(&t[0], &t[1], &t[2])
            })?;
            assert_same_on_one_and_two_threads(&inputs, &fused)?;
        }
        let inputs = [random((9, 2), 1), random((3, 18), 2), random(3, 3)];
        assert_finite_differences(&inputs, &|t| {
            conv2d(&t[0], &t[1], &t[2], &[(2, 3), (3, 1)], 3, 2)
        })
    }

    #[test]
    fn packed_grids_equal_their_images_one_by_one() -> Result<()> {
        let (x, w, b) = (random((31, 3), 1), random((4, 27), 2), random(4, 3));
        let both = conv2d(&x, &w, &b, &[(3, 5), (4, 4)], 3, 2)?;
        assert_eq!(both.dims(), [2 * 3 + 2 * 2, 4]);
        let second = conv2d(&x.narrow(0, 15, 16)?, &w, &b, &[(4, 4)], 3, 2)?;
        let both = both.narrow(0, 6, 4)?.flatten_all()?.to_vec1()?;
        assert_close(
            &both,
            &second.flatten_all()?.to_vec1()?,
            1e-6,
            "second image",
        );
        Ok(())
    }

    #[test]
    fn shapes_that_disagree_are_refused_with_both_numbers() {
        let (x, w, b) = (random((6, 3), 1), random((4, 27), 2), random(4, 3));
        let text = |r: Result<Tensor>| r.expect_err("shapes disagree").to_string();
        let error = text(conv2d(&x, &w, &b, &[(2, 3)], 5, 1));
        assert!(
            error.contains("windows of 27") && error.contains("75"),
            "{error}"
        );
        assert!(conv2d(&x, &w, &b, &[(2, 4)], 3, 1).is_err());
        assert!(conv2d(&x, &w, &b, &[(2, 3)], 2, 1).is_err());
        assert!(conv2d(&x, &w, &b, &[(2, 3)], 3, 0).is_err());
        assert!(conv2d(&x, &w, &random(5, 1), &[(2, 3)], 3, 1).is_err());
    }
}
