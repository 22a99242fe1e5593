//! Means of packed rows: over each column of a patch grid, or over a whole image.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

/// Which rows are averaged into which output row; a row belongs to at most one.
#[derive(Debug, Clone, Default)]
pub struct Pool {
    group_of_row: Vec<Option<u32>>,
    counts: Vec<u32>,
}

impl Pool {
    /// One output row for each column of each image that `wanted` names; an image's rows are its
    /// patches, row by row. Also returns where each wanted image's columns begin.
    pub fn columns(grids: &[(usize, usize)], wanted: &[bool]) -> (Self, Vec<usize>) {
        let mut pool = Self::default();
        let mut offsets = vec![0];
        for (&(rows, columns), &wanted) in grids.iter().zip(wanted) {
            if !wanted {
                pool.group_of_row.extend(vec![None; rows * columns]);
                continue;
            }
            let first = pool.counts.len();
            let of_row = (0..columns).map(|column| Some((first + column) as u32));
            let of_row: Vec<_> = of_row.collect();
            (0..rows).for_each(|_| pool.group_of_row.extend_from_slice(&of_row));
            pool.counts.extend(vec![rows as u32; columns]);
            offsets.push(pool.counts.len());
        }
        (pool, offsets)
    }

    /// One output row for each image that `wanted` names.
    pub fn images(grids: &[(usize, usize)], wanted: &[bool]) -> Self {
        let mut pool = Self::default();
        for (&(rows, columns), &wanted) in grids.iter().zip(wanted) {
            let group = wanted.then_some(pool.counts.len() as u32);
            pool.group_of_row.extend(vec![group; rows * columns]);
            if wanted {
                pool.counts.push((rows * columns) as u32);
            }
        }
        pool
    }

    /// Averages `x` (S, D) to (groups, D).
    pub fn mean(&self, x: &Tensor) -> Result<Tensor> {
        x.contiguous()?.apply_op1(self.clone())
    }

    fn gather(&self, rows: &[f32], width: usize) -> Vec<f32> {
        let mut means = vec![0f32; self.counts.len() * width];
        for (row, group) in rows.chunks_exact(width).zip(&self.group_of_row) {
            if let Some(group) = group {
                let group = *group as usize;
                let share = 1.0 / self.counts[group] as f32;
                let mean = &mut means[group * width..(group + 1) * width];
                mean.iter_mut().zip(row).for_each(|(m, x)| *m += x * share);
            }
        }
        means
    }

    fn scatter(&self, gradient: &[f32], width: usize) -> Vec<f32> {
        let mut rows = vec![0f32; self.group_of_row.len() * width];
        for (row, group) in rows.chunks_exact_mut(width).zip(&self.group_of_row) {
            if let Some(group) = group {
                let group = *group as usize;
                let share = 1.0 / self.counts[group] as f32;
                let from = &gradient[group * width..(group + 1) * width];
                row.iter_mut().zip(from).for_each(|(x, g)| *x = g * share);
            }
        }
        rows
    }
}

impl CustomOp1 for Pool {
    fn name(&self) -> &'static str {
        "pool"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, width) = layout.shape().dims2()?;
        if rows != self.group_of_row.len() {
            bail!(
                "pool: {rows} rows, but the grids have {}",
                self.group_of_row.len()
            );
        }
        let (CpuStorage::F32(values), Some((from, to))) = (storage, layout.contiguous_offsets())
        else {
            bail!("pool: needs contiguous f32 rows");
        };
        let means = self.gather(&values[from..to], width);
        Ok((CpuStorage::F32(means), (self.counts.len(), width).into()))
    }

    fn bwd(&self, x: &Tensor, _means: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let (rows, width) = x.dims2()?;
        let gradient = gradient.flatten_all()?.to_vec1::<f32>()?;
        let scattered = self.scatter(&gradient, width);
        Ok(Some(Tensor::from_vec(
            scattered,
            (rows, width),
            x.device(),
        )?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    const GRIDS: [(usize, usize); 3] = [(2, 2), (1, 3), (2, 1)];

    fn rows() -> Result<Var> {
        let values: Vec<f32> = (0..9).map(|i| i as f32).collect();
        Var::from_tensor(&Tensor::from_vec(values, (9, 1), &Device::Cpu)?)
    }

    #[test]
    fn columns_average_the_rows_of_their_own_image() -> Result<()> {
        let (pool, offsets) = Pool::columns(&GRIDS, &[true, false, true]);
        assert_eq!(offsets, [0, 2, 3]);
        let means = pool
            .mean(rows()?.as_tensor())?
            .flatten_all()?
            .to_vec1::<f32>()?;
        assert_eq!(means, [1.0, 2.0, 7.5]);
        Ok(())
    }

    #[test]
    fn images_average_all_their_patches() -> Result<()> {
        let pool = Pool::images(&GRIDS, &[true, true, false]);
        let means = pool
            .mean(rows()?.as_tensor())?
            .flatten_all()?
            .to_vec1::<f32>()?;
        assert_eq!(means, [1.5, 5.0]);
        Ok(())
    }

    #[test]
    fn the_gradient_is_the_transpose_of_the_mean() -> Result<()> {
        let x = rows()?;
        let (pool, _) = Pool::columns(&GRIDS, &[true, false, true]);
        let weights = Tensor::new(&[[1f32], [10.0], [100.0]], &Device::Cpu)?;
        let grads = pool.mean(&x)?.mul(&weights)?.sum_all()?.backward()?;
        let gradient = grads.get(&x).map(|g| g.flatten_all()?.to_vec1::<f32>());
        let expected = [0.5, 5.0, 0.5, 5.0, 0.0, 0.0, 0.0, 50.0, 50.0];
        assert_eq!(gradient.transpose()?.as_deref(), Some(&expected[..]));
        Ok(())
    }
}
