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

/// Which pixels a window over a grid reads; those outside count as zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Padding {
    /// Pixels along a window's side.
    pub(crate) kernel: usize,
    /// Pixels from one window to the next.
    pub(crate) stride: usize,
    /// Whether the windows lie in the middle of what they cover, as TensorFlow's SAME has them,
    /// which may leave one more pixel free behind a grid than before it; else a window begins
    /// half its side before a grid.
    pub(crate) same: bool,
}

impl Padding {
    /// Pixels of the first window that lie before a line of `len` pixels.
    pub(crate) fn before(self, len: usize) -> usize {
        if !self.same {
            return self.kernel / 2;
        }
        let reach = len.div_ceil(self.stride).saturating_sub(1) * self.stride + self.kernel;
        reach.saturating_sub(len) / 2
    }

    /// The pixel of a line of `len` that tap `tap` of window `window` reads.
    pub(crate) fn at(self, window: usize, tap: usize, len: usize) -> Option<usize> {
        (window * self.stride + tap)
            .checked_sub(self.before(len))
            .filter(|at| *at < len)
    }

    /// The pixel of a grid that tap (row, column) of the window of an output pixel reads.
    pub(crate) fn source(
        self,
        (input, output): (&Grid, &Grid),
        pixel: usize,
        tap: (usize, usize),
    ) -> Option<usize> {
        let row = self.at(pixel / output.width, tap.0, input.height)?;
        let column = self.at(pixel % output.width, tap.1, input.width)?;
        Some(row * input.width + column)
    }
}

/// The output grids of a stride.
pub(crate) fn strided(inputs: &[Grid], stride: usize) -> Vec<Grid> {
    let mut first = 0;
    let outputs = inputs.iter().map(|grid| {
        let (height, width) = (grid.height.div_ceil(stride), grid.width.div_ceil(stride));
        let output = Grid {
            height,
            width,
            first,
        };
        first += output.len();
        output
    });
    outputs.collect()
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
    fn windows_lie_where_tensorflow_has_them() {
        let before = |kernel, stride, len| {
            Padding {
                kernel,
                stride,
                same: true,
            }
            .before(len)
        };
        // Of a stride of 2 over an even side, the pixel too few is behind.
        assert_eq!(
            [before(3, 2, 224), before(3, 2, 15), before(3, 1, 7)],
            [0, 1, 1]
        );
        assert_eq!(
            [before(5, 2, 14), before(5, 2, 15), before(5, 1, 7)],
            [1, 2, 2]
        );
        assert_eq!(
            [before(1, 2, 5), before(3, 1, 0), before(5, 2, 1)],
            [0, 1, 2]
        );
    }

    #[test]
    fn grids_that_do_not_fill_the_rows_are_refused() {
        assert!(packed("test", &[(2, 3)], 7).is_err());
        assert!(packed("test", &[(2, 4)], 7).is_err());
        assert!(packed("test", &[(usize::MAX, 2)], 7).is_err());
    }
}
