//! Output head, softmax and cross-entropy in one: the (S, V) logits never exist at once.
//!
//! When a gradient will be wanted, the forward also computes it, group of rows by group of rows,
//! while the logits are at hand (Liger Kernel, arXiv:2410.10989); the backward only scales it.

use std::sync::OnceLock;

use avocet_products::simd::{max, softmax_in_place, sum, vectorised};
use avocet_products::{MatMut, MatRef, Right};
use candle_core::{CpuStorage, CustomOp2, D, DType, Device, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use crate::precision::product_precision;
use crate::slices::{f32_slice, with_f32};

/// Rows whose logits one task computes; fixed, so that results do not depend on the threads.
const CHUNK_ROWS: usize = 64;
/// Chunks whose logits exist at the same time, at most.
const GROUP_CHUNKS: usize = 16;
/// Logits that exist at the same time, at most (unless one chunk alone has more).
const GROUP_LOGITS: usize = 1 << 23;
/// Rows of the head whose gradient one task computes.
const HEAD_ROWS: usize = 128;

/// Probabilities below this count as zero in gradients.
const NEGLIGIBLE: f32 = 1e-30;

/// The sum over rows of `weights[i] * -log softmax(h[i] w_head^T)[targets[i]]`, a scalar.
///
/// `h` is (S, D), `w_head` (V, D), `targets` and `weights` have S elements. Rows of weight 0 cost
/// nothing and get no gradient; their target may be anything.
///
/// Errors if the shapes disagree or a target of non-zero weight is not below V.
pub fn cross_entropy(
    h: &Tensor,
    w_head: &Tensor,
    targets: &[u32],
    weights: &[f32],
) -> Result<Tensor> {
    let (rows, width) = h.dims2()?;
    let (vocab, head_width) = w_head.dims2()?;
    if width != head_width {
        bail!("cross_entropy: h has width {width} but the head has width {head_width}");
    }
    if width == 0 {
        bail!("cross_entropy: h has width 0");
    }
    if targets.len() != rows || weights.len() != rows {
        bail!(
            "cross_entropy: {rows} rows but {} targets and {} weights",
            targets.len(),
            weights.len()
        );
    }
    let kept: Vec<Kept> = (0..rows)
        .filter(|&row| weights[row] != 0.0)
        .map(|row| Kept {
            row,
            target: targets[row] as usize,
            weight: weights[row],
        })
        .collect();
    if let Some(bad) = kept.iter().find(|kept| kept.target >= vocab) {
        bail!(
            "cross_entropy: target {} in row {}, but the head has {vocab}",
            bad.target,
            bad.row
        );
    }
    let w_head = w_head.to_dtype(h.dtype())?;
    if h.device().is_cpu() && h.dtype() == DType::F32 {
        let op = CrossEntropy {
            kept,
            wants_dh: h.track_op(),
            wants_dw: w_head.track_op(),
            gradients: OnceLock::new(),
        };
        return h.contiguous()?.apply_op2(&w_head.contiguous()?, op);
    }
    cross_entropy_composed(h, &w_head, &kept)
}

/// A row that counts.
struct Kept {
    row: usize,
    target: usize,
    weight: f32,
}

fn cross_entropy_composed(h: &Tensor, w_head: &Tensor, kept: &[Kept]) -> Result<Tensor> {
    let on_device = |t: Tensor| t.to_device(h.device());
    let pick = |of: &dyn Fn(&Kept) -> u32| -> Result<Tensor> {
        let values: Vec<u32> = kept.iter().map(of).collect();
        on_device(Tensor::from_vec(values, kept.len(), &Device::Cpu)?)
    };
    if kept.is_empty() {
        return Tensor::zeros((), h.dtype(), h.device());
    }
    let weights: Vec<f32> = kept.iter().map(|kept| kept.weight).collect();
    let weights = on_device(Tensor::from_vec(weights, kept.len(), &Device::Cpu)?)?;
    let logits = h
        .index_select(&pick(&|kept| kept.row as u32)?, 0)?
        .matmul(&w_head.t()?)?;
    let logits = logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?.detach())?;
    let normaliser = logits.exp()?.sum_keepdim(D::Minus1)?.log()?;
    let target = logits.gather(&pick(&|kept| kept.target as u32)?.unsqueeze(1)?, 1)?;
    (normaliser - target)?
        .squeeze(1)?
        .mul(&weights.to_dtype(h.dtype())?)?
        .sum_all()
}

struct CrossEntropy {
    kept: Vec<Kept>,
    wants_dh: bool,
    wants_dw: bool,
    /// Gradients for a gradient of 1 in the loss, saved by the forward.
    gradients: OnceLock<(Option<Tensor>, Option<Tensor>)>,
}

