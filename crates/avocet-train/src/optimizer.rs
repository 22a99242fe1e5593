//! AdamW over slices: one fused pass over parameter, gradient and both moments.
//!
//! Decoupled weight decay, arXiv:1711.05101, with the arithmetic of PyTorch's `AdamW`. The
//! moments belong to us, so that they can be saved and a resumed run continues bit for bit. Work
//! is cut into chunks of a fixed size, so that results do not depend on the number of threads.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use candle_core::backprop::GradStore;
use candle_core::{CpuStorage, Device, InplaceOp2, Layout, Storage, Tensor, Var};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{Result, TrainError};
use crate::params::Param;

/// Elements that one task handles.
const CHUNK: usize = 1 << 15;

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
    first: Vec<f32>,
    second: Vec<f32>,
    decays: bool,
    rate_factor: f64,
}

/// Gradients of one step: one tensor for each parameter that took part.
#[derive(Debug, Default)]
pub struct Gradients(HashMap<String, Tensor>);

impl Gradients {
    /// What a backward pass left for `params`.
    pub fn of(params: &[Param], store: &mut GradStore) -> Result<Self> {
        let mut gradients = HashMap::new();
        for param in params {
            if let Some(gradient) = store.remove(&param.var) {
                gradients.insert(param.name.clone(), gradient.contiguous()?);
            }
        }
        Ok(Self(gradients))
    }

    /// Adds another pass's gradients to these.
    pub fn add(&mut self, other: Self) -> Result<()> {
        for (name, gradient) in other.0 {
            match self.0.get(&name) {
                Some(sum) => sum.inplace_op2(&gradient, &AddInto)?,
                None => {
                    self.0.insert(name, gradient);
                }
            }
        }
        Ok(())
    }

    /// The gradient of a parameter, if it took part.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.0.get(name)
    }
}

struct AddInto;

impl InplaceOp2 for AddInto {
    fn name(&self) -> &'static str {
        "add-into"
    }

    fn cpu_fwd(
        &self,
        sum: &mut CpuStorage,
        sum_layout: &Layout,
        part: &CpuStorage,
        part_layout: &Layout,
    ) -> candle_core::Result<()> {
        let sum = slice_mut(sum, sum_layout)?;
        let part = slice(part, part_layout)?;
        let chunks = sum.par_chunks_mut(CHUNK).zip(part.par_chunks(CHUNK));
        chunks.for_each(|(a, b)| a.iter_mut().zip(b).for_each(|(a, b)| *a += b));
        Ok(())
    }
}

/// What one step of the optimizer did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Global norm of the gradient before clipping.
    pub norm: f64,
    /// False when the gradient was not finite and nothing was changed.
    pub applied: bool,
}

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
        let slots = params.iter().filter(|p| p.trains).map(|p| Slot {
            name: p.name.clone(),
            var: p.var.clone(),
            first: vec![0.0; p.var.elem_count()],
            second: vec![0.0; p.var.elem_count()],
            decays: p.decays(),
            rate_factor: rate_factor(&p.name),
        });
        Ok(Self {
            config,
            slots: slots.collect(),
            steps: 0,
        })
    }

    /// Steps taken so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Applies one step at `rate`, with the gradient scaled down to the global norm `clip`.
    ///
    /// A gradient that is not finite changes nothing and is reported.
    pub fn step(&mut self, gradients: &Gradients, rate: f64, clip: Option<f64>) -> Result<Step> {
        let norm = self.global_norm(gradients)?;
        if !norm.is_finite() {
            return Ok(Step {
                norm,
                applied: false,
            });
        }
        let scale = match clip {
            Some(limit) if norm > limit => limit / (norm + 1e-6),
            _ => 1.0,
        };
        self.steps += 1;
        let steps = i32::try_from(self.steps).unwrap_or(i32::MAX);
        let (beta1, beta2) = (self.config.beta1, self.config.beta2);
        let correction1 = 1.0 - beta1.powi(steps);
        let correction2 = (1.0 - beta2.powi(steps)).sqrt();
        for slot in &mut self.slots {
            let Some(gradient) = gradients.get(&slot.name) else {
                continue;
            };
            let rate = rate * slot.rate_factor;
            let decay = if slot.decays {
                self.config.weight_decay
            } else {
                0.0
            };
            let update = Update {
                kept: (1.0 - rate * decay) as f32,
                scale: scale as f32,
                beta1: beta1 as f32,
                beta2: beta2 as f32,
                step_size: (rate / correction1) as f32,
                correction2: correction2 as f32,
                eps: self.config.eps as f32,
                moments: RefCell::new((&mut slot.first, &mut slot.second)),
            };
            slot.var.inplace_op2(gradient, &update)?;
        }
        Ok(Step {
            norm,
            applied: true,
        })
    }

    /// Root of the sum of squares over all gradients, summed chunk by chunk in a fixed order.
    fn global_norm(&self, gradients: &Gradients) -> Result<f64> {
        let mut total = 0.0;
        for slot in &self.slots {
            if let Some(gradient) = gradients.get(&slot.name) {
                let (storage, layout) = gradient.storage_and_layout();
                let Storage::Cpu(storage) = &*storage else {
                    return Err(
                        candle_core::Error::Msg("a gradient is not on the CPU".into()).into(),
                    );
                };
                let chunks = slice(storage, layout)?.par_chunks(CHUNK);
                let sums: Vec<f64> = chunks.map(square_sum).collect();
                total += sums.iter().sum::<f64>();
            }
        }
        Ok(total.sqrt())
    }

    /// The moments by name, for saving.
    pub fn state(&self) -> Result<BTreeMap<String, Tensor>> {
        let mut state = BTreeMap::new();
        for slot in &self.slots {
            for (kind, values) in [("first", &slot.first), ("second", &slot.second)] {
                let tensor = Tensor::from_slice(values, slot.var.dims(), &Device::Cpu)?;
                state.insert(format!("{kind}.{}", slot.name), tensor);
            }
        }
        Ok(state)
    }

    /// Takes saved moments back.
    ///
    /// Errors if a moment is missing or has another shape.
    pub(crate) fn restore(&mut self, steps: u64, state: &HashMap<String, Tensor>) -> Result<()> {
        for slot in &mut self.slots {
            let shape = slot.var.dims().to_vec();
            for (kind, values) in [("first", &mut slot.first), ("second", &mut slot.second)] {
                let name = format!("{kind}.{}", slot.name);
                let saved = state.get(&name).ok_or_else(|| {
                    TrainError::config(&name, "missing from the saved optimizer state")
                })?;
                if saved.dims() != shape {
                    return Err(TrainError::Shape {
                        name,
                        found: saved.dims().to_vec(),
                        needed: shape,
                    });
                }
                *values = saved.flatten_all()?.to_vec1()?;
            }
        }
        self.steps = steps;
        Ok(())
    }
}

