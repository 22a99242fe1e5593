//! Linear layers: `y = x w^T`, with or without a bias, and with ReLU6 behind it.

mod cpu;
mod stored;

#[cfg(test)]
mod tests;

use avocet_products::Precision;
use candle_core::{D, Result, Shape, Tensor, bail};

use crate::activation::{relu6_gradients, relu6_in_place};
use crate::fused::{FusedOp, Gradients, Inputs, Outcome, apply};
pub(crate) use stored::stored_linear;

/// `x w^T`, for `x` (.., I) and `w` (O, I), giving (.., O).
///
/// A BF16 weight is for inference only: it gets no gradient.
///
/// Errors if the widths disagree.
pub(crate) fn linear(x: &Tensor, w: &Tensor, precision: Precision) -> Result<Tensor> {
    check_width(x, w.dims2()?)?;
    apply(Linear { precision }, [x, w])
}

/// `x w^T + b`, for `x` (.., I), `w` (O, I) and `b` (O), giving (.., O).
///
/// A BF16 weight is for inference only: it gets no gradient.
///
/// Errors if the widths disagree.
pub(crate) fn linear_bias(
    x: &Tensor,
    w: &Tensor,
    b: &Tensor,
    precision: Precision,
) -> Result<Tensor> {
    let b = fitting_bias(x, w, b)?;
    apply(Linear { precision }, [x, w, &b])
}

/// As [`linear_bias`], with ReLU6 behind it.
///
/// Errors as [`linear_bias`] does.
pub(crate) fn linear_bias_relu6(
    x: &Tensor,
    w: &Tensor,
    b: &Tensor,
    precision: Precision,
) -> Result<Tensor> {
    let b = fitting_bias(x, w, b)?;
    apply(LinearRelu6(Linear { precision }), [x, w, &b])
}

/// `b` in the numbers of `x`, for `x` (.., I), `w` (O, I) and `b` (O).
fn fitting_bias(x: &Tensor, w: &Tensor, b: &Tensor) -> Result<Tensor> {
    let (outputs, inputs) = w.dims2()?;
    check_width(x, (outputs, inputs))?;
    check_bias(b, outputs)?;
    b.to_dtype(x.dtype())
}

/// Errors if the rows of `x` are not as wide as a weight (O, I) takes.
fn check_width(x: &Tensor, (_, inputs): (usize, usize)) -> Result<()> {
    let width = x.dim(D::Minus1)?;
    if width != inputs {
        bail!("linear: the rows of x have width {width} but w takes {inputs}");
    }
    Ok(())
}

/// Errors if a bias is not one number for each of a weight's outputs.
pub(crate) fn check_bias(b: &Tensor, outputs: usize) -> Result<()> {
    if b.dims() != [outputs] {
        bail!(
            "linear_bias: the bias has shape {:?} but w has {outputs} outputs",
            b.dims()
        );
    }
    Ok(())
}

/// The shape of (.., I) with its last dimension replaced.
fn with_last(shape: &Shape, last: usize) -> Shape {
    let mut dims = shape.dims().to_vec();
    dims.pop();
    dims.push(last);
    dims.into()
}

struct Linear {
    precision: Precision,
}

impl FusedOp<2> for Linear {
    const NAME: &'static str = "linear";
    type Saved = ();

    fn shape(&self, [x, w]: [&Shape; 2]) -> Result<Shape> {
        Ok(with_last(x, w.dims2()?.0))
    }

    fn forward(&self, [x, w]: Inputs<'_, 2>) -> Result<(Vec<f32>, ())> {
        Ok((cpu::forward(x, w, self.precision)?, ()))
    }

    fn backward(&self, [x, w]: Inputs<'_, 2>, result: Outcome<'_, ()>) -> Gradients<2> {
        cpu::backward(x, w, result.grad, self.precision)
    }

    fn composed(&self, [x, w]: [&Tensor; 2]) -> Result<Tensor> {
        let (outputs, inputs) = w.dims2()?;
        let rows: usize = x.dims()[..x.rank() - 1].iter().product();
        let w = w.to_dtype(x.dtype())?;
        let y = x.reshape((rows, inputs))?.matmul(&w.t()?)?;
        y.reshape(with_last(x.shape(), outputs))
    }
}

/// With a bias.
impl FusedOp<3> for Linear {
    const NAME: &'static str = "linear_bias";
    type Saved = ();

    fn shape(&self, [x, w, _]: [&Shape; 3]) -> Result<Shape> {
        Ok(with_last(x, w.dims2()?.0))
    }

    fn forward(&self, [x, w, b]: Inputs<'_, 3>) -> Result<(Vec<f32>, ())> {
        let out = cpu::forward_with_bias(x, w, b.f32()?, self.precision, |_| {})?;
        Ok((out, ()))
    }

    fn backward(&self, [x, w, b]: Inputs<'_, 3>, result: Outcome<'_, ()>) -> Gradients<3> {
        let [dx, dw] = cpu::backward(x, w, result.grad, self.precision)?;
        let db = cpu::bias_gradient(result.grad, b.shape.dims1()?);
        Ok([dx, dw, db.into()])
    }

    fn composed(&self, [x, w, b]: [&Tensor; 3]) -> Result<Tensor> {
        FusedOp::<2>::composed(self, [x, w])?.broadcast_add(b)
    }
}

struct LinearRelu6(Linear);

impl FusedOp<3> for LinearRelu6 {
    const NAME: &'static str = "linear_bias_relu6";
    type Saved = ();

    fn shape(&self, [x, w, _]: [&Shape; 3]) -> Result<Shape> {
        Ok(with_last(x, w.dims2()?.0))
    }

    fn forward(&self, [x, w, b]: Inputs<'_, 3>) -> Result<(Vec<f32>, ())> {
        let precision = self.0.precision;
        let out = cpu::forward_with_bias(x, w, b.f32()?, precision, relu6_in_place)?;
        Ok((out, ()))
    }

    fn backward(&self, [x, w, b]: Inputs<'_, 3>, result: Outcome<'_, ()>) -> Gradients<3> {
        let grad = relu6_gradients(result.out, result.grad);
        let [dx, dw] = cpu::backward(x, w, &grad, self.0.precision)?;
        let db = cpu::bias_gradient(&grad, b.shape.dims1()?);
        Ok([dx, dw, db.into()])
    }

    fn composed(&self, inputs: [&Tensor; 3]) -> Result<Tensor> {
        FusedOp::<3>::composed(&self.0, inputs)?.clamp(0.0, 6.0)
    }
}
