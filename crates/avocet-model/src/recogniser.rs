//! A classifier that others trained and that stays as it is: what it sees in a picture.

use avocet_config::{ConceptsConfig, EfficientNetConfig};
use avocet_kernels::Precision;
use candle_core::{Device, Result, Tensor};

use crate::builder::Builder;
use crate::efficient_net::EfficientNet;
use crate::init;

/// Where the names of a recogniser's parameters begin. It is run before the network it belongs to,
/// so that no gradient reaches it: nothing of it is ever trained.
pub const RECOGNISER: &str = "recogniser";

/// A frozen classifier, with the statistics of its last features by which they are standardised.
///
/// F is the width of the features, R the number of windows they are pooled over, C the classes.
#[derive(Debug, Clone)]
pub struct Recogniser {
    tower: EfficientNet,
    /// Mean of each pooled feature over pictures (F), and how far it strays from it (F).
    mean: Tensor,
    deviation: Tensor,
    windows: usize,
}

impl Recogniser {
    /// Makes the recogniser in the field that `builder` is at.
    pub(crate) fn new(
        config: &EfficientNetConfig,
        concepts: &ConceptsConfig,
        builder: &Builder,
    ) -> Result<Self> {
        // It sees the same whatever the network around it multiplies in.
        let builder = builder.pp(RECOGNISER).in_precision(Precision::F32);
        Ok(Self {
            tower: EfficientNet::new(config, builder.pp("tower"))?,
            mean: init::statistic(&builder, config.head_dim, 0.0, "feature_mean")?,
            deviation: init::statistic(&builder, config.head_dim, 1.0, "feature_deviation")?,
            windows: concepts.windows,
        })
    }

    /// What it sees in pictures (N, S, S, 3) that are normalised: features (N, R, F) pooled over
    /// the windows, row by row, and over the whole, and the logits (N, C) of the classes.
    ///
    /// Errors if the pictures have another size.
    pub fn recognise(&self, pixels: &Tensor) -> Result<(Tensor, Tensor)> {
        let count = pixels.dim(0)?;
        let features = self.tower.features(pixels)?; // (N * side * side, F)
        let (rows, width) = features.dims2()?;
        let side = (rows / count.max(1)).isqrt();
        let pooling = pooling(side, self.windows);
        let shape = (pooling.len() / (side * side).max(1), side * side);
        let pooling = Tensor::from_vec(pooling, shape, features.device())?;
        let features = features.reshape((count, side * side, width))?;
        let pooled = pooling.broadcast_matmul(&features)?; // (N, R, F)
        let whole = pooled.narrow(1, shape.0 - 1, 1)?.squeeze(1)?.contiguous()?;
        let logits = self.tower.classify(&whole)?; // (N, C)
        Ok((pooled, logits))
    }

    /// Logits (n, C) of features (n, F) that are pooled over a whole picture.
    pub fn classify(&self, pooled: &Tensor) -> Result<Tensor> {
        self.tower.classify(pooled)
    }

    /// Features (n, F) in units of how far they stray: `(f - mean) / (deviation + 0.05)`. The
    /// addend keeps features that hardly ever stray from being noise.
    pub fn standardised(&self, features: &Tensor) -> Result<Tensor> {
        let centred = features.broadcast_sub(&self.mean)?;
        centred.broadcast_div(&(&self.deviation + 0.05)?)
    }

    /// Windows that features are pooled over, the whole counted (R).
    pub fn num_windows(&self) -> usize {
        self.windows * self.windows + 1
    }

    /// Where it computes.
    pub fn device(&self) -> Device {
        self.mean.device().clone()
    }

    /// Mean (F) and deviation (F) of its pooled features.
    pub fn statistics(&self) -> (&Tensor, &Tensor) {
        (&self.mean, &self.deviation)
    }
}

/// The means over `windows` x `windows` overlapping windows of a `side` x `side` grid, and over
/// all of it, as a matrix (R, side * side).
fn pooling(side: usize, windows: usize) -> Vec<f32> {
    let spans: Vec<(usize, usize)> = (0..windows)
        .map(|index| {
            // Each reaches over a quarter of a window into its neighbours.
            let reach = |edges: usize| edges as f32 * side as f32 / windows as f32;
            let (from, to) = (reach(index), reach(index + 1));
            let margin = side as f32 / windows as f32 / 4.0;
            let first = (from - margin).max(0.0).floor() as usize;
            let end = (to + margin).min(side as f32).ceil() as usize;
            (first.min(side), end.min(side))
        })
        .collect();
    let mut matrix = Vec::with_capacity((windows * windows + 1) * side * side);
    let mut window = |rows: (usize, usize), cols: (usize, usize)| {
        let count = ((rows.1 - rows.0) * (cols.1 - cols.0)).max(1);
        for row in 0..side {
            for col in 0..side {
                let inside = (rows.0..rows.1).contains(&row) && (cols.0..cols.1).contains(&col);
                matrix.push(if inside { 1.0 / count as f32 } else { 0.0 });
            }
        }
    };
    for &rows in &spans {
        for &cols in &spans {
            window(rows, cols);
        }
    }
    window((0, side), (0, side));
    matrix
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_overlap_reach_every_cell_and_average() {
        let (side, windows) = (7, 3);
        let matrix = pooling(side, windows);
        let rows: Vec<&[f32]> = matrix.chunks(side * side).collect();
        assert_eq!(rows.len(), 10);
        for row in &rows {
            assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        }
        let seen = |cell: usize| rows[..9].iter().filter(|row| row[cell] > 0.0).count();
        assert!((0..side * side).all(|cell| seen(cell) >= 1));
        assert!((0..side * side).any(|cell| seen(cell) >= 4));
        assert!(rows[9].iter().all(|share| *share == rows[9][0]));
    }
}
