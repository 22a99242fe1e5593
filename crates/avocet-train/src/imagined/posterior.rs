//! Opinions of a recogniser about pictures that do not exist.
//!
//! Pooled features of a picture are taken as drawn from a normal distribution with the recogniser's
//! own mean and deviation of each feature, in which features go together as they do in drawings. A
//! thing on the picture is a step along the direction in which such pictures differ most for its
//! class: covariance times the class's weights. What the real classifier says of the result is
//! the opinion.

use std::sync::Arc;

use avocet_infer::Onlooker;
use avocet_media::Recognition;
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use crate::error::{Result, TrainError};

/// Directions kept of the drawings, one a picture.
const MOST_DRAWINGS: usize = 256;
/// Classes that are taken for another's neighbours.
const NEIGHBOURS: usize = 8;
/// Steps that are tried at once, twice, for one that makes a class as likely as it is to be.
const TRIED: usize = 8;
/// The step from which on no class grows likelier.
const LONGEST_STEP: f32 = 40.0;
/// Drawings that a window's own ground is mixed of.
const MIXED: usize = 12;
/// Features end here (ReLU6).
const HIGHEST: f32 = 6.0;

pub(super) struct Posteriors {
    onlooker: Arc<Onlooker>,
    mean: Vec<f32>,
    deviation: Vec<f32>,
    /// Standardised features of drawings; their outer products add up to the correlation.
    drawings: Vec<Vec<f32>>,
    /// By class the direction that it lies in, scaled so that a step of 1 adds 1 to its logit.
    directions: Vec<Vec<f32>>,
    neighbours: Vec<Vec<usize>>,
    by_name: Vec<Vec<usize>>,
    by_kind: Vec<Vec<usize>>,
    windows: usize,
}

impl Posteriors {
    pub fn new(onlooker: Arc<Onlooker>, drawings: &[Arc<Recognition>]) -> Result<Self> {
        let (mean, deviation) = onlooker.recogniser().statistics();
        let (mean, deviation) = (
            mean.to_vec1::<f32>().map_err(failed)?,
            deviation.to_vec1::<f32>().map_err(failed)?,
        );
        let width = mean.len();
        let drawings = standardised(drawings, width);
        // What the classifier multiplies with is what it adds to each feature alone.
        let nothing = onlooker
            .classify(&vec![0.0; width])
            .map_err(failed)?
            .remove(0);
        let mut units = vec![0.0; width * width];
        for at in 0..width {
            units[at * width + at] = 1.0;
        }
        let columns = onlooker.classify(&units).map_err(failed)?; // (F, C)
        let num_classes = nothing.len();
        let mut weights = vec![vec![0.0; width]; num_classes];
        for (feature, column) in columns.iter().enumerate() {
            let own: Vec<f32> = column.iter().zip(&nothing).map(|(a, b)| a - b).collect();
            let middle = own.iter().sum::<f32>() / num_classes as f32;
            for (class, weight) in own.iter().enumerate() {
                weights[class][feature] = weight - middle;
            }
        }
        let directions: Vec<Vec<f32>> = weights
            .iter()
            .map(|weight| direction(weight, &deviation, &drawings))
            .collect();
        let table = onlooker.concepts().table();
        let (mut by_name, mut by_kind) = (
            vec![Vec::new(); table.names.len()],
            vec![Vec::new(); table.kinds.len()],
        );
        for (place, class) in table.classes.iter().enumerate() {
            by_name[class.name].push(place);
            for kind in &class.kinds {
                by_kind[*kind].push(place);
            }
        }
        by_kind.retain(|classes: &Vec<usize>| !classes.is_empty());
        Ok(Self {
            neighbours: neighbours(&weights),
            windows: onlooker.num_windows(),
            onlooker,
            mean,
            deviation,
            drawings,
            directions,
            by_name,
            by_kind,
        })
    }

