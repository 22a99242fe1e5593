//! The gated feed-forward layer: SwiGLU (arXiv:2002.05202) alone, and between its two products.

use std::sync::OnceLock;

use avocet_products::simd::{sigmoid, vectorised};
use avocet_products::{MatMut, MatRef, Right, product};
use candle_core::{
    CpuStorage, CustomOp1, CustomOp3, D, DType, Layout, Result, Shape, Tensor, bail,
};
use rayon::prelude::*;

use crate::precision::product_precision;
use crate::slices::{f32_slice, operand, with_f32};

/// Rows one task handles; fixed, so that results do not depend on the threads.
pub(crate) const CHUNK_ROWS: usize = 128;

/// `silu(gate) * up`, where `gate_up` (.., 2F) holds the gate in its first half, giving (.., F).
///
/// Errors if the width is odd.
pub fn swiglu(gate_up: &Tensor) -> Result<Tensor> {
    let width = gate_up.dim(D::Minus1)?;
    if width % 2 == 1 {
        bail!("swiglu: the width {width} is not an even number");
    }
    if gate_up.device().is_cpu() && gate_up.dtype() == DType::F32 {
        return gate_up.contiguous()?.apply_op1(SwiGlu);
    }
    swiglu_composed(gate_up)
}

/// `swiglu(x w_gate_up^T) w_down^T`, for `x` (.., D), `w_gate_up` (2F, D) and `w_down` (D, F).
///
/// The 2F wide rows between the products are kept for the backward; what follows from them is
/// computed again. BF16 weights are for inference only: they get no gradient.
///
/// Errors if the widths disagree.
pub fn swiglu_ffn(x: &Tensor, w_gate_up: &Tensor, w_down: &Tensor) -> Result<Tensor> {
    let (doubled, width) = w_gate_up.dims2()?;
    let (outputs, hidden) = w_down.dims2()?;
    let given = x.dim(D::Minus1)?;
    if given != width || outputs != width {
        bail!(
            "swiglu_ffn: the rows of x have width {given} but w_gate_up takes {width} and w_down \
             gives {outputs}"
        );
    }
    if doubled != 2 * hidden {
        bail!("swiglu_ffn: w_gate_up gives {doubled}, not twice the {hidden} that w_down takes");
    }
    if x.device().is_cpu() && x.dtype() == DType::F32 {
        let op = SwiGluFfn {
            gate_up: OnceLock::new(),
        };
        return x
            .contiguous()?
            .apply_op3(&w_gate_up.contiguous()?, &w_down.contiguous()?, op);
    }
    swiglu_ffn_composed(x, w_gate_up, w_down)
}

pub(crate) fn swiglu_composed(gate_up: &Tensor) -> Result<Tensor> {
    let halves = gate_up.chunk(2, D::Minus1)?;
    // silu as g * sigmoid(g), both differentiable everywhere.
    let gate = &halves[0];
    let silu = (gate / (gate.neg()?.exp()? + 1.0)?)?;
    silu * &halves[1]
}

fn swiglu_ffn_composed(x: &Tensor, w_gate_up: &Tensor, w_down: &Tensor) -> Result<Tensor> {
    let rows: usize = x.dims()[..x.rank() - 1].iter().product();
    let flat = x.reshape((rows, w_gate_up.dim(1)?))?;
    let gate_up = flat.matmul(&w_gate_up.to_dtype(x.dtype())?.t()?)?;
    let down = w_down.to_dtype(x.dtype())?.t()?;
    swiglu_composed(&gate_up)?.matmul(&down)?.reshape(x.shape())
}

vectorised! {
    /// `out = silu(gate) * up` for rows of `2 * hidden`.
    pub(crate) fn activate(gate_up: &[f32], out: &mut [f32], hidden: usize) {
        for (row, out) in gate_up.chunks_exact(2 * hidden).zip(out.chunks_exact_mut(hidden)) {
            let (gate, up) = row.split_at(hidden);
            for ((out, g), u) in out.iter_mut().zip(gate).zip(up) {
                *out = g * sigmoid(*g) * u;
            }
        }
    }
}

vectorised! {
    /// Given the gradient of the activated rows, writes that of `gate_up`, and the activated rows.
    pub(crate) fn activate_backward(
        gate_up: &[f32],
        grad: &[f32],
        dgate_up: &mut [f32],
        activated: &mut [f32],
        hidden: usize,
    ) {
        let rows = gate_up.chunks_exact(2 * hidden).zip(grad.chunks_exact(hidden));
        let outs = dgate_up.chunks_exact_mut(2 * hidden).zip(activated.chunks_exact_mut(hidden));
        for ((row, grad), (drow, activated)) in rows.zip(outs) {
            let (gate, up) = row.split_at(hidden);
            let (dgate, dup) = drow.split_at_mut(hidden);
            for i in 0..hidden {
                let s = sigmoid(gate[i]);
                let silu = gate[i] * s;
                activated[i] = silu * up[i];
                dup[i] = grad[i] * silu;
                dgate[i] = grad[i] * up[i] * (s + silu * (1.0 - s));
            }
        }
    }
}

