//! Root-mean-square and layer normalisation over the last dimension.
//!
//! The statistics of a row are cheap, so the backward computes them again instead of saving them.

use candle_core::{
    CpuStorage, CustomOp2, CustomOp3, D, DType, Layout, Result, Shape, Tensor, bail,
};
use rayon::prelude::*;

use crate::slices::{f32_slice, sum_in_order, with_f32};

/// Elements one task normalises; fixed, so that results do not depend on the threads.
const CHUNK_ELEMENTS: usize = 1 << 14;
/// Rows whose weight gradients one task adds up.
const GRADIENT_ROWS: usize = 256;

/// `x / sqrt(mean(x^2) + eps) * weight` over the last dimension.
///
/// `x` is (.., D) and `weight` (D). RMSNorm, arXiv:1910.07467.
///
/// Errors if the widths disagree.
pub fn rms_norm(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    let weight = check_width("rms_norm", "weight", x, weight)?;
    if x.device().is_cpu() && x.dtype() == DType::F32 {
        return x
            .contiguous()?
            .apply_op2(&weight, RmsNorm { eps: eps as f32 });
    }
    rms_norm_composed(x, &weight, eps)
}

/// `(x - mean) / sqrt(variance + eps) * weight + bias` over the last dimension.
///
/// `x` is (.., D), `weight` and `bias` (D). Layer normalisation, arXiv:1607.06450.
///
/// Errors if the widths disagree.
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    let weight = check_width("layer_norm", "weight", x, weight)?;
    let bias = check_width("layer_norm", "bias", x, bias)?;
    if x.device().is_cpu() && x.dtype() == DType::F32 {
        let op = LayerNorm { eps: eps as f32 };
        return x.contiguous()?.apply_op3(&weight, &bias, op);
    }
    layer_norm_composed(x, &weight, &bias, eps)
}

fn check_width(op: &str, what: &str, x: &Tensor, w: &Tensor) -> Result<Tensor> {
    let width = x.dim(D::Minus1)?;
    if w.dims() != [width] {
        bail!(
            "{op}: {what} has shape {:?} but the rows of x have width {width}",
            w.dims()
        );
    }
    w.to_dtype(x.dtype())?.contiguous()
}

fn rms_norm_composed(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    let scale = (x.sqr()?.mean_keepdim(D::Minus1)? + eps)?.sqrt()?;
    x.broadcast_div(&scale)?.broadcast_mul(weight)
}

fn layer_norm_composed(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    rms_norm_composed(&centred, weight, eps)?.broadcast_add(bias)
}

struct RmsNorm {
    eps: f32,
}