impl CustomOp2 for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn cpu_fwd(
        &self,
        h: &CpuStorage,
        h_layout: &Layout,
        w: &CpuStorage,
        w_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (vocab, width) = w_layout.shape().dims2()?;
        let h = f32_slice(h, h_layout, "cross_entropy")?;
        let w = f32_slice(w, w_layout, "cross_entropy")?;
        let mut dh = vec![0.0; if self.wants_dh { h.len() } else { 0 }];
        let mut dw = vec![0.0; if self.wants_dw { w.len() } else { 0 }];
        let chunks = (GROUP_LOGITS / (CHUNK_ROWS * vocab).max(1)).clamp(1, GROUP_CHUNKS);
        let mut logits = vec![0.0; (chunks * CHUNK_ROWS).min(self.kept.len()) * vocab];
        let mut loss = 0.0f64;
        let head = MatRef::new(w, vocab, width);
        let to_logits =
            Right::prepare_parallel(head.transposed(), self.kept.len(), product_precision());
        let wants_gradient = self.wants_dh || self.wants_dw;
        let to_dh = self
            .wants_dh
            .then(|| Right::prepare_parallel(head, self.kept.len(), product_precision()));
        for group in self.kept.chunks(chunks * CHUNK_ROWS) {
            let rows = gather(h, width, group);
            let logits = &mut logits[..group.len() * vocab];
            let losses: Vec<f64> = logits
                .par_chunks_mut(CHUNK_ROWS * vocab)
                .zip(rows.par_chunks(CHUNK_ROWS * width))
                .zip(group.par_chunks(CHUNK_ROWS))
                .map(|((logits, rows), kept)| {
                    let n = kept.len();
                    let rows = MatRef::new(rows, n, width);
                    to_logits.product(MatMut::new(logits, n, vocab), rows, false);
                    chunk_loss(logits, kept, vocab, wants_gradient)
                })
                .collect();
            loss += losses.iter().sum::<f64>();
            if let Some(to_dh) = &to_dh {
                let mut dh_rows = vec![0.0; rows.len()];
                dh_rows
                    .par_chunks_mut(CHUNK_ROWS * width)
                    .zip(logits.par_chunks(CHUNK_ROWS * vocab))
                    .for_each(|(dh, logits)| {
                        let n = logits.len() / vocab;
                        let g = MatRef::new(logits, n, vocab);
                        to_dh.product(MatMut::new(dh, n, width), g, false);
                    });
                scatter(&dh_rows, &mut dh, width, group);
            }
            if self.wants_dw {
                let rows = MatRef::new(&rows, group.len(), width);
                let to_dw = Right::prepare_parallel(rows, vocab, product_precision());
                dw.par_chunks_mut(HEAD_ROWS * width)
                    .enumerate()
                    .for_each(|(i, dw)| {
                        let from = i * HEAD_ROWS;
                        let n = dw.len() / width;
                        let g = MatRef::strided(&logits[from..], group.len(), n, vocab, 1);
                        to_dw.product(MatMut::new(dw, n, width), g.transposed(), true);
                    });
            }
        }
        let tensor = |values: Vec<f32>, layout: &Layout, wanted: bool| match wanted {
            true => Tensor::from_vec(values, layout.shape(), &Device::Cpu).map(Some),
            false => Ok(None),
        };
        let gradients = (
            tensor(dh, h_layout, self.wants_dh)?,
            tensor(dw, w_layout, self.wants_dw)?,
        );
        // A second run of the same op would compute the same gradients.
        let _ = self.gradients.set(gradients);
        Ok((CpuStorage::F32(vec![loss as f32]), Shape::from(())))
    }

    fn bwd(
        &self,
        _h: &Tensor,
        _w: &Tensor,
        _loss: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let scale = with_f32(grad, "cross_entropy", |g| Ok(g[0]))?;
        let Some((dh, dw)) = self.gradients.get() else {
            bail!("cross_entropy: backward before forward");
        };
        let scaled = |t: &Option<Tensor>| match t {
            Some(t) if scale != 1.0 => t.affine(f64::from(scale), 0.0).map(Some),
            t => Ok(t.clone()),
        };
        Ok((scaled(dh)?, scaled(dw)?))
    }
}

/// The rows of `h` that count, one after another.
fn gather(h: &[f32], width: usize, kept: &[Kept]) -> Vec<f32> {
    let mut rows = Vec::with_capacity(kept.len() * width);
    for kept in kept {
        rows.extend_from_slice(&h[kept.row * width..][..width]);
    }
    rows
}

