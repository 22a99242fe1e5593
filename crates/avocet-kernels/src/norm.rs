//! Root-mean-square and layer normalisation over the last dimension.
//!
//! The statistics of a row are cheap, so the backward computes them again instead of saving them.

use avocet_products::simd::{dot, sum, vectorised};
use candle_core::{
    CpuStorage, CustomOp2, CustomOp3, D, DType, Layout, Result, Shape, Tensor, bail,
};
use rayon::prelude::*;

use crate::slices::{CHUNK_ELEMENTS, f32_slice, sum_in_order, with_f32};

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

/// As [`layer_norm`] with a bias of zero, as in MPT.
///
/// Errors if the widths disagree.
pub fn layer_norm_unbiased(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    let weight = check_width("layer_norm", "weight", x, weight)?;
    if x.device().is_cpu() && x.dtype() == DType::F32 {
        let op = LayerNormUnbiased { eps: eps as f32 };
        return x.contiguous()?.apply_op2(&weight, op);
    }
    rms_norm_composed(&centred(x)?, &weight, eps)
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
    rms_norm_composed(&centred(x)?, weight, eps)?.broadcast_add(bias)
}

fn centred(x: &Tensor) -> Result<Tensor> {
    x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)
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
        let y = map_chunks(x, w.len(), |x, y| rms_norm_rows(x, w, self.eps, y));
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
                    Ok(gradients(x, g, w.len(), w.len(), |x, g, dx, dw| {
                        rms_norm_gradients(x, w, g, self.eps, dx, dw);
                    }))
                })
            })
        })?;
        Ok((
            Some(Tensor::from_vec(dx, x.shape(), x.device())?),
            Some(Tensor::from_vec(dw, w.shape(), w.device())?),
        ))
    }
}

vectorised! {
    fn rms_norm_rows(x: &[f32], w: &[f32], eps: f32, y: &mut [f32]) {
        for (x, y) in x.chunks_exact(w.len()).zip(y.chunks_exact_mut(w.len())) {
            let scale = 1.0 / (dot(x, x) / w.len() as f32 + eps).sqrt();
            for ((y, x), w) in y.iter_mut().zip(x).zip(w) {
                *y = x * scale * w;
            }
        }
    }
}

vectorised! {
    /// Sets `dx` row by row and adds to `dw`.
    fn rms_norm_gradients(
        x: &[f32],
        w: &[f32],
        g: &[f32],
        eps: f32,
        dx: &mut [f32],
        dw: &mut [f32],
    ) {
        let n = w.len();
        let rows = x.chunks_exact(n).zip(g.chunks_exact(n)).zip(dx.chunks_exact_mut(n));
        for ((x, g), dx) in rows {
            let scale = 1.0 / (dot(x, x) / n as f32 + eps).sqrt();
            let projection = dot3(g, w, x) * scale * scale / n as f32;
            for ((((dx, dw), x), g), w) in
                dx.iter_mut().zip(dw.iter_mut()).zip(x).zip(g).zip(w)
            {
                *dw += g * x * scale;
                *dx = (g * w - x * projection) * scale;
            }
        }
    }
}

struct LayerNorm {
    eps: f32,
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
        let y = map_chunks(x, w.len(), |x, y| layer_norm_rows(x, w, b, self.eps, y));
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
        let (dx, mut dw) = with_f32(x, "layer_norm", |x| {
            with_f32(w, "layer_norm", |w| {
                with_f32(grad, "layer_norm", |g| {
                    Ok(gradients(x, g, w.len(), 2 * w.len(), |x, g, dx, sums| {
                        layer_norm_gradients(x, w, g, self.eps, dx, sums);
                    }))
                })
            })
        })?;
        let db = dw.split_off(w.elem_count());
        Ok((
            Some(Tensor::from_vec(dx, x.shape(), x.device())?),
            Some(Tensor::from_vec(dw, w.shape(), w.device())?),
            Some(Tensor::from_vec(db, b.shape(), b.device())?),
        ))
    }
}

struct LayerNormUnbiased {
    eps: f32,
}

