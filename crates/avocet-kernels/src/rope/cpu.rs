//! Rotation over slices.

use avocet_products::simd::vectorised;
use rayon::prelude::*;

use super::Rope;
use super::angles::{RopeAngles, RopeLayout};

/// Rows one task rotates; fixed, so that results do not depend on the threads.
const CHUNK_ROWS: usize = 64;

impl Rope {
    /// Turns by the angles times `direction`, which is 1 forwards and -1 for the gradient.
    pub(super) fn turn(&self, x: &[f32], head_dim: usize, direction: f32) -> Vec<f32> {
        let mut y = vec![0.0; x.len()];
        if x.is_empty() {
            return y;
        }
        let RopeAngles {
            cos,
            sin,
            rows,
            pairs,
            layout,
        } = &self.angles;
        let width = x.len() / rows;
        let turn_rows = match layout {
            RopeLayout::Halves => turn_halves,
            RopeLayout::Interleaved => turn_neighbours,
        };
        y.par_chunks_mut(CHUNK_ROWS * width)
            .zip(x.par_chunks(CHUNK_ROWS * width))
            .enumerate()
            .for_each(|(chunk, (y, x))| {
                let at = chunk * CHUNK_ROWS * pairs;
                let shape = (width, head_dim, *pairs);
                turn_rows(x, &cos[at..], &sin[at..], direction, shape, y);
            });
        y
    }
}

vectorised! {
    /// Turns each row, `shape.0` wide with heads of `shape.1`, by its `shape.2` angles times
    /// `direction`; component i of a head is paired with i + `shape.2`.
    fn turn_halves(
        x: &[f32],
        cos: &[f32],
        sin: &[f32],
        direction: f32,
        shape: (usize, usize, usize),
        y: &mut [f32],
    ) {
        let (width, head_dim, pairs) = shape;
        for (row, (x, y)) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)).enumerate() {
            let cos = &cos[row * pairs..(row + 1) * pairs];
            let sin = &sin[row * pairs..(row + 1) * pairs];
            for (y, x) in y.chunks_exact_mut(head_dim).zip(x.chunks_exact(head_dim)) {
                let (x, still) = x.split_at(2 * pairs);
                let (y, y_still) = y.split_at_mut(2 * pairs);
                let (low, high) = x.split_at(pairs);
                let (y_low, y_high) = y.split_at_mut(pairs);
                for p in 0..pairs {
                    let s = sin[p] * direction;
                    y_low[p] = low[p] * cos[p] - high[p] * s;
                    y_high[p] = high[p] * cos[p] + low[p] * s;
                }
                y_still.copy_from_slice(still);
            }
        }
    }
}

vectorised! {
    /// As [`turn_halves`], with component 2i of a head paired with 2i + 1.
    fn turn_neighbours(
        x: &[f32],
        cos: &[f32],
        sin: &[f32],
        direction: f32,
        shape: (usize, usize, usize),
        y: &mut [f32],
    ) {
        let (width, head_dim, pairs) = shape;
        for (row, (x, y)) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)).enumerate() {
            let cos = &cos[row * pairs..(row + 1) * pairs];
            let sin = &sin[row * pairs..(row + 1) * pairs];
            for (y, x) in y.chunks_exact_mut(head_dim).zip(x.chunks_exact(head_dim)) {
                let (x, still) = x.split_at(2 * pairs);
                let (y, y_still) = y.split_at_mut(2 * pairs);
                let (x, _) = x.as_chunks::<2>();
                let (y, _) = y.as_chunks_mut::<2>();
                for (((y, x), cos), sin) in y.iter_mut().zip(x).zip(cos).zip(sin) {
                    let s = sin * direction;
                    *y = [x[0] * cos - x[1] * s, x[1] * cos + x[0] * s];
                }
                y_still.copy_from_slice(still);
            }
        }
    }
}