struct Update<'a> {
    kept: f32,
    scale: f32,
    beta1: f32,
    beta2: f32,
    step_size: f32,
    correction2: f32,
    eps: f32,
    moments: RefCell<(&'a mut [f32], &'a mut [f32])>,
}

impl InplaceOp2 for Update<'_> {
    fn name(&self) -> &'static str {
        "adamw"
    }

    fn cpu_fwd(
        &self,
        values: &mut CpuStorage,
        layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
    ) -> candle_core::Result<()> {
        let values = slice_mut(values, layout)?;
        let gradient = slice(gradient, gradient_layout)?;
        let mut moments = self.moments.borrow_mut();
        let (first, second) = &mut *moments;
        let (beta1, rest1) = (self.beta1, 1.0 - self.beta1);
        let (beta2, rest2) = (self.beta2, 1.0 - self.beta2);
        let (kept, scale, step_size) = (self.kept, self.scale, self.step_size);
        let (correction2, eps) = (self.correction2, self.eps);
        let chunks = values
            .par_chunks_mut(CHUNK)
            .zip(first.par_chunks_mut(CHUNK))
            .zip(second.par_chunks_mut(CHUNK))
            .zip(gradient.par_chunks(CHUNK));
        chunks.for_each(|(((p, m), v), g)| {
            for (((p, m), v), g) in p.iter_mut().zip(m).zip(v).zip(g) {
                let g = g * scale;
                *m = beta1 * *m + rest1 * g;
                *v = beta2 * *v + rest2 * g * g;
                *p = kept * *p - step_size * *m / (v.sqrt() / correction2 + eps);
            }
        });
        Ok(())
    }
}

fn slice_mut<'a>(
    storage: &'a mut CpuStorage,
    layout: &Layout,
) -> candle_core::Result<&'a mut [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((from, to))) => Ok(&mut values[from..to]),
        _ => candle_core::bail!("a parameter under training must be f32 and contiguous"),
    }
}

fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> candle_core::Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((from, to))) => Ok(&values[from..to]),
        _ => candle_core::bail!("a gradient must be f32 and contiguous"),
    }
}

