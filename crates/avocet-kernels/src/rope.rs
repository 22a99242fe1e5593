//! Rotary position embedding, for text (one position) and for image grids (row and column).
//!
//! RoFormer, arXiv:2104.09864; pairs are (i, i + K/2) as in GPT-NeoX and Llama.

use std::collections::HashMap;
use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, DType, Device, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use crate::simd::vectorised;
use crate::slices::{f32_slice, with_f32};

/// Rows one task rotates; fixed, so that results do not depend on the threads.
const CHUNK_ROWS: usize = 64;

/// Cosines and sines of every row's rotation angles, each (S, K/2).
#[derive(Debug, Clone)]
pub struct RopeAngles {
    cos: Arc<[f32]>,
    sin: Arc<[f32]>,
    rows: usize,
    pairs: usize,
}

impl RopeAngles {
    /// Angles of text: pair i of position p turns by `p * theta^(-2i/K)`.
    ///
    /// Errors if `head_dim` is odd or zero.
    pub fn text(positions: &[u32], head_dim: usize, theta: f64) -> Result<Self> {
        if head_dim == 0 || !head_dim.is_multiple_of(2) {
            bail!("rope: head_dim {head_dim} is not a positive multiple of 2");
        }
        let mut turns = Turns::new(head_dim / 2, theta);
        let rows = positions.iter().map(|&position| [position]);
        Ok(turns.angles(rows))
    }

    /// Angles of image patches at (row, column): the first half of the pairs turns with the row,
    /// the second with the column, each with the frequencies of a head of half the width.
    ///
    /// Errors if `head_dim` is not a positive multiple of 4.
    pub fn grid(rows_cols: &[(u32, u32)], head_dim: usize, theta: f64) -> Result<Self> {
        if head_dim == 0 || !head_dim.is_multiple_of(4) {
            bail!("rope: head_dim {head_dim} is not a positive multiple of 4");
        }
        let mut turns = Turns::new(head_dim / 4, theta);
        let rows = rows_cols.iter().map(|&(row, column)| [row, column]);
        Ok(turns.angles(rows))
    }

    /// Number of rows the angles are for.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Width K of the heads the angles are for.
    pub fn head_dim(&self) -> usize {
        self.pairs * 2
    }
}

/// Cosines and sines of the angles of each position, computed once for each.
struct Turns {
    frequencies: Vec<f64>,
    known: HashMap<u32, Vec<(f32, f32)>>,
}

impl Turns {
    /// Frequency i of `pairs` is `theta^(-i / pairs)`.
    fn new(pairs: usize, theta: f64) -> Self {
        let frequency = |i| theta.powf(-(i as f64) / pairs as f64);
        Self {
            frequencies: (0..pairs).map(frequency).collect(),
            known: HashMap::new(),
        }
    }

    /// The angles of rows, each turned by its positions one after another.
    fn angles<const N: usize>(
        &mut self,
        rows: impl ExactSizeIterator<Item = [u32; N]>,
    ) -> RopeAngles {
        let (count, pairs) = (rows.len(), N * self.frequencies.len());
        let (mut cos, mut sin) = (
            Vec::with_capacity(count * pairs),
            Vec::with_capacity(count * pairs),
        );
        for position in rows.flatten() {
            let turned = self.known.entry(position).or_insert_with(|| {
                let angles = self.frequencies.iter().map(|f| f64::from(position) * f);
                angles.map(|a| (a.cos() as f32, a.sin() as f32)).collect()
            });
            cos.extend(turned.iter().map(|(cos, _)| cos));
            sin.extend(turned.iter().map(|(_, sin)| sin));
        }
        RopeAngles {
            cos: cos.into(),
            sin: sin.into(),
            rows: count,
            pairs,
        }
    }
}

/// Rotates the heads of each row of `x` (S, H, K) by that row's angles.
///
/// Errors if the angles are for another number of rows or another head width.
pub fn rope(x: &Tensor, angles: &RopeAngles) -> Result<Tensor> {
    let (rows, _, head_dim) = x.dims3()?;
    if rows != angles.rows || head_dim != angles.head_dim() {
        bail!(
            "rope: x has {rows} rows of head width {head_dim} but the angles are for {} rows of {}",
            angles.rows,
            angles.head_dim()
        );
    }
    if x.device().is_cpu() && x.dtype() == DType::F32 {
        let op = Rope {
            angles: angles.clone(),
        };
        return x.contiguous()?.apply_op1(op);
    }
    rope_composed(x, angles)
}

