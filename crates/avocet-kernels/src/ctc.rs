//! Connectionist temporal classification over packed rows.
//!
//! Graves et al. 2006, "Connectionist Temporal Classification". The recursions run in f64 and in
//! log space; the forward keeps the gradient, because it needs the same tables.

use std::sync::OnceLock;

use avocet_products::simd::softmax_in_place;
use candle_core::{CpuStorage, CustomOp1, DType, Device, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use crate::slices::{f32_slice, with_f32};

/// The sum over sequences of `weights[n] * -log P(targets[n] | logits of sequence n)`, a scalar.
///
/// `logits` is (S, V), packed: sequence n holds rows `offsets[n]..offsets[n + 1]`. A sequence too
/// short for its target (see [`ctc_frames`]) adds 0 and gets no gradient, and so does one of
/// weight 0.
///
/// Errors if the counts disagree, the offsets do not cover the rows in order, or a label is the
/// blank or not below V.
pub fn ctc_loss(
    logits: &Tensor,
    offsets: &[usize],
    targets: &[Vec<u32>],
    weights: &[f32],
    blank: u32,
) -> Result<Tensor> {
    let (rows, vocab) = logits.dims2()?;
    let sequences = offsets.len().saturating_sub(1);
    if targets.len() != sequences || weights.len() != sequences {
        bail!(
            "ctc_loss: {sequences} sequences but {} targets and {} weights",
            targets.len(),
            weights.len()
        );
    }
    if offsets.first() != Some(&0)
        || offsets.last() != Some(&rows)
        || offsets.windows(2).any(|span| span[0] > span[1])
    {
        bail!("ctc_loss: offsets {offsets:?} do not cover {rows} rows in order");
    }
    if blank as usize >= vocab {
        bail!("ctc_loss: blank {blank}, but the logits have {vocab} labels");
    }
    for (n, target) in targets.iter().enumerate() {
        if let Some(label) = target
            .iter()
            .find(|l| **l as usize >= vocab || **l == blank)
        {
            bail!("ctc_loss: label {label} in target {n}; {vocab} labels, blank {blank}");
        }
    }
    let sequences = targets
        .iter()
        .zip(weights)
        .zip(offsets.windows(2))
        .map(|((target, weight), span)| Sequence {
            from: span[0],
            frames: span[1] - span[0],
            states: states(target, blank),
            feasible: ctc_frames(target) <= span[1] - span[0],
            weight: *weight,
        })
        .collect();
    let op = Ctc {
        sequences,
        wants_gradient: logits.track_op(),
        gradient: OnceLock::new(),
    };
    // A loss of a few hundred labels: on another device, too, the CPU computes it.
    let on_cpu = logits
        .to_device(&Device::Cpu)?
        .to_dtype(DType::F32)?
        .contiguous()?;
    on_cpu.apply_op1(op)?.to_device(logits.device())
}

/// The fewest frames that can spell `target`: one a label, and a blank between equal neighbours.
pub fn ctc_frames(target: &[u32]) -> usize {
    target.len() + target.windows(2).filter(|pair| pair[0] == pair[1]).count()
}

/// The labels with a blank before, between and after them.
fn states(target: &[u32], blank: u32) -> Vec<usize> {
    let mut states = vec![blank as usize];
    for label in target {
        states.extend([*label as usize, blank as usize]);
    }
    states
}

struct Sequence {
    from: usize,
    frames: usize,
    states: Vec<usize>,
    feasible: bool,
    weight: f32,
}

impl Sequence {
    /// The weighted loss and the gradient of the sequence's logits.
    ///
    /// The gradient at a frame is softmax minus the posterior probability of each label there.
    fn loss_and_gradient(&self, logits: &[f32], vocab: usize) -> (f64, Option<Vec<f32>>) {
        let (frames, n) = (self.frames, self.states.len());
        if !self.feasible || self.weight == 0.0 || frames == 0 {
            return (0.0, None);
        }
        // The softmax is the first part of the gradient; its normalisers give the log probabilities.
        let mut gradient = logits.to_vec();
        let normalisers: Vec<f64> = gradient
            .chunks_exact_mut(vocab)
            .map(|row| f64::from(softmax_in_place(row)))
            .collect();
        let log_p =
            |t: usize, s: usize| f64::from(logits[t * vocab + self.states[s]]) - normalisers[t];
        // Whether state s may follow state s - 2: a label after another, different label.
        let skips = |s: usize| s >= 2 && s % 2 == 1 && self.states[s] != self.states[s - 2];
        let mut alpha = vec![f64::NEG_INFINITY; frames * n];
        for (s, first) in alpha.iter_mut().enumerate().take(n.min(2)) {
            *first = log_p(0, s);
        }
        for t in 1..frames {
            for s in 0..n {
                let before = &alpha[(t - 1) * n..t * n];
                let mut reached = before[s];
                if s >= 1 {
                    reached = log_add(reached, before[s - 1]);
                }
                if skips(s) {
                    reached = log_add(reached, before[s - 2]);
                }
                alpha[t * n + s] = reached + log_p(t, s);
            }
        }
        let last = &alpha[(frames - 1) * n..];
        let total = if n > 1 {
            log_add(last[n - 1], last[n - 2])
        } else {
            last[0]
        };
        // Beta leaves out the frame's own probability, so that alpha + beta counts it once.
        let mut beta = vec![f64::NEG_INFINITY; n];
        for b in &mut beta[n.saturating_sub(2)..] {
            *b = 0.0;
        }
        if !total.is_finite() {
            return (-total * f64::from(self.weight), None);
        }
        for t in (0..frames).rev() {
            let row = &mut gradient[t * vocab..][..vocab];
            for s in 0..n {
                row[self.states[s]] -= (alpha[t * n + s] + beta[s] - total).exp() as f32;
            }
            for g in row {
                *g *= self.weight;
            }
            if t > 0 {
                let after: Vec<f64> = (0..n).map(|s| beta[s] + log_p(t, s)).collect();
                for s in 0..n {
                    let mut left = after[s];
                    if s + 1 < n {
                        left = log_add(left, after[s + 1]);
                    }
                    if s + 2 < n && skips(s + 2) {
                        left = log_add(left, after[s + 2]);
                    }
                    beta[s] = left;
                }
            }
        }
        (-total * f64::from(self.weight), Some(gradient))
    }
}

fn log_add(a: f64, b: f64) -> f64 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    if low == f64::NEG_INFINITY {
        return high;
    }
    high + (low - high).exp().ln_1p()
}

