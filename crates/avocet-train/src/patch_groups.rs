//! Which patches of packed images are averaged together: those of a column, or of an image.

use avocet_kernels::RowGroups;

/// One group for each column of each image that `wanted` names; an image's rows are its patches,
/// row by row. Also returns where each wanted image's columns begin.
pub(crate) fn columns(grids: &[(usize, usize)], wanted: &[bool]) -> (RowGroups, Vec<usize>) {
    let mut group_of_row = Vec::new();
    let mut offsets = vec![0];
    let mut first = 0;
    for (&(rows, columns), &wanted) in grids.iter().zip(wanted) {
        if !wanted {
            group_of_row.extend(vec![None; rows * columns]);
            continue;
        }
        for _ in 0..rows {
            group_of_row.extend((first..first + columns).map(|column| Some(column as u32)));
        }
        first += columns;
        offsets.push(first);
    }
    (RowGroups::new(group_of_row), offsets)
}

/// One group for each image that `wanted` names.
pub(crate) fn images(grids: &[(usize, usize)], wanted: &[bool]) -> RowGroups {
    let mut group_of_row = Vec::new();
    let mut next = 0;
    for (&(rows, columns), &wanted) in grids.iter().zip(wanted) {
        group_of_row.extend(vec![wanted.then_some(next); rows * columns]);
        next += u32::from(wanted);
    }
    RowGroups::new(group_of_row)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRIDS: [(usize, usize); 3] = [(2, 2), (1, 3), (2, 1)];

    fn groups(of: [u32; 9]) -> RowGroups {
        RowGroups::new(of.map(|group| (group < 9).then_some(group)).into())
    }

    #[test]
    fn columns_group_the_rows_of_their_own_image() {
        let (columns, offsets) = columns(&GRIDS, &[true, false, true]);
        assert_eq!(offsets, [0, 2, 3]);
        assert_eq!(columns, groups([0, 1, 0, 1, 9, 9, 9, 2, 2]));
    }

    #[test]
    fn images_group_all_their_patches() {
        let images = images(&GRIDS, &[true, true, false]);
        assert_eq!(images, groups([0, 0, 0, 0, 1, 1, 1, 9, 9]));
    }
}