fn rope_composed(x: &Tensor, angles: &RopeAngles) -> Result<Tensor> {
    let shape = (angles.rows, 1, angles.pairs);
    let on_device = |values: &[f32]| -> Result<Tensor> {
        Tensor::from_slice(values, shape, &Device::Cpu)?
            .to_device(x.device())?
            .to_dtype(x.dtype())
    };
    let (cos, sin) = (on_device(&angles.cos)?, on_device(&angles.sin)?);
    let low = x.narrow(2, 0, angles.pairs)?;
    let high = x.narrow(2, angles.pairs, angles.pairs)?;
    let turned_low = (low.broadcast_mul(&cos)? - high.broadcast_mul(&sin)?)?;
    let turned_high = (high.broadcast_mul(&cos)? + low.broadcast_mul(&sin)?)?;
    Tensor::cat(&[turned_low, turned_high], 2)
}

struct Rope {
    angles: RopeAngles,
}

impl Rope {
    /// Turns by the angles times `direction`, which is 1 forwards and -1 for the gradient.
    fn turn(&self, x: &[f32], direction: f32) -> Vec<f32> {
        let mut y = vec![0.0; x.len()];
        let RopeAngles {
            cos,
            sin,
            rows,
            pairs,
        } = &self.angles;
        let (rows, pairs) = (*rows, *pairs);
        if x.is_empty() {
            return y;
        }
        let width = x.len() / rows;
        y.par_chunks_mut(CHUNK_ROWS * width)
            .zip(x.par_chunks(CHUNK_ROWS * width))
            .enumerate()
            .for_each(|(chunk, (y, x))| {
                let at = chunk * CHUNK_ROWS * pairs;
                turn_rows(x, &cos[at..], &sin[at..], direction, (width, pairs), y);
            });
        y
    }
}

vectorised! {
    /// Turns each row, `shape.0` wide, by its `shape.1` angles times `direction`.
    fn turn_rows(
        x: &[f32],
        cos: &[f32],
        sin: &[f32],
        direction: f32,
        shape: (usize, usize),
        y: &mut [f32],
    ) {
        let (width, pairs) = shape;
        for (row, (x, y)) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)).enumerate() {
            let cos = &cos[row * pairs..(row + 1) * pairs];
            let sin = &sin[row * pairs..(row + 1) * pairs];
            for (y, x) in y.chunks_exact_mut(2 * pairs).zip(x.chunks_exact(2 * pairs)) {
                let (low, high) = x.split_at(pairs);
                let (y_low, y_high) = y.split_at_mut(pairs);
                for p in 0..pairs {
                    let s = sin[p] * direction;
                    y_low[p] = low[p] * cos[p] - high[p] * s;
                    y_high[p] = high[p] * cos[p] + low[p] * s;
                }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::{
        assert_finite_differences, assert_matches, assert_same_on_one_and_two_threads, random,
    };

    #[test]
    fn rope_is_its_composed_form() -> Result<()> {
        let positions: Vec<u32> = (0..150).map(|i| i % 40).collect();
        let angles = RopeAngles::text(&positions, 8, 10_000.0)?;
        let x = [random((150, 3, 8), 1)];
        assert_matches(&x, 1e-6, &|t| rope(&t[0], &angles), &|t| {
            rope_composed(&t[0], &angles)
        })?;
        assert_same_on_one_and_two_threads(&x, &|t| rope(&t[0], &angles))?;
        let angles = RopeAngles::grid(&[(0, 0), (2, 1)], 8, 100.0)?;
        assert_finite_differences(&[random((2, 2, 8), 2)], &|t| rope(&t[0], &angles))
    }

    #[test]
    fn scores_depend_on_the_distance_alone() -> Result<()> {
        let score = |q_at: u32, k_at: u32| -> Result<f32> {
            let turn = |seed, at| -> Result<Tensor> {
                rope(
                    &random((1, 1, 8), seed),
                    &RopeAngles::text(&[at], 8, 100.0)?,
                )
            };
            turn(1, q_at)?.mul(&turn(2, k_at)?)?.sum_all()?.to_scalar()
        };
        assert!((score(5, 3)? - score(12, 10)?).abs() < 1e-5); // f32 rounding of the rotation
        assert!((score(5, 3)? - score(5, 4)?).abs() > 1e-3);
        Ok(())
    }

    #[test]
    fn angles_for_other_rows_are_refused_with_both_numbers() -> Result<()> {
        let angles = RopeAngles::text(&[0, 1], 8, 100.0)?;
        let error = rope(&random((3, 1, 8), 1), &angles)
            .expect_err("rows differ")
            .to_string();
        assert!(
            error.contains("3 rows") && error.contains("2 rows"),
            "{error}"
        );
        assert!(RopeAngles::text(&[0], 7, 100.0).is_err());
        assert!(RopeAngles::grid(&[(0, 0)], 6, 100.0).is_err());
        Ok(())
    }
}
