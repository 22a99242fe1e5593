//! Rows of a table picked by id, with a gradient that adds up in a fixed order.

use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use crate::slices::{f32_slice, with_f32};

/// Table rows whose gradients one task adds up; fixed, so that results do not depend on the
/// threads.
const CHUNK_ROWS: usize = 64;

/// The rows of `table` (V, D) named by `ids`, as (S, D) in f32.
///
/// The table may be of any float type; the gradient flows where it is f32.
///
/// Errors if an id is not below V.
pub fn embedding(table: &Tensor, ids: &[u32]) -> Result<Tensor> {
    let (rows, _) = table.dims2()?;
    if let Some((i, id)) = ids.iter().enumerate().find(|(_, id)| **id as usize >= rows) {
        bail!("embedding: id {id} at position {i}, but the table has {rows} rows");
    }
    if table.device().is_cpu() && table.dtype() == DType::F32 {
        return table
            .contiguous()?
            .apply_op1(Embedding { ids: ids.to_vec() });
    }
    embedding_composed(table, ids)?.to_dtype(DType::F32)
}

fn embedding_composed(table: &Tensor, ids: &[u32]) -> Result<Tensor> {
    table.index_select(&Tensor::from_slice(ids, ids.len(), table.device())?, 0)
}

struct Embedding {
    ids: Vec<u32>,
}

impl CustomOp1 for Embedding {
    fn name(&self) -> &'static str {
        "embedding"
    }

    fn cpu_fwd(&self, table: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let width = layout.dims()[1];
        let table = f32_slice(table, layout, "embedding")?;
        let mut out = Vec::with_capacity(self.ids.len() * width);
        for id in &self.ids {
            let at = *id as usize * width;
            out.extend_from_slice(&table[at..at + width]);
        }
        Ok((CpuStorage::F32(out), Shape::from((self.ids.len(), width))))
    }

    fn bwd(&self, table: &Tensor, _out: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (rows, width) = table.dims2()?;
        let mut order: Vec<u32> = (0..self.ids.len() as u32).collect();
        order.sort_by_key(|i| self.ids[*i as usize]); // Stable: equal ids keep their positions' order.
        let mut sums = vec![0.0; rows * width];
        with_f32(grad, "embedding", |grad| {
            sums.par_chunks_mut((CHUNK_ROWS * width).max(1))
                .enumerate()
                .for_each(|(c, sums)| {
                    let first = c * CHUNK_ROWS;
                    let from = order.partition_point(|i| (self.ids[*i as usize] as usize) < first);
                    for i in &order[from..] {
                        let row = self.ids[*i as usize] as usize - first;
                        if row >= CHUNK_ROWS {
                            break;
                        }
                        let at = *i as usize * width;
                        let sum = &mut sums[row * width..(row + 1) * width];
                        for (s, g) in sum.iter_mut().zip(&grad[at..at + width]) {
                            *s += g;
                        }
                    }
                });
            Ok(())
        })?;
        Tensor::from_vec(sums, table.shape(), table.device()).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::{assert_matches, assert_same_on_one_and_two_threads, random};

    #[test]
    fn embedding_is_its_composed_form() -> Result<()> {
        let ids: Vec<u32> = (0..500u32).map(|i| (i * i) % 150).collect();
        let table = [random((150, 9), 1)];
        let fused = |t: &[Tensor]| embedding(&t[0], &ids);
        assert_matches(&table, 1e-6, &fused, &|t| embedding_composed(&t[0], &ids))?;
        assert_same_on_one_and_two_threads(&table, &fused)
    }

    #[test]
    fn an_id_beyond_the_table_is_refused_with_both_numbers() {
        let error = embedding(&random((5, 2), 1), &[1, 5]).expect_err("5 is not below 5");
        let text = error.to_string();
        assert!(
            text.contains("id 5 at position 1") && text.contains("5 rows"),
            "{text}"
        );
    }

    #[test]
    fn a_half_precision_table_gives_f32_rows() -> Result<()> {
        let rows = embedding(&random((5, 2), 1).to_dtype(DType::BF16)?, &[4, 0])?;
        assert_eq!((rows.dims(), rows.dtype()), (&[2, 2][..], DType::F32));
        Ok(())
    }
}
