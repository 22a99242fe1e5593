//! AdamW with its state: which parameters it moves, how fast, and their moments.
//!
//! Decoupled weight decay, arXiv:1711.05101. The moments belong to us, so that they can be saved
//! and a resumed run continues bit for bit.

use std::collections::{BTreeMap, HashMap};

use avocet_kernels::{AdamWStep, adamw};
use candle_core::{DType, Tensor, Var};
use serde::{Deserialize, Serialize};

use crate::error::{Result, TrainError};
use crate::gradients::Gradients;
use crate::params::Param;

/// The constants of AdamW.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AdamWConfig {
    /// How much of the first moment stays each step.
    pub beta1: f64,
    /// How much of the second moment stays each step.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Share of a matrix taken off each step, times the learning rate.
    pub weight_decay: f64,
}

impl Default for AdamWConfig {
    fn default() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.98,
            eps: 1e-8,
            weight_decay: 0.05,
        }
    }
}

/// A parameter under training with its moments.
#[derive(Debug)]
struct Slot {
    name: String,
    var: Var,
    /// The mean gradient and the mean square, (2, ..).
    moments: Tensor,
    decays: bool,
    rate_factor: f64,
}

/// What the moments are called in a checkpoint, in their order.
const MOMENTS: [&str; 2] = ["first", "second"];

/// AdamW with its state.
#[derive(Debug)]
pub struct AdamW {
    config: AdamWConfig,
    slots: Vec<Slot>,
    steps: u64,
}

impl AdamW {
    /// An optimizer at step 0 for the parameters that train. `rate_factor` scales the learning
    /// rate by name.
    pub fn new(
        config: AdamWConfig,
        params: &[Param],
        rate_factor: impl Fn(&str) -> f64,
    ) -> Result<Self> {
        let slot = |param: &Param| {
            let shape = [&[2], param.var.dims()].concat();
            Ok(Slot {
                name: param.name.clone(),
                var: param.var.clone(),
                moments: Tensor::zeros(shape, DType::F32, param.var.device())?,
                decays: param.decays(),
                rate_factor: rate_factor(&param.name),
            })
        };
        let trained = params.iter().filter(|param| param.trains);
        Ok(Self {
            config,
            slots: trained.map(slot).collect::<Result<_>>()?,
            steps: 0,
        })
    }

    /// Steps taken so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Applies one step at `rate` with `gradients` times `scale`.
    pub fn step(&mut self, gradients: &Gradients, rate: f64, scale: f64) -> Result<()> {
        self.steps += 1;
        let steps = i32::try_from(self.steps).unwrap_or(i32::MAX);
        let (beta1, beta2) = (self.config.beta1, self.config.beta2);
        let correction1 = 1.0 - beta1.powi(steps);
        let correction2 = (1.0 - beta2.powi(steps)).sqrt();
        for slot in &self.slots {
            let Some(gradient) = gradients.get(&slot.name) else {
                continue;
            };
            let rate = rate * slot.rate_factor;
            let decay = if slot.decays {
                self.config.weight_decay
            } else {
                0.0
            };
            let step = AdamWStep {
                kept: (1.0 - rate * decay) as f32,
                scale: scale as f32,
                beta1: beta1 as f32,
                beta2: beta2 as f32,
                step_size: (rate / correction1) as f32,
                correction2: correction2 as f32,
                eps: self.config.eps as f32,
            };
            adamw(&slot.var, gradient, &slot.moments, &step)?;
        }
        Ok(())
    }

    /// The moments by name, for saving.
    pub fn state(&self) -> Result<BTreeMap<String, Tensor>> {
        let mut state = BTreeMap::new();
        for slot in &self.slots {
            for (index, kind) in MOMENTS.into_iter().enumerate() {
                let moment = slot.moments.get(index)?.force_contiguous()?;
                state.insert(format!("{kind}.{}", slot.name), moment);
            }
        }
        Ok(state)
    }