struct SwiGlu;

impl CustomOp1 for SwiGlu {
    fn name(&self) -> &'static str {
        "swiglu"
    }

    fn cpu_fwd(&self, gate_up: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let gate_up = f32_slice(gate_up, layout, "swiglu")?;
        let mut dims = layout.dims().to_vec();
        let hidden = dims.pop().unwrap_or(0) / 2;
        dims.push(hidden);
        let mut out = vec![0.0; gate_up.len() / 2];
        if hidden > 0 {
            out.par_chunks_mut(CHUNK_ROWS * hidden)
                .zip(gate_up.par_chunks(CHUNK_ROWS * 2 * hidden))
                .for_each(|(out, gate_up)| activate(gate_up, out, hidden));
        }
        Ok((CpuStorage::F32(out), dims.into()))
    }

    fn bwd(&self, gate_up: &Tensor, _out: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let hidden = gate_up.dim(D::Minus1)? / 2;
        let mut dgate_up = vec![0.0; gate_up.elem_count()];
        if hidden > 0 {
            with_f32(gate_up, "swiglu", |gate_up| {
                with_f32(grad, "swiglu", |grad| {
                    dgate_up
                        .par_chunks_mut(CHUNK_ROWS * 2 * hidden)
                        .zip(gate_up.par_chunks(CHUNK_ROWS * 2 * hidden))
                        .zip(grad.par_chunks(CHUNK_ROWS * hidden))
                        .for_each(|((dgate_up, gate_up), grad)| {
                            let mut activated = vec![0.0; grad.len()];
                            activate_backward(gate_up, grad, dgate_up, &mut activated, hidden);
                        });
                    Ok(())
                })
            })?;
        }
        Ok(Some(Tensor::from_vec(
            dgate_up,
            gate_up.shape(),
            gate_up.device(),
        )?))
    }
}

struct SwiGluFfn {
    /// The rows between the two products, (S, 2F), kept by the forward.
    gate_up: OnceLock<Vec<f32>>,
}

