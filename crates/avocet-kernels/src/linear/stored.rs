//! The product with rows as a checkpoint stores them; a gradient flows to what is multiplied.

use std::ops::Range;
use std::sync::Arc;

use avocet_products::Precision;
use avocet_products::stored::{self, StoredMatrix};
use candle_core::{DType, Result, Shape, Tensor};

use crate::fused::{FusedOp, Gradients, Inputs, Outcome, apply};

/// `x w^T` for the rows `rows` of `w`, which must be there, in the type of `x`.
///
/// Errors if the widths disagree, or `x` is not on the CPU.
pub(crate) fn stored_linear(
    x: &Tensor,
    w: &Arc<StoredMatrix>,
    rows: Range<usize>,
    precision: Precision,
) -> Result<Tensor> {
    super::check_width(x, (rows.len(), w.shape().last().copied().unwrap_or(0)))?;
    let op = StoredLinear {
        w: w.clone(),
        rows,
        precision,
    };
    apply(op, [&x.to_dtype(DType::F32)?])?.to_dtype(x.dtype())
}

struct StoredLinear {
    w: Arc<StoredMatrix>,
    rows: Range<usize>,
    precision: Precision,
}

impl FusedOp<1> for StoredLinear {
    const NAME: &'static str = "stored_linear";
    type Saved = ();

    fn shape(&self, [x]: [&Shape; 1]) -> Result<Shape> {
        Ok(super::with_last(x, self.rows.len()))
    }

    fn forward(&self, [x]: Inputs<'_, 1>) -> Result<(Vec<f32>, ())> {
        let (rows, num_rows) = (self.rows.clone(), x.num_rows());
        let out = stored::product(&self.w, rows, x.f32()?, num_rows, self.precision);
        Ok((out, ()))
    }

    fn backward(&self, [x]: Inputs<'_, 1>, result: Outcome<'_, ()>) -> Gradients<1> {
        let (rows, num_rows) = (self.rows.clone(), x.num_rows());
        let dx = stored::gradient(&self.w, rows, result.grad, num_rows, self.precision);
        Ok([dx.into()])
    }
}