impl CustomOp2 for LayerNormUnbiased {
    fn name(&self) -> &'static str {
        "layer_norm_unbiased"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        w: &CpuStorage,
        w_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let x = f32_slice(x, x_layout, "layer_norm")?;
        let w = f32_slice(w, w_layout, "layer_norm")?;
        let y = map_chunks(x, w.len(), |x, y| unbiased_rows(x, w, self.eps, y));
        Ok((CpuStorage::F32(y), x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (dx, mut dw) = with_f32(x, "layer_norm", |x| {
            with_f32(w, "layer_norm", |w| {
                with_f32(grad, "layer_norm", |g| {
                    // The sum of a bias that is not there costs one addition an element.
                    Ok(gradients(x, g, w.len(), 2 * w.len(), |x, g, dx, sums| {
                        layer_norm_gradients(x, w, g, self.eps, dx, sums);
                    }))
                })
            })
        })?;
        dw.truncate(w.elem_count());
        Ok((
            Some(Tensor::from_vec(dx, x.shape(), x.device())?),
            Some(Tensor::from_vec(dw, w.shape(), w.device())?),
        ))
    }
}

/// Mean of a row and the reciprocal of its standard deviation.
#[inline(always)]
fn statistics(x: &[f32], eps: f32) -> (f32, f32) {
    let mean = sum(x) / x.len() as f32;
    let variance = squared_distance(x, mean) / x.len() as f32;
    (mean, 1.0 / (variance + eps).sqrt())
}

vectorised! {
    fn layer_norm_rows(x: &[f32], w: &[f32], b: &[f32], eps: f32, y: &mut [f32]) {
        for (x, y) in x.chunks_exact(w.len()).zip(y.chunks_exact_mut(w.len())) {
            let (mean, scale) = statistics(x, eps);
            for (((y, x), w), b) in y.iter_mut().zip(x).zip(w).zip(b) {
                *y = (x - mean) * scale * w + b;
            }
        }
    }
}

vectorised! {
    fn unbiased_rows(x: &[f32], w: &[f32], eps: f32, y: &mut [f32]) {
        for (x, y) in x.chunks_exact(w.len()).zip(y.chunks_exact_mut(w.len())) {
            let (mean, scale) = statistics(x, eps);
            for ((y, x), w) in y.iter_mut().zip(x).zip(w) {
                *y = (x - mean) * scale * w;
            }
        }
    }
}

vectorised! {
    /// Sets `dx` row by row and adds to `sums`, which holds the gradients of weight and bias.
    fn layer_norm_gradients(
        x: &[f32],
        w: &[f32],
        g: &[f32],
        eps: f32,
        dx: &mut [f32],
        sums: &mut [f32],
    ) {
        let n = w.len();
        let (dw, db) = sums.split_at_mut(n);
        let rows = x.chunks_exact(n).zip(g.chunks_exact(n)).zip(dx.chunks_exact_mut(n));
        for ((x, g), dx) in rows {
            let (mean, scale) = statistics(x, eps);
            let along = dot(g, w);
            let projection = (dot3(g, w, x) - along * mean) * scale * scale / n as f32;
            let along = along / n as f32;
            for (i, dx) in dx.iter_mut().enumerate() {
                let centred = x[i] - mean;
                *dx = (g[i] * w[i] - along - centred * projection) * scale;
            }
            for (((dw, db), x), g) in dw.iter_mut().zip(db.iter_mut()).zip(x).zip(g) {
                *dw += g * (x - mean) * scale;
                *db += g;
            }
        }
    }
}

/// Fills a new buffer chunk by chunk, a chunk being whole rows of `x`.
fn map_chunks(x: &[f32], width: usize, rows: impl Fn(&[f32], &mut [f32]) + Sync) -> Vec<f32> {
    let mut y = vec![0.0; x.len()];
    if width > 0 {
        let chunk = width * (CHUNK_ELEMENTS / width).max(1);
        let chunks = y.par_chunks_mut(chunk).zip(x.par_chunks(chunk));
        chunks.for_each(|(y, x)| rows(x, y));
    }
    y
}

/// The gradient of every row, and the sum over rows of `num_sums` parameter gradients.
fn gradients(
    x: &[f32],
    g: &[f32],
    width: usize,
    num_sums: usize,
    rows: impl Fn(&[f32], &[f32], &mut [f32], &mut [f32]) + Sync,
) -> (Vec<f32>, Vec<f32>) {
    let mut dx = vec![0.0; x.len()];
    let chunk = (width * GRADIENT_ROWS).max(1);
    let parts = dx
        .par_chunks_mut(chunk)
        .zip(x.par_chunks(chunk).zip(g.par_chunks(chunk)))
        .map(|(dx, (x, g))| {
            let mut sums = vec![0.0; num_sums];
            rows(x, g, dx, &mut sums);
            sums
        })
        .collect();
    (dx, sum_in_order(parts, num_sums))
}

/// The sum of `term(i)` for i below n, in 16 lanes.
#[inline(always)]
fn lanes(n: usize, term: impl Fn(usize) -> f32) -> f32 {
    const LANES: usize = 16;
    let mut sums = [0.0f32; LANES];
    let whole = n / LANES * LANES;
    for i in (0..whole).step_by(LANES) {
        for (lane, sum) in sums.iter_mut().enumerate() {
            *sum += term(i + lane);
        }
    }
    let mut total = sums.iter().sum::<f32>();
    for i in whole..n {
        total += term(i);
    }
    total
}

#[inline(always)]
fn dot3(a: &[f32], b: &[f32], c: &[f32]) -> f32 {
    let (b, c) = (&b[..a.len()], &c[..a.len()]);
    lanes(
        a.len(),
        #[inline(always)]
        |i| a[i] * b[i] * c[i],
    )
}

#[inline(always)]
fn squared_distance(a: &[f32], mean: f32) -> f32 {
    lanes(
        a.len(),
        #[inline(always)]
        |i| (a[i] - mean) * (a[i] - mean),
    )
}

#[cfg(test)]
mod tests;