impl CustomOp3 for SwiGluFfn {
    fn name(&self) -> &'static str {
        "swiglu_ffn"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        w_gate_up: &CpuStorage,
        w_gate_up_layout: &Layout,
        w_down: &CpuStorage,
        w_down_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (width, hidden) = w_down_layout.shape().dims2()?;
        let x = f32_slice(x, x_layout, "swiglu_ffn")?;
        let w_gate_up = operand(w_gate_up, w_gate_up_layout, "swiglu_ffn")?;
        let w_down = operand(w_down, w_down_layout, "swiglu_ffn")?;
        let mut out = vec![0.0; x.len()];
        if x.is_empty() || hidden == 0 {
            return Ok((CpuStorage::F32(out), x_layout.shape().clone()));
        }
        let rows = x.len() / width;
        let mut gate_up = vec![0.0; rows * 2 * hidden];
        let up = Right::prepare(
            MatRef::new(w_gate_up, 2 * hidden, width).transposed(),
            rows,
            product_precision(),
        );
        let down = Right::prepare(
            MatRef::new(w_down, width, hidden).transposed(),
            rows,
            product_precision(),
        );
        out.par_chunks_mut(CHUNK_ROWS * width)
            .zip(gate_up.par_chunks_mut(CHUNK_ROWS * 2 * hidden))
            .zip(x.par_chunks(CHUNK_ROWS * width))
            .for_each(|((out, gate_up), x)| {
                let rows = x.len() / width;
                up.product(
                    MatMut::new(gate_up, rows, 2 * hidden),
                    MatRef::new(x, rows, width),
                    false,
                );
                let mut activated = vec![0.0; rows * hidden];
                activate(gate_up, &mut activated, hidden);
                let activated = MatRef::new(&activated, rows, hidden);
                down.product(MatMut::new(out, rows, width), activated, false);
            });
        // A second forward of one op would compute the same rows.
        let _ = self.gate_up.set(gate_up);
        Ok((CpuStorage::F32(out), x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w_gate_up: &Tensor,
        w_down: &Tensor,
        _out: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (width, hidden) = w_down.dims2()?;
        let mut dx = vec![0.0; x.elem_count()];
        let mut dw_gate_up = vec![0.0; w_gate_up.elem_count()];
        let mut dw_down = vec![0.0; w_down.elem_count()];
        if let Some(gate_up) = self.gate_up.get() {
            let rows = gate_up.len() / (2 * hidden);
            let mut dgate_up = vec![0.0; gate_up.len()];
            let mut activated = vec![0.0; rows * hidden];
            let weights = (w_gate_up, w_down);
            with_weights(weights, |w_gate_up, w_down| {
                with_f32(grad, "swiglu_ffn", |grad| {
                    let up = Right::prepare(
                        MatRef::new(w_gate_up, 2 * hidden, width),
                        rows,
                        product_precision(),
                    );
                    let down = Right::prepare(
                        MatRef::new(w_down, width, hidden),
                        rows,
                        product_precision(),
                    );
                    dx.par_chunks_mut(CHUNK_ROWS * width)
                        .zip(grad.par_chunks(CHUNK_ROWS * width))
                        .zip(gate_up.par_chunks(CHUNK_ROWS * 2 * hidden))
                        .zip(dgate_up.par_chunks_mut(CHUNK_ROWS * 2 * hidden))
                        .zip(activated.par_chunks_mut(CHUNK_ROWS * hidden))
                        .for_each(|((((dx, grad), gate_up), dgate_up), activated)| {
                            let rows = grad.len() / width;
                            let mut dactivated = vec![0.0; rows * hidden];
                            let grad = MatRef::new(grad, rows, width);
                            down.product(MatMut::new(&mut dactivated, rows, hidden), grad, false);
                            activate_backward(gate_up, &dactivated, dgate_up, activated, hidden);
                            let dgate_up = MatRef::new(&*dgate_up, rows, 2 * hidden);
                            up.product(MatMut::new(dx, rows, width), dgate_up, false);
                        });
                    let grad = MatRef::new(grad, rows, width).transposed();
                    let activated = MatRef::new(&activated, rows, hidden);
                    product(
                        MatMut::new(&mut dw_down, width, hidden),
                        grad,
                        activated,
                        false,
                        product_precision(),
                    );
                    Ok(())
                })
            })?;
            with_f32(x, "swiglu_ffn", |x| {
                let dgate_up = MatRef::new(&dgate_up, rows, 2 * hidden).transposed();
                let x = MatRef::new(x, rows, width);
                product(
                    MatMut::new(&mut dw_gate_up, 2 * hidden, width),
                    dgate_up,
                    x,
                    false,
                    product_precision(),
                );
                Ok(())
            })?;
        }
        Ok((
            Some(Tensor::from_vec(dx, x.shape(), x.device())?),
            Some(Tensor::from_vec(
                dw_gate_up,
                w_gate_up.shape(),
                w_gate_up.device(),
            )?),
            Some(Tensor::from_vec(dw_down, w_down.shape(), w_down.device())?),
        ))
    }
}

/// Runs `f` on two weights that are to get gradients.
///
/// Errors if either is not F32.
pub(crate) fn with_weights<R>(
    (w_gate_up, w_down): (&Tensor, &Tensor),
    f: impl FnOnce(&[f32], &[f32]) -> Result<R>,
) -> Result<R> {
    for w in [w_gate_up, w_down] {
        if w.dtype() != DType::F32 {
            bail!(
                "feed-forward: no gradient through a weight of type {:?}",
                w.dtype()
            );
        }
    }
    with_f32(w_gate_up, "feed-forward", |a| {
        with_f32(w_down, "feed-forward", |b| f(a, b))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::{
        assert_finite_differences, assert_matches, assert_same_on_one_and_two_threads, random,
    };

    #[test]
    fn swiglu_is_its_composed_form() -> Result<()> {
        let inputs = [random((2, 150, 2 * 37), 1)];
        let fused = |t: &[Tensor]| swiglu(&t[0]);
        assert_matches(&inputs, 1e-5, &fused, &|t| swiglu_composed(&t[0]))?;
        assert_same_on_one_and_two_threads(&inputs, &fused)?;
        assert_finite_differences(&[random((3, 8), 1)], &fused)
    }

    #[test]
    fn swiglu_ffn_is_its_composed_form() -> Result<()> {
        let inputs = [
            random((300, 24), 1),
            random((2 * 40, 24), 2),
            random((24, 40), 3),
        ];
        let fused = |t: &[Tensor]| swiglu_ffn(&t[0], &t[1], &t[2]);
        assert_matches(&inputs, 1e-5, &fused, &|t| {
            swiglu_ffn_composed(&t[0], &t[1], &t[2])
        })?;
        assert_same_on_one_and_two_threads(&inputs, &fused)?;
        let small = [random((2, 3), 1), random((2 * 2, 3), 2), random((3, 2), 3)];
        assert_finite_differences(&small, &fused)
    }

    #[test]
    fn a_down_projection_of_another_width_is_refused_with_both_numbers() {
        let error = swiglu_ffn(&random((2, 3), 1), &random((8, 3), 2), &random((3, 5), 3));
        let error = error.expect_err("8 is not twice 5").to_string();
        assert!(error.contains("gives 8, not twice the 5"), "{error}");
    }
}
