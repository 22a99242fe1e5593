//! What a step measures: sums over its micro-batches and over ranks, and what they say in the end.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::gradients::Gradients;

/// Sums of a figure and of its weights, by name.
pub(crate) type WeightedSums = BTreeMap<String, (f64, f64)>;

/// What micro-batches computed of a step: all of it adds up.
#[derive(Debug, Default)]
pub struct StepWork {
    /// Gradients of the parameters that took part.
    pub gradients: Gradients,
    /// What was measured.
    pub figures: Figures,
}

/// What micro-batches measured of a step: all of it adds up.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// What was minimised.
    pub(crate) loss: f64,
    /// Its parts, before weighting.
    pub(crate) parts: BTreeMap<String, f64>,
    /// Losses of answer tokens by kind of sample, and their weights.
    pub(crate) kinds: WeightedSums,
    /// Figures on the auxiliary heads.
    pub(crate) accuracy: WeightedSums,
    /// Choices that fell on each expert, by router.
    pub(crate) loads: Vec<Vec<u64>>,
    /// Operations of the model.
    pub(crate) flops: f64,
    /// Seconds of forward passes.
    pub(crate) forward_s: f64,
    /// Seconds of backward passes.
    pub(crate) backward_s: f64,
}

/// What a step did.
#[derive(Debug, Clone, Default)]
pub struct StepReport {
    /// What was minimised.
    pub loss: f64,
    /// Its parts, before weighting.
    pub parts: BTreeMap<String, f64>,
    /// Mean loss of answer tokens by kind of sample, when measured.
    pub kinds: BTreeMap<String, f64>,
    /// Figures on the auxiliary heads, when measured.
    pub accuracy: BTreeMap<String, f64>,
    /// Norm of the gradient before clipping.
    pub gradient_norm: f64,
    /// False when the gradient was not finite and nothing changed.
    pub applied: bool,
    /// Choices that fell on each expert, by router.
    pub loads: Vec<Vec<u64>>,
    /// Operations of the model.
    pub flops: f64,
    /// Seconds of the forward passes of all micro-batches, which may run side by side.
    pub forward_s: f64,
    /// Seconds of their backward passes.
    pub backward_s: f64,
    /// Seconds of the optimizer.
    pub optimizer_s: f64,
}

impl StepWork {
    /// Adds what comes after in the order of micro-batches or ranks.
    pub fn add(&mut self, later: Self) -> Result<()> {
        self.figures.add(later.figures);
        self.gradients.add(later.gradients)
    }
}

impl Figures {
    /// Adds what comes after in the order of micro-batches or ranks.
    pub fn add(&mut self, later: Self) {
        self.loss += later.loss;
        for (name, loss) in later.parts {
            *self.parts.entry(name).or_default() += loss;
        }
        add_sums(&mut self.kinds, later.kinds);
        add_sums(&mut self.accuracy, later.accuracy);
        self.add_loads(&later.loads);
        self.flops += later.flops;
        self.forward_s += later.forward_s;
        self.backward_s += later.backward_s;
    }

    /// Adds choices that fell on each expert, by router.
    pub(crate) fn add_loads<T: Copy + Into<u64>>(&mut self, loads: &[Vec<T>]) {
        if self.loads.is_empty() {
            self.loads = loads.iter().map(|load| vec![0; load.len()]).collect();
        }
        for (sum, load) in self.loads.iter_mut().zip(loads) {
            sum.iter_mut().zip(load).for_each(|(s, &l)| *s += l.into());
        }
    }

    /// What they say of a whole step.
    pub(crate) fn report(self) -> StepReport {
        StepReport {
            loss: self.loss,
            parts: self.parts,
            kinds: means(self.kinds),
            accuracy: means(self.accuracy),
            loads: self.loads,
            flops: self.flops,
            forward_s: self.forward_s,
            backward_s: self.backward_s,
            ..StepReport::default()
        }
    }
}

/// Adds `parts` to `sums`.
pub(crate) fn add_sums(sums: &mut WeightedSums, parts: WeightedSums) {
    for (name, (sum, weight)) in parts {
        let (total, weights) = sums.entry(name).or_default();
        *total += sum;
        *weights += weight;
    }
}

/// The weighted mean of each figure.
pub(crate) fn means(sums: WeightedSums) -> BTreeMap<String, f64> {
    sums.into_iter()
        .map(|(name, (sum, weight))| (name, sum / weight.max(1e-9)))
        .collect()
}
