//! Linear layers: `y = x w^T`, with or without a bias.

use avocet_products::{MatMut, MatRef, Right, product};
use candle_core::{
    CpuStorage, CustomOp2, CustomOp3, D, DType, Layout, Result, Shape, Tensor, bail,
};
use rayon::prelude::*;

use crate::precision::product_precision;
use crate::slices::{f32_slice, operand, sum_in_order, with_f32};

/// Rows whose bias gradients one task adds up.
const GRADIENT_ROWS: usize = 256;
/// Rows of a product with a bias that one task computes.
const BIAS_ROWS: usize = 256;

/// `x w^T`, for `x` (.., I) and `w` (O, I), giving (.., O).
///
/// A BF16 weight is for inference only: it gets no gradient.
///
/// Errors if the widths disagree.
pub fn linear(x: &Tensor, w: &Tensor) -> Result<Tensor> {
    check_width("linear", x, w)?;
    if x.device().is_cpu() && x.dtype() == DType::F32 {
        return x.contiguous()?.apply_op2(&w.contiguous()?, Linear);
    }
    linear_composed(x, w)
}

/// `x w^T + b`, for `x` (.., I), `w` (O, I) and `b` (O), giving (.., O).
///
/// A BF16 weight is for inference only: it gets no gradient.
///
/// Errors if the widths disagree.
pub fn linear_bias(x: &Tensor, w: &Tensor, b: &Tensor) -> Result<Tensor> {
    let outputs = check_width("linear_bias", x, w)?;
    if b.dims() != [outputs] {
        bail!(
            "linear_bias: the bias has shape {:?} but w has {outputs} outputs",
            b.dims()
        );
    }
    let b = b.to_dtype(x.dtype())?.contiguous()?;
    if x.device().is_cpu() && x.dtype() == DType::F32 {
        return x.contiguous()?.apply_op3(&w.contiguous()?, &b, LinearBias);
    }
    linear_composed(x, w)?.broadcast_add(&b)
}

fn check_width(op: &'static str, x: &Tensor, w: &Tensor) -> Result<usize> {
    let (outputs, inputs) = w.dims2()?;
    let width = x.dim(D::Minus1)?;
    if width != inputs {
        bail!("{op}: the rows of x have width {width} but w takes {inputs}");
    }
    Ok(outputs)
}

fn linear_composed(x: &Tensor, w: &Tensor) -> Result<Tensor> {
    let (outputs, inputs) = w.dims2()?;
    let mut shape = x.dims().to_vec();
    shape[x.rank() - 1] = outputs;
    let rows: usize = x.dims()[..x.rank() - 1].iter().product();
    let w = w.to_dtype(x.dtype())?;
    x.reshape((rows, inputs))?.matmul(&w.t()?)?.reshape(shape)
}

struct Linear;

impl CustomOp2 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        w: &CpuStorage,
        w_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (outputs, inputs) = w_layout.shape().dims2()?;
        let x = f32_slice(x, x_layout, "linear")?;
        let w = MatRef::new(operand(w, w_layout, "linear")?, outputs, inputs);
        let (rows, shape) = output_shape(x_layout.shape(), outputs);
        let mut out = vec![0.0; rows * outputs];
        let x = MatRef::new(x, rows, inputs);
        product(
            MatMut::new(&mut out, rows, outputs),
            x,
            w.transposed(),
            false,
            product_precision(),
        );
        Ok((CpuStorage::F32(out), shape))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _out: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        gradients("linear", x, w, grad)
    }
}

struct LinearBias;

impl CustomOp3 for LinearBias {
    fn name(&self) -> &'static str {
        "linear_bias"
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
        let (outputs, inputs) = w_layout.shape().dims2()?;
        let x = f32_slice(x, x_layout, "linear_bias")?;
        let w = MatRef::new(operand(w, w_layout, "linear_bias")?, outputs, inputs);
        let b = f32_slice(b, b_layout, "linear_bias")?;
        let (rows, shape) = output_shape(x_layout.shape(), outputs);
        let mut out = vec![0.0; rows * outputs];
        if out.is_empty() {
            return Ok((CpuStorage::F32(out), shape));
        }
        let right = Right::prepare(w.transposed(), rows, product_precision());
        let x = MatRef::new(x, rows, inputs);
        out.par_chunks_mut(BIAS_ROWS * outputs)
            .enumerate()
            .for_each(|(i, out)| {
                out.chunks_exact_mut(outputs)
                    .for_each(|row| row.copy_from_slice(b));
                let (from, rows) = (i * BIAS_ROWS, out.len() / outputs);
                right.product(
                    MatMut::new(out, rows, outputs),
                    x.rows(from, from + rows),
                    true,
                );
            });
        Ok((CpuStorage::F32(out), shape))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        b: &Tensor,
        _out: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (dx, dw) = gradients("linear_bias", x, w, grad)?;
        let outputs = b.elem_count();
        let db = with_f32(grad, "linear_bias", |g| {
            let parts = g.par_chunks((GRADIENT_ROWS * outputs).max(1)).map(|rows| {
                let mut sum = vec![0.0; outputs];
                rows.chunks_exact(outputs)
                    .for_each(|row| avocet_products::simd::add_scaled(&mut sum, row, 1.0));
                sum
            });
            Tensor::from_vec(sum_in_order(parts.collect(), outputs), outputs, b.device())
        })?;
        Ok((dx, dw, Some(db)))
    }
}