    /// Takes saved moments back.
    ///
    /// Errors if a moment is missing or has another shape.
    pub(crate) fn restore(&mut self, steps: u64, state: &HashMap<String, Tensor>) -> Result<()> {
        for slot in &mut self.slots {
            let saved = MOMENTS.map(|kind| -> Result<&Tensor> {
                let name = format!("{kind}.{}", slot.name);
                let saved = state.get(&name).ok_or_else(|| {
                    TrainError::config(&name, "missing from the saved optimizer state")
                })?;
                if saved.dims() != slot.var.dims() {
                    return Err(TrainError::Shape {
                        name,
                        found: saved.dims().to_vec(),
                        needed: slot.var.dims().to_vec(),
                    });
                }
                Ok(saved)
            });
            let [first, second] = saved;
            slot.moments = Tensor::stack(&[first?, second?], 0)?;
        }
        self.steps = steps;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::{Params, Selection};
    use avocet_kernels::{HOST, Placement};
    use avocet_model::{Init, Role};

    fn params(values: &[(&str, Role, Tensor)]) -> Result<Vec<Param>> {
        let loaded = values.iter().map(|(n, _, t)| (n.to_string(), t.clone()));
        let params = Params::new(0, Selection::all(), loaded.collect(), &Placement::default());
        let builder = params.builder();
        for (name, role, tensor) in values {
            builder.tensor(tensor.dims(), name, *role, Init::Constant(0.0))?;
        }
        Ok(params.trained())
    }

    fn vector(values: &[f32]) -> Tensor {
        Tensor::new(values, &HOST).expect("small tensor")
    }

    fn gradient(name: &str, value: Tensor) -> Gradients {
        [(name.to_string(), value)].into_iter().collect()
    }

    /// torch 2.9.1: `AdamW([p], lr=0.1, betas=(0.9, 0.98), eps=1e-8, weight_decay=0.05)`, p a
    /// 2 x 2 matrix, three steps with the gradients below.
    #[test]
    fn three_steps_equal_pytorch() -> Result<()> {
        let start = vector(&[1.0, -2.0, 0.5, 3.0]).reshape((2, 2))?;
        let params = params(&[("w", Role::Matrix, start)])?;
        let mut optimizer = AdamW::new(AdamWConfig::default(), &params, |_| 1.0)?;
        for step in [
            [0.1f32, -0.2, 0.3, 0.4],
            [-0.5, 0.25, 0.0, 1.0],
            [2.0, -1.0, 0.001, -0.3],
        ] {
            let gradient = gradient("w", vector(&step).reshape((2, 2))?);
            optimizer.step(&gradient, 0.1, 1.0)?;
        }
        let values = params[0].var.flatten_all()?.to_vec1::<f32>()?;
        let torch = [0.895_313_44, -1.830_783_7, 0.274_027_76, 2.710_191_2];
        for (a, b) in values.iter().zip(torch) {
            assert!((a - b).abs() < 1e-6, "{values:?} against {torch:?}"); // f32 rounding
        }
        Ok(())
    }

    #[test]
    fn a_step_equals_the_formula_and_gates_do_not_decay() -> Result<()> {
        let params = params(&[("gate", Role::Gate, vector(&[0.5]))])?;
        let mut optimizer = AdamW::new(AdamWConfig::default(), &params, |_| 0.5)?;
        optimizer.step(&gradient("gate", vector(&[3.0])), 0.1, 1.0)?;
        // The first step moves by rate * factor * sign(gradient), whatever its size.
        let value = params[0].var.to_vec1::<f32>()?[0];
        assert!((value - 0.45).abs() < 1e-6, "{value}");
        Ok(())
    }

    #[test]
    fn the_moments_are_those_of_the_scaled_gradient() -> Result<()> {
        let params = params(&[("a", Role::Bias, vector(&[0.0]))])?;
        let mut optimizer = AdamW::new(AdamWConfig::default(), &params, |_| 1.0)?;
        optimizer.step(&gradient("a", vector(&[3.0])), 0.1, 0.2)?;
        let state = optimizer.state()?;
        let first = state["first.a"].to_vec1::<f32>()?[0];
        assert!((first - 0.1 * 3.0 * 0.2).abs() < 1e-6, "{first}");
        Ok(())
    }

    #[test]
    fn restored_moments_continue_bit_for_bit() -> Result<()> {
        let (a, b) = (
            params(&[("a", Role::Bias, vector(&[1.0, 2.0]))])?,
            params(&[("a", Role::Bias, vector(&[1.0, 2.0]))])?,
        );
        let gradients: Vec<_> = [[0.3f32, -0.1], [0.7, 0.2]]
            .map(|g| gradient("a", vector(&g)))
            .into();
        let mut unbroken = AdamW::new(AdamWConfig::default(), &a, |_| 1.0)?;
        let mut before = AdamW::new(AdamWConfig::default(), &b, |_| 1.0)?;
        unbroken.step(&gradients[0], 0.1, 1.0)?;
        unbroken.step(&gradients[1], 0.1, 1.0)?;
        before.step(&gradients[0], 0.1, 1.0)?;
        let state = before.state()?.into_iter().collect();
        let mut resumed = AdamW::new(AdamWConfig::default(), &b, |_| 1.0)?;
        resumed.restore(before.steps(), &state)?;
        resumed.step(&gradients[1], 0.1, 1.0)?;
        assert_eq!(a[0].var.to_vec1::<f32>()?, b[0].var.to_vec1::<f32>()?);
        Ok(())
    }
}
