//! The gated residual with a gate for each component.

use avocet_products::simd::vectorised;
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use crate::slices::{CHUNK_ELEMENTS, f32_slice, sum_in_order, with_f32};

/// `x + tanh(gate) * y` for rows as wide as the gate.
pub(super) struct VectorGatedAdd;

impl CustomOp3 for VectorGatedAdd {
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
        let openness = openness(f32_slice(gate, gate_layout, "gated_add")?);
        let chunk = chunk_elements(openness.len());
        let mut out = vec![0.0; x.len()];
        out.par_chunks_mut(chunk)
            .zip(x.par_chunks(chunk).zip(y.par_chunks(chunk)))
            .for_each(|(out, (x, y))| add_rows(x, y, &openness, out));
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
        let openness = with_f32(gate, "gated_add", |gate| Ok(openness(gate)))?;
        let (width, chunk) = (openness.len(), chunk_elements(openness.len()));
        let mut dy = vec![0.0; y.elem_count()];
        let parts = with_f32(y, "gated_add", |y| {
            with_f32(grad, "gated_add", |grad| {
                Ok(dy
                    .par_chunks_mut(chunk)
                    .zip(grad.par_chunks(chunk).zip(y.par_chunks(chunk)))
                    .map(|(dy, (grad, y))| {
                        let mut sums = vec![0.0; width];
                        gradient_rows(grad, y, &openness, dy, &mut sums);
                        sums
                    })
                    .collect())
            })
        })?;
        let mut dgate = sum_in_order(parts, width);
        for (dgate, open) in dgate.iter_mut().zip(&openness) {
            *dgate *= 1.0 - open * open;
        }
        Ok((
            Some(grad.clone()),
            Some(Tensor::from_vec(dy, y.shape(), y.device())?),
            Some(Tensor::from_vec(dgate, gate.shape(), gate.device())?),
        ))
    }
}

fn openness(gate: &[f32]) -> Vec<f32> {
    gate.iter().map(|g| g.tanh()).collect()
}

/// Elements of the whole rows that one task handles.
fn chunk_elements(width: usize) -> usize {
    let width = width.max(1);
    width * (CHUNK_ELEMENTS / width).max(1)
}

vectorised! {
    fn add_rows(x: &[f32], y: &[f32], openness: &[f32], out: &mut [f32]) {
        let n = openness.len();
        let rows = x.chunks_exact(n).zip(y.chunks_exact(n)).zip(out.chunks_exact_mut(n));
        for ((x, y), out) in rows {
            for (((out, x), y), open) in out.iter_mut().zip(x).zip(y).zip(openness) {
                *out = x + open * y;
            }
        }
    }
}

vectorised! {
    /// Sets `dy` row by row and adds to `sums`, the gradient of the openness.
    fn gradient_rows(g: &[f32], y: &[f32], openness: &[f32], dy: &mut [f32], sums: &mut [f32]) {
        let n = openness.len();
        let rows = g.chunks_exact(n).zip(y.chunks_exact(n)).zip(dy.chunks_exact_mut(n));
        for ((g, y), dy) in rows {
            for ((((dy, sum), g), y), open) in
                dy.iter_mut().zip(sums.iter_mut()).zip(g).zip(y).zip(openness)
            {
                *dy = g * open;
                *sum += g * y;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{gated_add, gated_add_composed};
    use super::*;
    use crate::gradient_check::{
        assert_finite_differences, assert_matches, assert_same_on_one_and_two_threads, random,
    };

    #[test]
    fn a_vector_gate_is_its_composed_form() -> Result<()> {
        let fused = |t: &[Tensor]| gated_add(&t[0], &t[1], &t[2]);
        for (rows, width) in [(600, 70), (2, 20_000), (3, 1)] {
            let x = random((1, rows, width), 1);
            let inputs = [x, random((1, rows, width), 2), random(width, 3)];
            // A gate's gradient sums up to 600 products, in another order than candle's.
            assert_matches(&inputs, 1e-5, &fused, &|t| {
                gated_add_composed(&t[0], &t[1], &t[2])
            })?;
            assert_same_on_one_and_two_threads(&inputs, &fused)?;
        }
        let inputs = [random((4, 3), 1), random((4, 3), 2), random(3, 3)];
        assert_finite_differences(&inputs, &fused)
    }

    #[test]
    fn a_gate_of_another_width_is_refused_with_both_shapes() -> Result<()> {
        let x = random((4, 3), 1);
        let error = gated_add(&x, &x, &random(2, 3)).expect_err("2 gates for 3 components");
        let text = error.to_string();
        assert!(text.contains("[2]") && text.contains("[3]"), "{text}");
        let none = random((4, 0), 1);
        assert_eq!(gated_add(&none, &none, &random(0, 2))?.dims(), [4, 0]);
        Ok(())
    }
}
