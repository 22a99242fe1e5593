//! Packed grids, which convolutions work on.
//!
//! A grid of h x w pixels is h * w rows, row by row; grids follow one another without padding.

use candle_core::{Result, bail};

/// Height and width of one grid and the row of its first pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grid {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) first: usize,
}

impl Grid {
    pub(crate) fn len(&self) -> usize {
        self.height * self.width
    }
}

/// The grids with their first rows.
///
/// Errors if they do not hold exactly `rows` pixels.
pub(crate) fn packed(op: &str, grids: &[(usize, usize)], rows: usize) -> Result<Vec<Grid>> {
    let mut first = 0usize;
    let mut packed = Vec::with_capacity(grids.len());
    for (i, &(height, width)) in grids.iter().enumerate() {
        packed.push(Grid {
            height,
            width,
            first,
        });
        let end = height.checked_mul(width).and_then(|n| first.checked_add(n));
        match end {
            Some(end) if end <= rows => first = end,
            _ => bail!("{op}: grid {i} of {height} x {width} ends beyond the {rows} rows of x"),
        }
    }
    if first != rows {
        bail!("{op}: the grids hold {first} pixels but x has {rows} rows");
    }
    Ok(packed)
}

/// Parts into which the gradients of parameters are summed, at most; fixed, so that results do
/// not depend on the threads.
const GRADIENT_PARTS: usize = 16;

/// Cuts `grids` into at most [`GRADIENT_PARTS`] runs of about equal numbers of pixels.
pub(crate) fn parts(grids: &[Grid]) -> Vec<&[Grid]> {
    let total: usize = grids.iter().map(Grid::len).sum();
    let share = total.div_ceil(GRADIENT_PARTS).max(1);
    let mut parts = Vec::new();
    let (mut from, mut pixels) = (0, 0);
    for (i, grid) in grids.iter().enumerate() {
        pixels += grid.len();
        if pixels >= share || i + 1 == grids.len() {
            parts.push(&grids[from..=i]);
            (from, pixels) = (i + 1, 0);
        }
    }
    parts
}

/// The rows of `all`, `width` elements each, that belong to each run of grids.
pub(crate) fn split_by_grids<'a>(
    runs: &[&[Grid]],
    mut all: &'a mut [f32],
    width: usize,
) -> Vec<&'a mut [f32]> {
    let mut split = Vec::with_capacity(runs.len());
    for run in runs {
        let pixels: usize = run.iter().map(Grid::len).sum();
        let (head, tail) = all.split_at_mut((pixels * width).min(all.len()));
        split.push(head);
        all = tail;
    }
    split
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_hold_every_grid_once() -> Result<()> {
        let grids: Vec<(usize, usize)> = (0..100).map(|i| (i % 5, 1 + i % 7)).collect();
        let rows = grids.iter().map(|(h, w)| h * w).sum();
        let grids = packed("test", &grids, rows)?;
        let runs = parts(&grids);
        assert!(runs.len() <= GRADIENT_PARTS);
        assert_eq!(runs.concat(), grids);
        Ok(())
    }

    #[test]
    fn grids_that_do_not_fill_the_rows_are_refused() {
        assert!(packed("test", &[(2, 3)], 7).is_err());
        assert!(packed("test", &[(2, 4)], 7).is_err());
        assert!(packed("test", &[(usize::MAX, 2)], 7).is_err());
    }
}
