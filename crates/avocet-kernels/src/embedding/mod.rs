//! Rows of a table picked by id, with a gradient that adds up in a fixed order.

mod cpu;

#[cfg(test)]
mod tests;

use candle_core::{DType, Result, Shape, Tensor, bail};

use crate::fused::{FusedOp, Gradients, Inputs, Outcome, apply};

/// The rows of `table` (V, D) named by `ids`, as (S, D) in f32.
///
/// The table may be of any float type; the gradient flows where it is f32.
///
/// Errors if an id is not below V.
pub fn embedding(table: &Tensor, ids: &[u32]) -> Result<Tensor> {
    let (rows, _) = table.dims2()?;
    check_ids(ids, rows)?;
    apply(Embedding { ids: ids.to_vec() }, [table])
}

/// Errors if an id names no row of a table of `rows`.
pub(crate) fn check_ids(ids: &[u32], rows: usize) -> Result<()> {
    match ids.iter().enumerate().find(|(_, id)| **id as usize >= rows) {
        Some((i, id)) => bail!("embedding: id {id} at position {i}, but the table has {rows} rows"),
        None => Ok(()),
    }
}

struct Embedding {
    ids: Vec<u32>,
}

impl FusedOp<1> for Embedding {
    const NAME: &'static str = "embedding";
    type Saved = ();

    fn shape(&self, [table]: [&Shape; 1]) -> Result<Shape> {
        Ok((self.ids.len(), table.dims()[1]).into())
    }

    fn forward(&self, [table]: Inputs<'_, 1>) -> Result<(Vec<f32>, ())> {
        let (_, width) = table.shape.dims2()?;
        Ok((cpu::gather(table.f32()?, &self.ids, width), ()))
    }

    fn backward(&self, [table]: Inputs<'_, 1>, result: Outcome<'_, ()>) -> Gradients<1> {
        Ok([cpu::scatter(result.grad, &self.ids, table.shape.dims2()?).into()])
    }

    fn composed(&self, [table]: [&Tensor; 1]) -> Result<Tensor> {
        let ids = Tensor::from_slice(&self.ids, self.ids.len(), table.device())?;
        table.index_select(&ids, 0)?.to_dtype(DType::F32)
    }
}