struct Ctc {
    sequences: Vec<Sequence>,
    wants_gradient: bool,
    /// The gradient for a gradient of 1 in the loss, saved by the forward.
    gradient: OnceLock<Tensor>,
}

impl CustomOp1 for Ctc {
    fn name(&self) -> &'static str {
        "ctc_loss"
    }

    fn cpu_fwd(&self, logits: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (_, vocab) = layout.shape().dims2()?;
        let logits = f32_slice(logits, layout, "ctc_loss")?;
        let results: Vec<(f64, Option<Vec<f32>>)> = self
            .sequences
            .par_iter()
            .map(|sequence| {
                let rows = &logits[sequence.from * vocab..][..sequence.frames * vocab];
                sequence.loss_and_gradient(rows, vocab)
            })
            .collect();
        let loss: f64 = results.iter().map(|(loss, _)| loss).sum();
        if self.wants_gradient {
            let mut all = vec![0.0; logits.len()];
            for (sequence, (_, gradient)) in self.sequences.iter().zip(&results) {
                if let Some(gradient) = gradient {
                    all[sequence.from * vocab..][..gradient.len()].copy_from_slice(gradient);
                }
            }
            // A second run of the same op would compute the same gradient.
            let _ = self
                .gradient
                .set(Tensor::from_vec(all, layout.shape(), &Device::Cpu)?);
        }
        Ok((CpuStorage::F32(vec![loss as f32]), Shape::from(())))
    }

    fn bwd(&self, _logits: &Tensor, _loss: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let scale = with_f32(grad, "ctc_loss", |g| Ok(f64::from(g[0])))?;
        match self.gradient.get() {
            Some(gradient) => gradient.affine(scale, 0.0).map(Some),
            None => bail!("ctc_loss: backward before forward"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::{
        assert_close, assert_finite_differences, assert_same_on_one_and_two_threads, random, run,
    };

    fn logsumexp(row: &[f32]) -> f64 {
        row.iter().map(|v| f64::from(*v).exp()).sum::<f64>().ln()
    }

    /// -log of the summed probability of every path that collapses to `target`.
    fn by_enumeration(logits: &[Vec<f32>], target: &[u32], blank: u32) -> f64 {
        let vocab = logits[0].len();
        let mut total = 0.0;
        for code in 0..vocab.pow(logits.len() as u32) {
            let path: Vec<u32> = (0..logits.len() as u32)
                .map(|t| (code / vocab.pow(t) % vocab) as u32)
                .collect();
            let mut spelled = path.clone();
            spelled.dedup();
            spelled.retain(|label| *label != blank);
            if spelled == target {
                let log_p = path
                    .iter()
                    .zip(logits)
                    .map(|(label, row)| f64::from(row[*label as usize]) - logsumexp(row));
                total += log_p.sum::<f64>().exp();
            }
        }
        -total.ln()
    }

    #[test]
    fn the_loss_counts_every_path() -> Result<()> {
        for (frames, target) in [
            (4, vec![1, 2]),
            (5, vec![1, 1]),
            (3, vec![]),
            (4, vec![2, 1, 2]),
        ] {
            let logits = random((frames, 3), frames as u64);
            let expected = by_enumeration(&logits.to_vec2()?, &target, 0) as f32;
            let loss = ctc_loss(&logits, &[0, frames], &[target], &[1.0], 0)?;
            assert_close(&[loss.to_scalar()?], &[expected], 1e-6, "loss");
        }
        Ok(())
    }

    #[test]
    fn the_gradient_is_exact() -> Result<()> {
        let targets = [vec![1, 1], vec![], vec![0, 2, 1]];
        let f = |t: &[Tensor]| ctc_loss(&t[0], &[0, 4, 6, 11], &targets, &[0.5, 1.0, 2.0], 3);
        assert_finite_differences(&[random((11, 4), 7)], &f)?;
        assert_same_on_one_and_two_threads(&[random((11, 4), 7)], &f)
    }

    #[test]
    fn a_target_too_long_adds_nothing() -> Result<()> {
        assert_eq!(ctc_frames(&[1, 1, 2]), 4);
        let logits = [random((5, 4), 1)];
        let out = run(&logits, &|t| {
            ctc_loss(&t[0], &[0, 3, 5], &[vec![1, 1, 2], vec![1]], &[1.0, 1.0], 0)
        })?;
        let alone = ctc_loss(&logits[0].narrow(0, 3, 2)?, &[0, 2], &[vec![1]], &[1.0], 0)?;
        assert_close(&out[0], &[alone.to_scalar()?], 1e-6, "loss");
        assert!(out[1][..12].iter().all(|g| *g == 0.0));
        assert!(out[1][12..].iter().any(|g| *g != 0.0));
        Ok(())
    }

    #[test]
    fn bad_counts_and_labels_are_refused() {
        let logits = random((5, 4), 1);
        assert!(ctc_loss(&logits, &[0, 4], &[vec![1]], &[1.0], 0).is_err());
        assert!(ctc_loss(&logits, &[0, 5], &[vec![4]], &[1.0], 0).is_err());
        assert!(ctc_loss(&logits, &[0, 5], &[vec![0]], &[1.0], 0).is_err());
        assert!(ctc_loss(&logits, &[0, 5], &[], &[1.0], 0).is_err());
        assert!(ctc_loss(&logits, &[], &[], &[], 0).is_err());
    }
}
