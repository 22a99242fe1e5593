//! Rotary position embedding, for text (one position) and for image grids (row and column).
//!
//! RoFormer, arXiv:2104.09864; pairs are (i, i + K/2) as in GPT-NeoX and Llama, or neighbours.

mod angles;
mod cpu;
mod frequencies;

#[cfg(test)]
mod tests;

use candle_core::{Result, Tensor, bail};

use crate::fused::{FusedOp, Gradients, Inputs, Outcome, apply};
pub use angles::{RopeAngles, RopeLayout};
pub use frequencies::{RopeFrequencies, Yarn};

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
    apply(
        Rope {
            angles: angles.clone(),
        },
        [x],
    )
}

struct Rope {
    angles: RopeAngles,
}

impl FusedOp<1> for Rope {
    const NAME: &'static str = "rope";
    type Saved = ();

    fn forward(&self, [x]: Inputs<'_, 1>) -> Result<(Vec<f32>, ())> {
        let (_, _, head_dim) = x.shape.dims3()?;
        Ok((self.turn(x.f32()?, head_dim, 1.0), ()))
    }

    fn backward(&self, [x]: Inputs<'_, 1>, result: Outcome<'_, ()>) -> Gradients<1> {
        let (_, _, head_dim) = x.shape.dims3()?;
        Ok([self.turn(result.grad, head_dim, -1.0).into()])
    }

    fn composed(&self, [x]: [&Tensor; 1]) -> Result<Tensor> {
        let angles = &self.angles;
        let (rows, num_heads, head_dim) = x.dims3()?;
        let (pairs, turning) = (angles.pairs, angles.head_dim());
        let on_device = |values: &[f32]| -> Result<Tensor> {
            Tensor::from_slice(values, (rows, 1, pairs), x.device())?.to_dtype(x.dtype())
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
}
