//! A micro-batch's gradients with little memory: only what enters each block of the decoder is
//! kept, and the block is computed again on the way back.
//!
//! "Training deep nets with sublinear memory cost", arXiv:1604.06174, section 4, with one segment
//! a block. Gradients are those of the plain way up to the order of sums.

use std::time::Instant;

use avocet_data::Batch;
use avocet_model::{BlockwiseForward, CrossAttentionCache};
use candle_core::backprop::GradStore;
use candle_core::{Tensor, Var};

use super::Learner;
use super::forward_backward::scalar;
use crate::error::Result;
use crate::figures::StepWork;
use crate::gradients::Gradients;
use crate::objective::{LossNormalizer, Objective};

impl Learner {
    /// What one micro-batch adds to a step.
    pub(super) fn recomputed(
        &self,
        batch: &Batch,
        normalizer: LossNormalizer,
        measure: bool,
    ) -> Result<StepWork> {
        let started = Instant::now();
        let objective = &self.objective;
        let mut losses = Objective::none();
        let latents = objective.see(&self.model, batch, normalizer, &self.names, &mut losses)?;
        let keys = self.model.cross_keys(latents.as_ref())?;
        // What the blocks read of the images: leaves, whose gradients add up over the blocks.
        let mut leaves = Vec::new();
        let read = keys.map(|tensor| {
            let leaf = Var::from_tensor(&tensor.detach())?;
            leaves.push(leaf.clone());
            Ok(leaf.as_tensor().clone())
        })?;
        let text = objective.text(batch);
        let way = BlockwiseForward::new(&self.model, &text, &read)?;
        let embedded = way.embed()?;
        let mut entered = vec![embedded.detach()];
        let mut routers = Vec::new();
        for index in 0..way.num_blocks() {
            let (x, stats) = way.block(index, entered[index].clone(), &read)?;
            if let Some(mut stats) = stats {
                (stats.balance, stats.z) = (stats.balance.detach(), stats.z.detach());
                routers.push(stats);
            }
            entered.push(x.detach());
        }
        let num_routers = routers.len();
        // The losses of the routers are constants here; their gradients come block by block.
        let last = Var::from_tensor(&entered.pop().unwrap_or_else(|| embedded.detach()))?;
        let hidden = way.finish(last.as_tensor().clone(), &read)?;
        let seen = losses.total.take();
        let decoded = avocet_model::Decoded { hidden, routers };
        objective.decode(&self.model, batch, normalizer, decoded, &mut losses)?;
        let forward_s = started.elapsed().as_secs_f64();

        let started = Instant::now();
        let mut work = StepWork::default();
        let mut of_keys: Vec<Option<Tensor>> = vec![None; leaves.len()];
        let mut loss = 0.0;
        if let Some(total) = &losses.total {
            loss += scalar(total)?;
            let mut store = total.backward()?;
            let mut flowing = store.remove(&last);
            work.take(self, &mut store, &leaves, &mut of_keys)?;
            let weight = 1.0 / (normalizer.micro_batches * num_routers.max(1)) as f64;
            for index in (0..way.num_blocks()).rev() {
                let Some(gradient) = flowing.take() else {
                    break;
                };
                let entering = Var::from_tensor(&entered[index])?;
                let (x, stats) = way.block(index, entering.as_tensor().clone(), &read)?;
                let mut sum = (x * gradient.detach())?.sum_all()?;
                if let Some(stats) = stats {
                    let (balance, z) = (objective.weights.balance, objective.weights.z);
                    sum = (sum + stats.balance.sum_all()?.affine(balance * weight, 0.0)?)?;
                    sum = (sum + stats.z.sum_all()?.affine(z * weight, 0.0)?)?;
                }
                let mut store = sum.backward()?;
                flowing = store.remove(&entering);
                work.take(self, &mut store, &leaves, &mut of_keys)?;
                entered.truncate(index);
            }
            if let Some(gradient) = flowing {
                let mut store = (&embedded * gradient.detach())?.sum_all()?.backward()?;
                work.take(self, &mut store, &leaves, &mut of_keys)?;
            }
        }
        self.back_through_images(&keys, of_keys, seen, &mut work, &mut loss)?;
        work.figures.loss = loss;
        work.figures.forward_s = forward_s;
        work.figures.backward_s = started.elapsed().as_secs_f64();
        self.count(batch, &losses, measure, &mut work.figures)?;
        Ok(work)
    }

    /// Hands the gradients of the images' keys on to what made them, with the losses `seen` on the
    /// way.
    fn back_through_images(
        &self,
        keys: &CrossAttentionCache,
        of_keys: Vec<Option<Tensor>>,
        seen: Option<Tensor>,
        work: &mut StepWork,
        loss: &mut f64,
    ) -> Result<()> {
        if let Some(seen) = &seen {
            *loss += scalar(seen)?;
        }
        let mut sum = seen;
        for (made, gradient) in keys.tensors().zip(of_keys) {
            if let (Some(gradient), true) = (gradient, made.track_op()) {
                let flowing = (made * gradient.detach())?.sum_all()?;
                sum = Some(match sum {
                    Some(sum) => (sum + flowing)?,
                    None => flowing,
                });
            }
        }
        if let Some(sum) = sum {
            let mut store = sum.backward()?;
            work.take(self, &mut store, &[], &mut [])?;
        }
        Ok(())
    }
}

impl StepWork {
    /// Takes what a backward pass left for parameters, and for the leaves of the images.
    fn take(
        &mut self,
        learner: &Learner,
        store: &mut GradStore,
        leaves: &[Var],
        of_keys: &mut [Option<Tensor>],
    ) -> Result<()> {
        self.gradients
            .add(Gradients::of(&learner.trained, store)?)?;
        for (leaf, sum) in leaves.iter().zip(of_keys) {
            if let Some(gradient) = store.remove(leaf) {
                *sum = Some(match sum.take() {
                    Some(sum) => (sum + gradient)?,
                    None => gradient,
                });
            }
        }
        Ok(())
    }
}