    /// An opinion, and the class that the picture would have been drawn for; in some the features
    /// are left out.
    pub fn draw(&self, rng: &mut ChaCha8Rng) -> candle_core::Result<(Recognition, usize)> {
        let groups = match rng.random_range(0..4) {
            0 | 1 => &self.by_name,
            2 => &self.by_kind,
            _ => &[] as &[Vec<usize>],
        };
        let of_group = groups.choose(rng).and_then(|group| group.choose(rng));
        let class = of_group.copied();
        let class = class.unwrap_or_else(|| rng.random_range(0..self.directions.len()));
        let mut towards = self.directions[class].clone();
        if let (true, Some(&other)) = (rng.random_bool(0.5), self.neighbours[class].choose(rng)) {
            let share = rng.random_range(0.2..0.95);
            add(&mut towards, &self.directions[other], share);
        }
        let ground = self.ground(rng, self.drawings.len(), 0.8);
        let wanted: f32 = 1.0 - rng.random_range(0.0..0.92f32).powi(2);
        let (mut low, mut high) = (0.0, LONGEST_STEP);
        let (mut step, mut features, mut logits) = (0.0, Vec::new(), Vec::new());
        for _ in 0..2 {
            let width = (high - low) / TRIED as f32;
            let steps: Vec<f32> = (1..=TRIED).map(|at| low + width * at as f32).collect();
            let tried = steps
                .iter()
                .map(|step| self.pixelless(&ground, &towards, *step));
            let tried: Vec<Vec<f32>> = tried.collect();
            let mut seen = self.onlooker.classify(&tried.concat())?;
            // The first step that is long enough, or the longest.
            let reached = |logits: &Vec<f32>| {
                Recognition::of_logits(Vec::new(), logits).log_probs[class].exp() >= wanted
            };
            let at = seen.iter().position(reached).unwrap_or(TRIED - 1);
            (low, high) = (low + width * at as f32, steps[at]);
            step = steps[at];
            features.clone_from(&tried[at]);
            logits = seen.swap_remove(at);
        }
        let shown = match rng.random_bool(0.7) {
            true => self.windows_of(&ground, &towards, step, features, rng),
            false => Vec::new(),
        };
        Ok((Recognition::of_logits(shown, &logits), class))
    }

    /// Features of a picture of nothing in particular, in units of how far they stray.
    fn ground(&self, rng: &mut ChaCha8Rng, mixed: usize, scale: f32) -> Vec<f32> {
        let width = self.mean.len();
        if self.drawings.is_empty() {
            return (0..width).map(|_| scale * normal(rng)).collect();
        }
        let mut ground = vec![0.0; width];
        let mixed = mixed.clamp(1, self.drawings.len());
        let scale = scale / (mixed as f32).sqrt();
        for at in 0..mixed {
            let drawing = match mixed == self.drawings.len() {
                true => &self.drawings[at],
                false => &self.drawings[rng.random_range(0..self.drawings.len())],
            };
            add(&mut ground, drawing, scale * normal(rng));
        }
        ground
    }

    /// Features of `ground` with a step of something on it.
    fn pixelless(&self, ground: &[f32], towards: &[f32], step: f32) -> Vec<f32> {
        let own = self.mean.iter().zip(&self.deviation);
        own.zip(ground.iter().zip(towards))
            .map(|((mean, deviation), (ground, towards))| {
                (mean + deviation * ground + step * towards).clamp(0.0, HIGHEST)
            })
            .collect()
    }