/// Sum of squares in 16 lanes of f64, so that the order is fixed and the compiler vectorises it.
fn square_sum(values: &[f32]) -> f64 {
    let mut lanes = [0f64; 16];
    let whole = values.chunks_exact(16);
    let rest: f64 = whole
        .remainder()
        .iter()
        .map(|&x| f64::from(x).powi(2))
        .sum();
    for chunk in whole {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane += f64::from(x) * f64::from(x);
        }
    }
    lanes.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::{Params, Selection};

    fn params(values: &[(&str, Tensor)]) -> Result<Vec<Param>> {
        let loaded = values.iter().map(|(n, t)| (n.to_string(), t.clone()));
        let params = Params::new(0, Selection::all(), loaded.collect());
        let builder = params.builder();
        for (name, tensor) in values {
            builder.tensor(tensor.dims(), name, candle_nn::Init::Const(0.0))?;
        }
        Ok(params.trained())
    }

    fn vector(values: &[f32]) -> Tensor {
        Tensor::new(values, &Device::Cpu).expect("small tensor")
    }

    fn gradient(name: &str, value: Tensor) -> Gradients {
        Gradients(HashMap::from([(name.to_string(), value)]))
    }

    /// torch 2.9.1: `AdamW([p], lr=0.1, betas=(0.9, 0.98), eps=1e-8, weight_decay=0.05)`, p a
    /// 2 x 2 matrix, three steps with the gradients below.
    #[test]
    fn three_steps_equal_pytorch() -> Result<()> {
        let start = vector(&[1.0, -2.0, 0.5, 3.0]).reshape((2, 2))?;
        let params = params(&[("w", start)])?;
        let mut optimizer = AdamW::new(AdamWConfig::default(), &params, |_| 1.0)?;
        for step in [
            [0.1f32, -0.2, 0.3, 0.4],
            [-0.5, 0.25, 0.0, 1.0],
            [2.0, -1.0, 0.001, -0.3],
        ] {
            let gradient = gradient("w", vector(&step).reshape((2, 2))?);
            optimizer.step(&gradient, 0.1, None)?;
        }
        let values = params[0].var.flatten_all()?.to_vec1::<f32>()?;
        let torch = [0.895_313_44, -1.830_783_7, 0.274_027_76, 2.710_191_2];
        for (a, b) in values.iter().zip(torch) {
            assert!((a - b).abs() < 1e-6, "{values:?} against {torch:?}"); // f32 rounding
        }
        Ok(())
    }

    #[test]
    fn a_step_equals_the_formula_and_vectors_do_not_decay() -> Result<()> {
        let params = params(&[("gate", vector(&[0.5]))])?;
        let mut optimizer = AdamW::new(AdamWConfig::default(), &params, |_| 0.5)?;
        optimizer.step(&gradient("gate", vector(&[3.0])), 0.1, None)?;
        // The first step moves by rate * factor * sign(gradient), whatever its size.
        let value = params[0].var.to_vec1::<f32>()?[0];
        assert!((value - 0.45).abs() < 1e-6, "{value}");
        Ok(())
    }

    #[test]
    fn clipping_scales_the_whole_gradient_to_the_limit() -> Result<()> {
        let params = params(&[("a", vector(&[0.0])), ("b", vector(&[0.0]))])?;
        let mut optimizer = AdamW::new(AdamWConfig::default(), &params, |_| 1.0)?;
        let mut both = gradient("a", vector(&[3.0]));
        both.0.insert("b".into(), vector(&[4.0]));
        let step = optimizer.step(&both, 0.1, Some(1.0))?;
        assert!((step.norm - 5.0).abs() < 1e-12);
        let state = optimizer.state()?;
        let first = state["first.a"].to_vec1::<f32>()?[0];
        assert!((first - 0.1 * 3.0 / 5.0).abs() < 1e-6, "{first}");
        Ok(())
    }

    #[test]
    fn a_gradient_that_is_not_finite_changes_nothing() -> Result<()> {
        let params = params(&[("a", vector(&[1.0, 2.0]))])?;
        let mut optimizer = AdamW::new(AdamWConfig::default(), &params, |_| 1.0)?;
        let step = optimizer.step(&gradient("a", vector(&[f32::NAN, 0.0])), 0.1, Some(1.0))?;
        assert!(!step.applied && optimizer.steps() == 0);
        assert_eq!(params[0].var.to_vec1::<f32>()?, [1.0, 2.0]);
        Ok(())
    }

    #[test]
    fn restored_moments_continue_bit_for_bit() -> Result<()> {
        let (a, b) = (
            params(&[("a", vector(&[1.0, 2.0]))])?,
            params(&[("a", vector(&[1.0, 2.0]))])?,
        );
        let gradients: Vec<_> = [[0.3f32, -0.1], [0.7, 0.2]]
            .map(|g| gradient("a", vector(&g)))
            .into();
        let mut unbroken = AdamW::new(AdamWConfig::default(), &a, |_| 1.0)?;
        let mut before = AdamW::new(AdamWConfig::default(), &b, |_| 1.0)?;
        unbroken.step(&gradients[0], 0.1, None)?;
        unbroken.step(&gradients[1], 0.1, None)?;
        before.step(&gradients[0], 0.1, None)?;
        let state = before.state()?.into_iter().collect();
        let mut resumed = AdamW::new(AdamWConfig::default(), &b, |_| 1.0)?;
        resumed.restore(before.steps(), &state)?;
        resumed.step(&gradients[1], 0.1, None)?;
        assert_eq!(a[0].var.to_vec1::<f32>()?, b[0].var.to_vec1::<f32>()?);
        Ok(())
    }

    #[test]
    fn micro_batches_add_up() -> Result<()> {
        let params = params(&[("a", vector(&[1.0, 2.0]))])?;
        let var = params[0].var.as_tensor();
        let mut gradients = Gradients::of(&params, &mut var.sum_all()?.backward()?)?;
        let squares = var.sqr()?.sum_all()?;
        gradients.add(Gradients::of(&params, &mut squares.backward()?)?)?;
        let sum = gradients.get("a").expect("took part").to_vec1::<f32>()?;
        assert_eq!(sum, [3.0, 5.0]);
        Ok(())
    }
}
