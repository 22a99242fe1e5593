//! The recursions over the states of one sequence, in f64 and in log space.

use avocet_products::simd::softmax_in_place;

/// The fewest frames that can spell `target`: one a label, and a blank between equal neighbours.
pub fn ctc_frames(target: &[u32]) -> usize {
    target.len() + target.windows(2).filter(|pair| pair[0] == pair[1]).count()
}

/// The labels with a blank before, between and after them.
pub(super) fn states(target: &[u32], blank: u32) -> Vec<usize> {
    let mut states = vec![blank as usize];
    for label in target {
        states.extend([*label as usize, blank as usize]);
    }
    states
}

/// The rows of one sequence and what they are to spell.
pub(super) struct Sequence {
    /// The first row.
    pub(super) from: usize,
    pub(super) frames: usize,
    pub(super) states: Vec<usize>,
    /// Whether the frames are enough for the states.
    pub(super) feasible: bool,
    pub(super) weight: f32,
}

impl Sequence {
    /// The weighted loss and the gradient of the sequence's logits.
    ///
    /// The gradient at a frame is softmax minus the posterior probability of each label there.
    pub(super) fn loss_and_gradient(
        &self,
        logits: &[f32],
        vocab: usize,
    ) -> (f64, Option<Vec<f32>>) {
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