fn output_shape(x: &Shape, outputs: usize) -> (usize, Shape) {
    let mut dims = x.dims().to_vec();
    dims.pop();
    let rows = dims.iter().product();
    dims.push(outputs);
    (rows, dims.into())
}

/// Gradients of `x w^T` with respect to `x` (if anything asks for it) and `w`.
fn gradients(
    op: &'static str,
    x: &Tensor,
    w: &Tensor,
    grad: &Tensor,
) -> Result<(Option<Tensor>, Option<Tensor>)> {
    let (outputs, inputs) = w.dims2()?;
    if w.dtype() != DType::F32 {
        bail!("{op}: no gradient through a weight of type {:?}", w.dtype());
    }
    let (rows, _) = output_shape(x.shape(), outputs);
    with_f32(grad, op, |g| {
        let g = MatRef::new(g, rows, outputs);
        let dx = if x.track_op() {
            let mut dx = vec![0.0; rows * inputs];
            with_f32(w, op, |w| {
                let w = MatRef::new(w, outputs, inputs);
                product(
                    MatMut::new(&mut dx, rows, inputs),
                    g,
                    w,
                    false,
                    product_precision(),
                );
                Ok(())
            })?;
            Some(Tensor::from_vec(dx, x.shape(), x.device())?)
        } else {
            None
        };
        let dw = if w.track_op() {
            let mut dw = vec![0.0; outputs * inputs];
            with_f32(x, op, |x| {
                let x = MatRef::new(x, rows, inputs);
                product(
                    MatMut::new(&mut dw, outputs, inputs),
                    g.transposed(),
                    x,
                    false,
                    product_precision(),
                );
                Ok(())
            })?;
            Some(Tensor::from_vec(dw, w.shape(), w.device())?)
        } else {
            None
        };
        Ok((dx, dw))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::{
        assert_finite_differences, assert_matches, assert_same_on_one_and_two_threads, random,
    };
    use candle_core::Device;

    #[test]
    fn linear_is_its_composed_form() -> Result<()> {
        let inputs = [random((3, 200, 40), 1), random((70, 40), 2)];
        let fused = |t: &[Tensor]| linear(&t[0], &t[1]);
        assert_matches(&inputs, 1e-5, &fused, &|t| linear_composed(&t[0], &t[1]))?;
        assert_same_on_one_and_two_threads(&inputs, &fused)?;
        assert_finite_differences(&[random((4, 3), 1), random((2, 3), 2)], &fused)
    }

    #[test]
    fn linear_bias_is_its_composed_form() -> Result<()> {
        let inputs = [random((600, 40), 1), random((70, 40), 2), random(70, 3)];
        let fused = |t: &[Tensor]| linear_bias(&t[0], &t[1], &t[2]);
        assert_matches(&inputs, 1e-5, &fused, &|t| {
            linear_composed(&t[0], &t[1])?.broadcast_add(&t[2])
        })?;
        assert_same_on_one_and_two_threads(&inputs, &fused)?;
        assert_finite_differences(
            &[random((4, 3), 1), random((2, 3), 2), random(2, 3)],
            &fused,
        )
    }

    #[test]
    fn a_bf16_weight_acts_as_its_f32_copy() -> Result<()> {
        let x = random((5, 40), 1);
        let w = random((70, 40), 2).to_dtype(DType::BF16)?;
        let out = linear(&x, &w)?.to_vec2::<f32>()?;
        assert_eq!(out, linear(&x, &w.to_dtype(DType::F32)?)?.to_vec2::<f32>()?);
        Ok(())
    }

    #[test]
    fn no_rows_give_no_rows() -> Result<()> {
        let x = Tensor::zeros((0, 4), DType::F32, &Device::Cpu)?;
        assert_eq!(linear(&x, &random((3, 4), 1))?.dims(), [0, 3]);
        assert_eq!(
            linear_bias(&x, &random((3, 4), 1), &random(3, 2))?.dims(),
            [0, 3]
        );
        Ok(())
    }

    #[test]
    fn a_weight_of_another_width_is_refused_with_both_numbers() {
        let error = linear(&random((2, 5), 1), &random((3, 4), 2)).expect_err("5 is not 4");
        assert!(
            error.to_string().contains("width 5 but w takes 4"),
            "{error}"
        );
    }
}