fn scatter(rows: &[f32], out: &mut [f32], width: usize, kept: &[Kept]) {
    for (i, kept) in kept.iter().enumerate() {
        out[kept.row * width..][..width].copy_from_slice(&rows[i * width..][..width]);
    }
}

/// Adds up the weighted losses of a chunk of logits and, if wanted, turns the logits into the
/// gradients with respect to them.
fn chunk_loss(logits: &mut [f32], kept: &[Kept], vocab: usize, wants_gradient: bool) -> f64 {
    let mut loss = 0.0;
    for (row, kept) in logits.chunks_exact_mut(vocab).zip(kept) {
        let target = row[kept.target];
        let normaliser = if wants_gradient {
            let normaliser = softmax_in_place(row);
            scale_in_place(row, kept.weight);
            row[kept.target] -= kept.weight;
            normaliser
        } else {
            logsumexp_in_place(row)
        };
        loss += f64::from(kept.weight) * (f64::from(normaliser) - f64::from(target));
    }
    loss
}

vectorised! {
    /// Scales probabilities; those too small to matter become zero, because products of denormal
    /// numbers are many times slower.
    fn scale_in_place(row: &mut [f32], scale: f32) {
        for v in row.iter_mut() {
            *v = if *v < NEGLIGIBLE { 0.0 } else { *v * scale };
        }
    }
}

vectorised! {
    fn logsumexp_in_place(row: &mut [f32]) -> f32 {
        let largest = max(row);
        for v in row.iter_mut() {
            *v = avocet_products::simd::exp(*v - largest);
        }
        largest + sum(row).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::{
        assert_close, assert_finite_differences, assert_matches,
        assert_same_on_one_and_two_threads, random,
    };

    fn kept(targets: &[u32], weights: &[f32]) -> Vec<Kept> {
        let all = targets.iter().zip(weights).enumerate();
        all.filter(|(_, (_, weight))| **weight != 0.0)
            .map(|(row, (target, weight))| Kept {
                row,
                target: *target as usize,
                weight: *weight,
            })
            .collect()
    }

    #[test]
    fn cross_entropy_is_its_composed_form() -> Result<()> {
        let rows = 300;
        let targets: Vec<u32> = (0..rows as u32).map(|i| i * 7 % 150).collect();
        let weights: Vec<f32> = (0..rows).map(|i| (i % 3) as f32 * 0.01).collect();
        let inputs = [random((rows, 24), 1), random((150, 24), 2)];
        let fused = |t: &[Tensor]| cross_entropy(&t[0], &t[1], &targets, &weights);
        let kept = kept(&targets, &weights);
        assert_matches(&inputs, 2e-5, &fused, &|t| {
            cross_entropy_composed(&t[0], &t[1], &kept)
        })?;
        assert_same_on_one_and_two_threads(&inputs, &fused)?;
        let small = [random((3, 4), 3), random((5, 4), 4)];
        assert_finite_differences(&small, &|t| {
            cross_entropy(&t[0], &t[1], &[4, 9, 0], &[0.5, 0.0, 2.0])
        })
    }

    #[test]
    fn the_loss_alone_is_the_loss_beside_its_gradient() -> Result<()> {
        let (h, w) = (random((70, 8), 1), random((33, 8), 2));
        let targets: Vec<u32> = (0..70).map(|i| i % 33).collect();
        let with = cross_entropy(&h, &w, &targets, &[1.0; 70])?.to_scalar::<f32>()?;
        let (h, w) = (h.as_detached_tensor(), w.as_detached_tensor());
        let alone = cross_entropy(&h, &w, &targets, &[1.0; 70])?.to_scalar::<f32>()?;
        assert_close(&[alone], &[with], 1e-6, "loss");
        Ok(())
    }

    #[test]
    fn no_row_of_weight_gives_a_loss_of_zero() -> Result<()> {
        let (h, w) = (random((2, 4), 1), random((5, 4), 2));
        let loss = cross_entropy(&h, &w, &[77, 1], &[0.0, 0.0])?;
        assert_eq!(loss.to_scalar::<f32>()?, 0.0);
        Ok(())
    }

    #[test]
    fn a_target_beyond_the_vocabulary_is_refused_with_both_numbers() {
        let (h, w) = (random((2, 4), 1), random((5, 4), 2));
        let error = cross_entropy(&h, &w, &[1, 5], &[1.0, 1.0]).expect_err("5 is not below 5");
        assert!(
            error
                .to_string()
                .contains("target 5 in row 1, but the head has 5"),
            "{error}"
        );
        assert!(cross_entropy(&h, &w, &[1], &[1.0, 1.0]).is_err());
    }
}
