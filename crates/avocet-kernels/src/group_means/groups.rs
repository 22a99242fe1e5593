//! Which rows make which mean.

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

    /// Number of rows, those without a group included.
    pub(super) fn num_rows(&self) -> usize {
        self.group_of_row.len()
    }

    /// Number of groups.
    pub(super) fn num_groups(&self) -> usize {
        self.rows_of_group.len()
    }

    /// The rows that have a group, with it and the share that each has in its mean.
    pub(super) fn shares(&self) -> impl Iterator<Item = (usize, usize, f32)> + '_ {
        let rows = self.group_of_row.iter().enumerate();
        rows.filter_map(|(row, group)| {
            let group = (*group)? as usize;
            Some((row, group, 1.0 / self.rows_of_group[group] as f32))
        })
    }
}