    /// Features of each window, where the thing is in some of them more than in others, and of
    /// the whole.
    fn windows_of(
        &self,
        ground: &[f32],
        towards: &[f32],
        step: f32,
        whole: Vec<f32>,
        rng: &mut ChaCha8Rng,
    ) -> Vec<f32> {
        let side = (self.windows - 1).isqrt().max(1);
        let middle = (rng.random_range(0.0..1.0f32), rng.random_range(0.0..1.0f32));
        let reach = rng.random_range(0.3..1.2f32);
        let weight = |at: usize| {
            let place = |n: usize| (n as f32 + 0.5) / side as f32;
            let (y, x) = (place(at / side) - middle.0, place(at % side) - middle.1);
            (-(y * y + x * x) / (reach * reach)).exp()
        };
        let weights: Vec<f32> = (0..side * side).map(weight).collect();
        let mean = weights.iter().sum::<f32>() / weights.len() as f32;
        let mut shown = Vec::with_capacity(self.windows * whole.len());
        for weight in weights {
            let mut here = self.ground(rng, MIXED, 0.6);
            add(&mut here, ground, 1.0);
            shown.extend(self.pixelless(&here, towards, step * weight / mean.max(1e-3)));
        }
        shown.extend(whole);
        shown
    }
}

/// The features of the whole of each drawing, in units of how far the drawings' stray.
fn standardised(drawings: &[Arc<Recognition>], width: usize) -> Vec<Vec<f32>> {
    let whole = |seen: &Arc<Recognition>| {
        let from = seen.features.len().checked_sub(width)?;
        Some(seen.features[from..].to_vec())
    };
    let mut rows: Vec<Vec<f32>> = drawings.iter().filter_map(whole).collect();
    rows.truncate(MOST_DRAWINGS);
    let count = rows.len().max(1) as f32;
    for at in 0..width {
        let mean = rows.iter().map(|row| row[at]).sum::<f32>() / count;
        let square = rows.iter().map(|row| (row[at] - mean).powi(2)).sum::<f32>() / count;
        let deviation = square.sqrt() + 0.02;
        for row in &mut rows {
            row[at] = (row[at] - mean) / deviation;
        }
    }
    rows
}

/// Covariance times the weights of a class, so long that the logit rises by 1.
fn direction(weight: &[f32], deviation: &[f32], drawings: &[Vec<f32>]) -> Vec<f32> {
    let scaled: Vec<f32> = weight.iter().zip(deviation).map(|(w, d)| w * d).collect();
    // A part of each feature's spread is its own.
    let mut towards: Vec<f32> = scaled.iter().map(|value| 0.5 * value).collect();
    for drawing in drawings {
        let along = dot(drawing, &scaled) / drawings.len() as f32;
        add(&mut towards, drawing, 0.5 * along);
    }
    towards.iter_mut().zip(deviation).for_each(|(t, d)| *t *= d);
    let rise = dot(&towards, weight).max(1e-6);
    towards.iter_mut().for_each(|value| *value /= rise);
    towards
}

/// By class those whose weights are most alike.
fn neighbours(weights: &[Vec<f32>]) -> Vec<Vec<usize>> {
    use rayon::prelude::*;
    let lengths: Vec<f32> = weights.iter().map(|w| dot(w, w).sqrt().max(1e-6)).collect();
    let nearest = |class: usize| {
        let mut others: Vec<(f32, usize)> = (0..weights.len())
            .filter(|other| *other != class)
            .map(|other| {
                (
                    dot(&weights[class], &weights[other]) / lengths[other],
                    other,
                )
            })
            .collect();
        others.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        others.truncate(NEIGHBOURS);
        others.into_iter().map(|(_, other)| other).collect()
    };
    (0..weights.len()).into_par_iter().map(nearest).collect()
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(to: &mut [f32], what: &[f32], times: f32) {
    to.iter_mut()
        .zip(what)
        .for_each(|(to, what)| *to += times * what);
}

/// About normal: the sum of four even draws.
fn normal(rng: &mut ChaCha8Rng) -> f32 {
    let sum: f32 = (0..4).map(|_| rng.random::<f32>()).sum();
    (sum - 2.0) * 3f32.sqrt()
}

/// What went wrong in the recogniser.
fn failed(error: candle_core::Error) -> TrainError {
    TrainError::Model(format!("recogniser: {error}"))
}
