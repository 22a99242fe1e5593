//! The rotation angles of packed rows.

use std::collections::HashMap;
use std::sync::Arc;

use candle_core::{Result, bail};

use super::RopeFrequencies;

/// Which two components of a head turn together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RopeLayout {
    /// Component i and the one half of the turning width after it, as in GPT-NeoX and in Llama's
    /// safetensors checkpoints.
    Halves,
    /// Components 2i and 2i + 1, as in RoFormer and in Llama's GGUF files.
    Interleaved,
}

/// Cosines and sines of every row's rotation angles, each (S, K/2).
#[derive(Debug, Clone)]
pub struct RopeAngles {
    pub(super) cos: Arc<[f32]>,
    pub(super) sin: Arc<[f32]>,
    pub(super) rows: usize,
    pub(super) pairs: usize,
    pub(super) layout: RopeLayout,
}

impl RopeAngles {
    /// Angles of text: pair i of position p turns by `p * theta^(-2i/K)`.
    ///
    /// Errors if `head_dim` is odd or zero.
    pub fn text(positions: &[u32], head_dim: usize, theta: f64) -> Result<Self> {
        if head_dim == 0 || !head_dim.is_multiple_of(2) {
            bail!("rope: head_dim {head_dim} is not a positive multiple of 2");
        }
        let mut turns = Turns::of(&powers(head_dim / 2, theta), in_double);
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
        let mut turns = Turns::of(&powers(head_dim / 4, theta), in_double);
        let rows = rows_cols.iter().map(|&(row, column)| [row, column]);
        Ok(turns.angles(rows))
    }

    /// Angles of text with frequencies of one's own: pair i of position p turns by
    /// `p * frequencies.inverse[i]`, and its cosine and sine are times `frequencies.magnitude`.
    ///
    /// Position, frequency and angle are rounded to f32, as the reference implementation of the
    /// public models (transformers) rounds them: far into a text this moves the angles by more
    /// than the models' logits tolerate.
    pub fn from_frequencies(
        positions: &[u32],
        frequencies: &RopeFrequencies,
        layout: RopeLayout,
    ) -> Self {
        let magnitude = frequencies.magnitude as f32;
        let mut turns = Turns::of(&frequencies.inverse, |position, inverse| {
            let angle = f64::from(position as f32 * inverse as f32);
            (
                angle.cos() as f32 * magnitude,
                angle.sin() as f32 * magnitude,
            )
        });
        let rows = positions.iter().map(|&position| [position]);
        Self {
            layout,
            ..turns.angles(rows)
        }
    }

    /// The angles of rows of several texts, one after another.
    ///
    /// Errors if they turn other pairs.
    pub fn concat(parts: &[Self]) -> Result<Self> {
        let [first, others @ ..] = parts else {
            bail!("rope: angles of no text");
        };
        let pairs = |angles: &Self| (angles.pairs, angles.layout);
        if others.iter().any(|other| pairs(other) != pairs(first)) {
            bail!("rope: angles of unlike pairs");
        }
        let joined = |of: fn(&Self) -> &[f32]| parts.iter().flat_map(of).copied().collect();
        Ok(Self {
            cos: joined(|angles| &angles.cos),
            sin: joined(|angles| &angles.sin),
            rows: parts.iter().map(|angles| angles.rows).sum(),
            ..*first
        })
    }

    /// Components of a head that turn: the whole width K, or less where the embedding is partial.
    pub fn head_dim(&self) -> usize {
        self.pairs * 2
    }
}

/// Cosines and sines of the angles of each position, computed once for each.
struct Turns<F> {
    frequencies: Vec<f64>,
    /// Cosine and sine of a position at a frequency.
    turn: F,
    known: HashMap<u32, Vec<(f32, f32)>>,
}

impl<F: Fn(u32, f64) -> (f32, f32)> Turns<F> {
    fn of(frequencies: &[f64], turn: F) -> Self {
        Self {
            frequencies: frequencies.to_vec(),
            turn,
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
                let frequencies = self.frequencies.iter();
                frequencies.map(|&f| (self.turn)(position, f)).collect()
            });
            cos.extend(turned.iter().map(|(cos, _)| cos));
            sin.extend(turned.iter().map(|(_, sin)| sin));
        }
        RopeAngles {
            cos: cos.into(),
            sin: sin.into(),
            rows: count,
            pairs,
            layout: RopeLayout::Halves,
        }
    }
}

/// Frequency i of `pairs` is `theta^(-i / pairs)`.
fn powers(pairs: usize, theta: f64) -> Vec<f64> {
    let frequency = |i| theta.powf(-(i as f64) / pairs as f64);
    (0..pairs).map(frequency).collect()
}

/// Cosine and sine of an angle that is rounded only at the end.
fn in_double(position: u32, frequency: f64) -> (f32, f32) {
    let angle = f64::from(position) * frequency;
    (angle.cos() as f32, angle.sin() as f32)
}
