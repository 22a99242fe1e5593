//! Means of packed rows over groups of them, such as the columns of a grid of patches.

mod cpu;
mod groups;

#[cfg(test)]
mod tests;

use candle_core::{Result, Shape, Tensor, bail};

use crate::fused::{FusedOp, Gradient, Input, Outcome, apply};

pub use groups::RowGroups;

/// Averages the rows of `x` (S, D) to (groups, D).
///
/// Errors if `groups` is of another number of rows.
pub fn group_means(x: &Tensor, groups: &RowGroups) -> Result<Tensor> {
    let (rows, known) = (x.dims2()?.0, groups.num_rows());
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
        Ok((self.0.num_groups(), x.dims()[1]).into())
    }

    fn forward(&self, [x]: [Input<'_>; 1]) -> Result<(Vec<f32>, ())> {
        Ok((cpu::gather(x.f32()?, &self.0, x.width()), ()))
    }

    fn backward(&self, [x]: [Input<'_>; 1], result: Outcome<'_, ()>) -> Result<[Gradient; 1]> {
        Ok([cpu::scatter(result.grad, &self.0, x.width()).into()])
    }

    fn composed(&self, [x]: [&Tensor; 1]) -> Result<Tensor> {
        let (rows, count) = (self.0.num_rows(), self.0.num_groups());
        let mut shares = vec![0f32; count * rows];
        for (row, group, share) in self.0.shares() {
            shares[group * rows + row] = share;
        }
        let shares = Tensor::from_vec(shares, (count, rows), x.device())?;
        shares.to_dtype(x.dtype())?.matmul(x)
    }
}
