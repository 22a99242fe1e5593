//! The first third of a step: losses and gradients of micro-batches.

use std::time::Instant;

use avocet_data::Batch;
use candle_core::Tensor;
use rayon::prelude::*;

use super::Learner;
use crate::error::Result;
use crate::figures::{Figures, StepWork};
use crate::gradients::Gradients;
use crate::objective::{LossNormalizer, Losses, step_flops};

impl Learner {
    /// Gradients and figures of the micro-batches, added up.
    ///
    /// As many as there are threads run side by side; their gradients are added in order, so that
    /// the result does not depend on the threads.
    pub(super) fn forward_backward(
        &mut self,
        batches: &[Batch],
        normalizer: LossNormalizer,
        measure: bool,
    ) -> Result<StepWork> {
        self.renew()?;
        let learner = &*self;
        let mut work = StepWork::default();
        for group in batches.chunks(rayon::current_num_threads()) {
            let parts: Vec<Result<StepWork>> = group
                .par_iter()
                .map(|batch| learner.micro_batch(batch, normalizer, measure))
                .collect();
            for part in parts {
                work.add(part?)?;
            }
        }
        Ok(work)
    }

    fn micro_batch(
        &self,
        batch: &Batch,
        normalizer: LossNormalizer,
        measure: bool,
    ) -> Result<StepWork> {
        if self.recompute {
            return self.recomputed(batch, normalizer, measure);
        }
        let started = Instant::now();
        let losses = self
            .objective
            .losses(&self.model, batch, normalizer, &self.names)?;
        let mut work = StepWork::default();
        work.figures.forward_s = started.elapsed().as_secs_f64();
        self.count(batch, &losses, measure, &mut work.figures)?;
        if let Some(total) = &losses.total {
            work.figures.loss = scalar(total)?;
            let started = Instant::now();
            work.gradients = Gradients::of(&self.trained, &mut total.backward()?)?;
            work.figures.backward_s = started.elapsed().as_secs_f64();
        }
        Ok(work)
    }

    /// Counts what the losses of a micro-batch say besides their total.
    pub(super) fn count(
        &self,
        batch: &Batch,
        losses: &Losses,
        measure: bool,
        figures: &mut Figures,
    ) -> Result<()> {
        figures.flops = step_flops(
            self.model.config(),
            self.objective.kind,
            batch,
            self.vision_trains,
            self.objective.contrast.is_some(),
        );
        for (name, loss) in &losses.parts {
            figures.parts.insert((*name).to_string(), scalar(loss)?);
        }
        figures.add_loads(&losses.loads);
        if measure {
            losses.add_kinds(&self.model, batch, &mut figures.kinds)?;
            losses.add_accuracy(&mut figures.accuracy)?;
        }
        Ok(())
    }
}

pub(super) fn scalar(tensor: &Tensor) -> Result<f64> {
    Ok(f64::from(tensor.to_scalar::<f32>()?))
}
