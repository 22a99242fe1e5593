//! Means of packed rows over groups of them, such as the columns of a grid of patches.

mod cpu;

#[cfg(test)]
mod tests;

use candle_core::{Result, Shape, Tensor, bail};

use crate::fused::{FusedOp, Gradient, Input, Outcome, apply};

/// Which rows are averaged together; a row belongs to one group at most.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowGroups {
    group_of_row: Vec<Option<u32>>,
    rows_of_group: Vec<u32>,
}

impl RowGroups {
    /// Groups numbered from 0 without a gap, by the group of each row.
    pub fn new(group_of_row: Vec<Option<u32>>) -> Self {
        let last = group_of_row.iter().flatten().max();
        let mut rows_of_group = vec![0; last.map_or(0, |last| *last as usize + 1)];
        for &group in group_of_row.iter().flatten() {
            rows_of_group[group as usize] += 1;
        }
        Self {
            group_of_row,
            rows_of_group,
        }
    }

    /// The rows that have a group, with it and the share that each has in its mean.
    fn shares(&self) -> impl Iterator<Item = (usize, usize, f32)> + '_ {
        let rows = self.group_of_row.iter().enumerate();
        rows.filter_map(|(row, group)| {
            let group = (*group)? as usize;
            Some((row, group, 1.0 / self.rows_of_group[group] as f32))
        })
    }
}

/// Averages the rows of `x` (S, D) to (groups, D).
///
/// Errors if `groups` is of another number of rows.
pub fn group_means(x: &Tensor, groups: &RowGroups) -> Result<Tensor> {
    let (rows, known) = (x.dims2()?.0, groups.group_of_row.len());
    if rows != known {
        bail!("group_means: {rows} rows, but groups of {known}");
    }
    apply(GroupMeans(groups.clone()), [x])
}

struct GroupMeans(RowGroups);

impl FusedOp<1> for GroupMeans {
    const NAME: &'static str = "group_means";
    type Saved = ();

    fn shape(&self, [x]: [&Shape; 1]) -> Result<Shape> {
        Ok((self.0.rows_of_group.len(), x.dims()[1]).into())
    }

    fn forward(&self, [x]: [Input<'_>; 1]) -> Result<(Vec<f32>, ())> {
        Ok((cpu::gather(x.f32()?, &self.0, x.width()), ()))
    }

    fn backward(&self, [x]: [Input<'_>; 1], result: Outcome<'_, ()>) -> Result<[Gradient; 1]> {
        Ok([cpu::scatter(result.grad, &self.0, x.width()).into()])
    }

    fn composed(&self, [x]: [&Tensor; 1]) -> Result<Tensor> {
        let (rows, count) = (self.0.group_of_row.len(), self.0.rows_of_group.len());
        let mut shares = vec![0f32; count * rows];
        for (row, group, share) in self.0.shares() {
            shares[group * rows + row] = share;
        }
        let shares = Tensor::from_vec(shares, (count, rows), x.device())?;
        shares.to_dtype(x.dtype())?.matmul(x)
    }
}