impl CustomOp2 for RmsNorm {
    fn name(&self) -> &'static str {
        "rms_norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        w: &CpuStorage,
        w_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let x = f32_slice(x, x_layout, "rms_norm")?;
        let w = f32_slice(w, w_layout, "rms_norm")?;
        let y = map_rows(x, w.len(), |x, y| {
            let scale = 1.0 / (dot(x, x) / x.len() as f32 + self.eps).sqrt();
            for ((y, x), w) in y.iter_mut().zip(x).zip(w) {
                *y = x * scale * w;
            }
        });
        Ok((CpuStorage::F32(y), x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (dx, dw) = with_f32(x, "rms_norm", |x| {
            with_f32(w, "rms_norm", |w| {
                with_f32(grad, "rms_norm", |g| {
                    let (dx, [dw]) = gradients(x, g, w.len(), |x, g, dx, [dw]| {
                        let n = x.len() as f32;
                        let scale = 1.0 / (dot(x, x) / n + self.eps).sqrt();
                        let projection = dot3(g, w, x) * scale * scale / n;
                        for i in 0..x.len() {
                            dw[i] += g[i] * x[i] * scale;
                            dx[i] = (g[i] * w[i] - x[i] * projection) * scale;
                        }
                    });
                    Ok((dx, dw))
                })
            })
        })?;
        Ok((
            Some(Tensor::from_vec(dx, x.shape(), x.device())?),
            Some(Tensor::from_vec(dw, w.shape(), w.device())?),
        ))
    }
}

struct LayerNorm {
    eps: f32,
}

impl LayerNorm {
    /// Mean of a row and the reciprocal of its standard deviation.
    #[inline(always)]
    fn statistics(&self, x: &[f32]) -> (f32, f32) {
        let n = x.len() as f32;
        let mean = sum(x) / n;
        let variance = squared_distance(x, mean) / n;
        (mean, 1.0 / (variance + self.eps).sqrt())
    }
}

impl CustomOp3 for LayerNorm {
    fn name(&self) -> &'static str {
        "layer_norm"
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
        let x = f32_slice(x, x_layout, "layer_norm")?;
        let w = f32_slice(w, w_layout, "layer_norm")?;
        let b = f32_slice(b, b_layout, "layer_norm")?;
        let y = map_rows(x, w.len(), |x, y| {
            let (mean, scale) = self.statistics(x);
            for (((y, x), w), b) in y.iter_mut().zip(x).zip(w).zip(b) {
                *y = (x - mean) * scale * w + b;
            }
        });
        Ok((CpuStorage::F32(y), x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        b: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (dx, dw, db) = with_f32(x, "layer_norm", |x| {
            with_f32(w, "layer_norm", |w| {
                with_f32(grad, "layer_norm", |g| {
                    let (dx, [dw, db]) = gradients(x, g, w.len(), |x, g, dx, [dw, db]| {
                        let n = x.len() as f32;
                        let (mean, scale) = self.statistics(x);
                        let along = dot(g, w);
                        let projection = (dot3(g, w, x) - along * mean) * scale * scale / n;
                        let along = along / n;
                        for i in 0..x.len() {
                            let centred = x[i] - mean;
                            dw[i] += g[i] * centred * scale;
                            db[i] += g[i];
                            dx[i] = (g[i] * w[i] - along - centred * projection) * scale;
                        }
                    });
                    Ok((dx, dw, db))
                })
            })
        })?;
        Ok((
            Some(Tensor::from_vec(dx, x.shape(), x.device())?),
            Some(Tensor::from_vec(dw, w.shape(), w.device())?),
            Some(Tensor::from_vec(db, b.shape(), b.device())?),
        ))
    }
}

/// Fills a new buffer row by row from the rows of `x`.
fn map_rows(x: &[f32], width: usize, row: impl Fn(&[f32], &mut [f32]) + Sync) -> Vec<f32> {
    let mut y = vec![0.0; x.len()];
    if width == 0 {
        return y;
    }
    let chunk = width * (CHUNK_ELEMENTS / width).max(1);
    y.par_chunks_mut(chunk)
        .zip(x.par_chunks(chunk))
        .for_each(|(y, x)| {
            for (x, y) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)) {
                row(x, y);
            }
        });
    y
}

/// The gradient of every row, and the sums over rows of N parameter gradients.
fn gradients<const N: usize>(
    x: &[f32],
    g: &[f32],
    width: usize,
    row: impl Fn(&[f32], &[f32], &mut [f32], &mut [Vec<f32>; N]) + Sync,
) -> (Vec<f32>, [Vec<f32>; N]) {
    let mut dx = vec![0.0; x.len()];
    if width == 0 {
        return (dx, std::array::from_fn(|_| Vec::new()));
    }
    let chunk = width * GRADIENT_ROWS;
    let parts: Vec<[Vec<f32>; N]> = dx
        .par_chunks_mut(chunk)
        .zip(x.par_chunks(chunk).zip(g.par_chunks(chunk)))
        .map(|(dx, (x, g))| {
            let mut sums = std::array::from_fn(|_| vec![0.0; width]);
            let rows = x.chunks_exact(width).zip(g.chunks_exact(width));
            for ((x, g), dx) in rows.zip(dx.chunks_exact_mut(width)) {
                row(x, g, dx, &mut sums);
            }
            sums
        })
        .collect();
    let mut columns: [Vec<Vec<f32>>; N] = std::array::from_fn(|_| Vec::new());
    for part in parts {
        for (column, sums) in columns.iter_mut().zip(part) {
            column.push(sums);
        }
    }
    (dx, columns.map(|parts| sum_in_order(parts, width)))
}

