//! Means of packed rows over groups of them, such as the columns of a grid of patches.

use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result, Shape, Tensor, bail};

use crate::slices::{f32_slice, with_f32};

/// Which rows are averaged together; a row belongs to one group at most.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowGroups {
    group_of_row: Vec<Option<u32>>,
    rows_of_group: Vec<u32>,
}

impl RowGroups {
    /// Groups numbered from 0 without a gap, by the group of each row.
    pub fn new(group_of_row: Vec<Option<u32>>) -> Self {
        let count = group_of_row
            .iter()
            .flatten()
            .max()
            .map_or(0, |last| last + 1);
        let mut rows_of_group = vec![0; count as usize];
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
    if x.device().is_cpu() && x.dtype() == DType::F32 {
        return x.contiguous()?.apply_op1(GroupMeans(groups.clone()));
    }
    group_means_composed(x, groups)
}

fn group_means_composed(x: &Tensor, groups: &RowGroups) -> Result<Tensor> {
    let (rows, count) = (groups.group_of_row.len(), groups.rows_of_group.len());
    let mut shares = vec![0f32; count * rows];
    for (row, group, share) in groups.shares() {
        shares[group * rows + row] = share;
    }
    let shares = Tensor::from_vec(shares, (count, rows), x.device())?;
    shares.to_dtype(x.dtype())?.matmul(x)
}

struct GroupMeans(RowGroups);

impl CustomOp1 for GroupMeans {
    fn name(&self) -> &'static str {
        "group_means"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let width = layout.shape().dims2()?.1;
        let x = f32_slice(x, layout, "group_means")?;
        let count = self.0.rows_of_group.len();
        let mut means = vec![0f32; count * width];
        for (row, group, share) in self.0.shares() {
            let mean = &mut means[group * width..(group + 1) * width];
            let row = &x[row * width..(row + 1) * width];
            mean.iter_mut().zip(row).for_each(|(m, x)| *m += x * share);
        }
        Ok((CpuStorage::F32(means), (count, width).into()))
    }

    fn bwd(&self, x: &Tensor, _means: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let (rows, width) = x.dims2()?;
        let scattered = with_f32(gradient, "group_means", |gradient| {
            let mut scattered = vec![0f32; rows * width];
            for (row, group, share) in self.0.shares() {
                let row = &mut scattered[row * width..(row + 1) * width];
                let from = &gradient[group * width..(group + 1) * width];
                row.iter_mut().zip(from).for_each(|(x, g)| *x = g * share);
            }
            Ok(scattered)
        })?;
        let scattered = Tensor::from_vec(scattered, (rows, width), x.device())?;
        Ok(Some(scattered))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::{
        assert_finite_differences, assert_matches, assert_same_on_one_and_two_threads, random,
    };

    /// Rows 2 and 5 are of no group.
    fn groups() -> RowGroups {
        let of = [1, 0, 9, 1, 2, 9, 1, 0].map(|group| (group < 9).then_some(group));
        RowGroups::new(of.into())
    }

    #[test]
    fn group_means_are_their_composed_form() -> Result<()> {
        let inputs = [random((8, 5), 1)];
        let fused = |t: &[Tensor]| group_means(&t[0], &groups());
        assert_matches(&inputs, 1e-6, &fused, &|t| {
            group_means_composed(&t[0], &groups())
        })?;
        assert_same_on_one_and_two_threads(&inputs, &fused)?;
        assert_finite_differences(&inputs, &fused)
    }

    #[test]
    fn groups_of_other_rows_are_refused_with_both_counts() -> Result<()> {
        let error = group_means(&random((7, 5), 1), &groups()).expect_err("seven rows");
        let error = error.to_string();
        assert!(
            error.contains("7 rows") && error.contains("of 8"),
            "{error}"
        );
        Ok(())
    }
}
