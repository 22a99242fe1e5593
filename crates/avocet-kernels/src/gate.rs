//! The gated residual of cross-attention layers.
//!
//! Flamingo, arXiv:2204.14198, section 3.1: a gate that starts at zero leaves a pretrained
//! language model unchanged.

mod vector;

use candle_core::{CpuStorage, CustomOp3, DType, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use crate::slices::{CHUNK_ELEMENTS, f32_slice, with_f32};

/// `x + tanh(gate) * y`, for `x` and `y` of one shape (.., D) and a `gate` of shape (1), for all
/// components, or (D), one for each (the vector gates of IDEFICS, arXiv:2306.16527).
///
/// Errors if the shapes of x and y disagree or the gate has another shape.
pub fn gated_add(x: &Tensor, y: &Tensor, gate: &Tensor) -> Result<Tensor> {
    if x.dims() != y.dims() {
        bail!(
            "gated_add: x has shape {:?} but y has {:?}",
            x.dims(),
            y.dims()
        );
    }
    let width = x.dims().last().copied().unwrap_or(1);
    if gate.dims() != [1] && gate.dims() != [width] {
        bail!(
            "gated_add: the gate has shape {:?}, neither [1] nor [{width}]",
            gate.dims()
        );
    }
    let gate = gate.to_dtype(x.dtype())?.contiguous()?;
    if x.device().is_cpu() && x.dtype() == DType::F32 {
        let (x, y) = (x.contiguous()?, y.contiguous()?);
        return match gate.elem_count() {
            1 => x.apply_op3(&y, &gate, GatedAdd),
            _ => x.apply_op3(&y, &gate, vector::VectorGatedAdd),
        };
    }
    gated_add_composed(x, y, &gate)
}

fn gated_add_composed(x: &Tensor, y: &Tensor, gate: &Tensor) -> Result<Tensor> {
    x + y.broadcast_mul(&gate.tanh()?)?
}

struct GatedAdd;

impl CustomOp3 for GatedAdd {
    fn name(&self) -> &'static str {
        "gated_add"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        y: &CpuStorage,
        y_layout: &Layout,
        gate: &CpuStorage,
        gate_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let x = f32_slice(x, x_layout, "gated_add")?;
        let y = f32_slice(y, y_layout, "gated_add")?;
        let openness = f32_slice(gate, gate_layout, "gated_add")?[0].tanh();
        let mut out = vec![0.0; x.len()];
        out.par_chunks_mut(CHUNK_ELEMENTS)
            .zip(
                x.par_chunks(CHUNK_ELEMENTS)
                    .zip(y.par_chunks(CHUNK_ELEMENTS)),
            )
            .for_each(|(out, (x, y))| {
                for ((out, x), y) in out.iter_mut().zip(x).zip(y) {
                    *out = x + openness * y;
                }
            });
        Ok((CpuStorage::F32(out), x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        _x: &Tensor,
        y: &Tensor,
        gate: &Tensor,
        _out: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let openness = with_f32(gate, "gated_add", |g| Ok(g[0].tanh()))?;
        let (dy, along) = with_f32(y, "gated_add", |y| {
            with_f32(grad, "gated_add", |g| Ok(scale_and_project(g, y, openness)))
        })?;
        let dgate = (along * f64::from(1.0 - openness * openness)) as f32;
        Ok((
            Some(grad.clone()),
            Some(Tensor::from_vec(dy, y.shape(), y.device())?),
            Some(Tensor::from_vec(vec![dgate], 1, gate.device())?),
        ))
    }
}

/// `g * scale`, and the sum of `g * y`.
fn scale_and_project(g: &[f32], y: &[f32], scale: f32) -> (Vec<f32>, f64) {
    const LANES: usize = 16;
    let mut scaled = vec![0.0; g.len()];
    let parts: Vec<f64> = scaled
        .par_chunks_mut(CHUNK_ELEMENTS)
        .zip(
            g.par_chunks(CHUNK_ELEMENTS)
                .zip(y.par_chunks(CHUNK_ELEMENTS)),
        )
        .map(|(scaled, (g, y))| {
            for (s, g) in scaled.iter_mut().zip(g) {
                *s = g * scale;
            }
            let mut sums = [0.0f32; LANES];
            for (g, y) in g.chunks(LANES).zip(y.chunks(LANES)) {
                for ((sum, g), y) in sums.iter_mut().zip(g).zip(y) {
                    *sum += g * y;
                }
            }
            f64::from(sums.iter().sum::<f32>())
        })
        .collect();
    (scaled, parts.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::{
        assert_finite_differences, assert_matches, assert_same_on_one_and_two_threads, random,
    };

    #[test]
    fn gated_add_is_its_composed_form() -> Result<()> {
        let inputs = [random((300, 70), 1), random((300, 70), 2), random(1, 3)];
        let fused = |t: &[Tensor]| gated_add(&t[0], &t[1], &t[2]);
        // The gate's gradient sums 21,000 products, in another order than candle's.
        assert_matches(&inputs, 1e-4, &fused, &|t| {
            gated_add_composed(&t[0], &t[1], &t[2])
        })?;
        assert_same_on_one_and_two_threads(&inputs, &fused)?;
        assert_finite_differences(
            &[random((2, 3), 1), random((2, 3), 2), random(1, 3)],
            &fused,
        )
    }

    #[test]
    fn a_closed_gate_leaves_x_untouched() -> Result<()> {
        let x = random((4, 5), 1);
        let gate = Tensor::zeros(1, DType::F32, x.device())?;
        let out = gated_add(&x, &random((4, 5), 2), &gate)?;
        assert_eq!(out.to_vec2::<f32>()?, x.to_vec2::<f32>()?);
        Ok(())
    }
}