/// Independent partial sums, so that the loops below become vector instructions.
const LANES: usize = 16;

#[inline(always)]
fn lanes(n: usize, term: impl Fn(usize) -> f32) -> f32 {
    let mut sums = [0.0f32; LANES];
    let whole = n / LANES * LANES;
    for i in (0..whole).step_by(LANES) {
        for (lane, sum) in sums.iter_mut().enumerate() {
            *sum += term(i + lane);
        }
    }
    sums.iter().sum::<f32>() + (whole..n).map(term).sum::<f32>()
}

#[inline(always)]
fn sum(a: &[f32]) -> f32 {
    lanes(a.len(), |i| a[i])
}

#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (n, b) = (a.len(), &b[..a.len()]);
    lanes(n, |i| a[i] * b[i])
}

#[inline(always)]
fn dot3(a: &[f32], b: &[f32], c: &[f32]) -> f32 {
    let (n, b, c) = (a.len(), &b[..a.len()], &c[..a.len()]);
    lanes(n, |i| a[i] * b[i] * c[i])
}

#[inline(always)]
fn squared_distance(a: &[f32], mean: f32) -> f32 {
    lanes(a.len(), |i| (a[i] - mean) * (a[i] - mean))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::{
        assert_finite_differences, assert_matches, assert_same_on_one_and_two_threads, random,
    };

    #[test]
    fn rms_norm_is_its_composed_form() -> Result<()> {
        for (rows, width) in [(1, 1), (3, 37), (300, 64)] {
            let inputs = [random((rows, width), 1), random(width, 2)];
            let fused = |t: &[Tensor]| rms_norm(&t[0], &t[1], 1e-5);
            assert_matches(&inputs, 1e-5, &fused, &|t| {
                rms_norm_composed(&t[0], &t[1], 1e-5)
            })?;
            assert_same_on_one_and_two_threads(&inputs, &fused)?;
        }
        assert_finite_differences(&[random((2, 3, 5), 3), random(5, 4)], &|t| {
            rms_norm(&t[0], &t[1], 1e-2)
        })
    }

    #[test]
    fn layer_norm_is_its_composed_form() -> Result<()> {
        for (rows, width) in [(2, 3), (3, 37), (300, 64)] {
            let inputs = [random((rows, width), 1), random(width, 2), random(width, 3)];
            let fused = |t: &[Tensor]| layer_norm(&t[0], &t[1], &t[2], 1e-5);
            let composed = |t: &[Tensor]| layer_norm_composed(&t[0], &t[1], &t[2], 1e-5);
            assert_matches(&inputs, 2e-5, &fused, &composed)?;
            assert_same_on_one_and_two_threads(&inputs, &fused)?;
        }
        let inputs = [random((2, 3, 5), 3), random(5, 4), random(5, 5)];
        assert_finite_differences(&inputs, &|t| layer_norm(&t[0], &t[1], &t[2], 1e-1))
    }

    #[test]
    fn a_weight_of_another_width_is_refused_with_both_numbers() -> Result<()> {
        let error = rms_norm(&random((2, 8), 1), &random(7, 2), 1e-5).expect_err("widths differ");
        let text = error.to_string();
        assert!(text.contains("[7]") && text.contains("width 8"), "{text}");
        Ok(())
    }

    #[test]
    fn no_rows_give_no_rows() -> Result<()> {
        let y = rms_norm(&random((0, 8), 1), &random(8, 2), 1e-5)?;
        assert_eq!(y.dims(), [0, 8]);
        Ok(())
    }
}
