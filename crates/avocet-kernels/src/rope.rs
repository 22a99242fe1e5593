//! Rotary position embedding, for text (one position) and for image grids (row and column).
//!
//! RoFormer, arXiv:2104.09864; pairs are (i, i + K/2) as in GPT-NeoX and Llama, or neighbours.

mod angles;
mod frequencies;

#[cfg(test)]
mod tests;

use avocet_products::simd::vectorised;
use candle_core::{CpuStorage, CustomOp1, DType, Device, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use crate::slices::{f32_slice, with_f32};
pub use angles::{RopeAngles, RopeLayout};
pub use frequencies::{RopeFrequencies, Yarn};

/// Rows one task rotates; fixed, so that results do not depend on the threads.
const CHUNK_ROWS: usize = 64;

/// Rotates the heads of each row of `x` (S, H, K) by that row's angles.
///
/// Angles of fewer than K / 2 pairs turn the first components of every head and leave the others
/// as they are (the partial rotary embedding of GPT-NeoX, arXiv:2204.06745).
///
/// Errors if the angles are for another number of rows or for wider heads.
pub fn rope(x: &Tensor, angles: &RopeAngles) -> Result<Tensor> {
    let (rows, _, head_dim) = x.dims3()?;
    if rows != angles.rows || head_dim < angles.head_dim() {
        bail!(
            "rope: x has {rows} rows of head width {head_dim} but the angles are for {} rows of {}",
            angles.rows,
            angles.head_dim()
        );
    }
    if x.device().is_cpu() && x.dtype() == DType::F32 {
        let op = Rope {
            angles: angles.clone(),
            head_dim,
        };
        return x.contiguous()?.apply_op1(op);
    }
    rope_composed(x, angles)
}

fn rope_composed(x: &Tensor, angles: &RopeAngles) -> Result<Tensor> {
    let (rows, num_heads, head_dim) = x.dims3()?;
    let (pairs, turning) = (angles.pairs, angles.head_dim());
    let on_device = |values: &[f32]| -> Result<Tensor> {
        Tensor::from_slice(values, (rows, 1, pairs), &Device::Cpu)?
            .to_device(x.device())?
            .to_dtype(x.dtype())
    };
    let (cos, sin) = (on_device(&angles.cos)?, on_device(&angles.sin)?);
    let (low, high) = match angles.layout {
        RopeLayout::Halves => (x.narrow(2, 0, pairs)?, x.narrow(2, pairs, pairs)?),
        RopeLayout::Interleaved => {
            let neighbours = x
                .narrow(2, 0, turning)?
                .reshape((rows, num_heads, pairs, 2))?;
            let component = |i: usize| neighbours.narrow(3, i, 1)?.squeeze(3);
            (component(0)?, component(1)?)
        }
    };
    let turned_low = (low.broadcast_mul(&cos)? - high.broadcast_mul(&sin)?)?;
    let turned_high = (high.broadcast_mul(&cos)? + low.broadcast_mul(&sin)?)?;
    let turned = match angles.layout {
        RopeLayout::Halves => Tensor::cat(&[turned_low, turned_high], 2)?,
        RopeLayout::Interleaved => {
            Tensor::stack(&[turned_low, turned_high], 3)?.reshape((rows, num_heads, turning))?
        }
    };
    if turning == head_dim {
        return Ok(turned);
    }
    Tensor::cat(&[turned, x.narrow(2, turning, head_dim - turning)?], 2)
}

struct Rope {
    angles: RopeAngles,
    head_dim: usize,
}

impl Rope {
    /// Turns by the angles times `direction`, which is 1 forwards and -1 for the gradient.
    fn turn(&self, x: &[f32], direction: f32) -> Vec<f32> {
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
                let shape = (width, self.head_dim, *pairs);
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

impl CustomOp1 for Rope {
    fn name(&self) -> &'static str {
        "rope"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let y = self.turn(f32_slice(x, layout, "rope")?, 1.0);
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let dx = with_f32(grad, "rope", |g| Ok(self.turn(g, -1.0)))?;
        Tensor::from_vec(dx, x.shape(), x.device()).map(Some)
    }
}
