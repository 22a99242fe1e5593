//! Fine-tuning: what does not train is handed out as the base model has it, and some of its
//! matrices have low-rank factors beside them that learn (LoRA, arXiv:2106.09685).

use avocet_checkpoint::{LORA, LoraScale, factor_shapes};
use avocet_kernels::{AdaptedWeight, Weight, low_rank_sum};
use avocet_model::{Builder, Init, ParameterSpec, Role};
use candle_core::Tensor;

use super::Params;
use crate::error::Result;
use crate::pattern::matches_any;

impl Params {
    /// A tensor of the base model, as it is there.
    pub(super) fn frozen(&self, base: &Builder, spec: &ParameterSpec) -> Result<Tensor> {
        let known = self.lock().frozen.get(&spec.name).cloned();
        if let Some(known) = known {
            return Ok(known.tensor().cloned()?);
        }
        let tensor = base.tensor_of(spec)?;
        let kept = tensor.clone().into();
        self.lock().frozen.insert(spec.name.clone(), kept);
        Ok(tensor)
    }

    /// A matrix of the base model, as it lies there, or a sum with factors.
    pub(super) fn frozen_matrix(&self, base: &Builder, spec: &ParameterSpec) -> Result<Weight> {
        let lora = self.lora.as_ref();
        let lora = lora.filter(|lora| matches_any(&lora.layers, &spec.name));
        let factors = lora.and_then(|lora| Some((lora, factor_shapes(&spec.shape, lora.rank)?)));
        // A table is read by row as well, and of a stack of experts few are read.
        let summed = factors.is_some() && spec.role != Role::Matrix;
        let known = self.lock().frozen.get(&spec.name).cloned();
        let weight = match known {
            Some(weight) => weight,
            None => {
                let stored = base.matrix_of(spec)?;
                // Sums and tables are computed with in f32; other stored matrices as they lie.
                let weight = if stored.is_stored() && !summed && !spec.role.is_table() {
                    stored
                } else {
                    stored.to_tensor()?.into()
                };
                let mut inner = self.lock();
                inner.has_sums |= summed;
                inner.frozen.insert(spec.name.clone(), weight.clone());
                weight
            }
        };
        let Some((lora, shapes)) = factors else {
            return Ok(weight);
        };
        let (a, b) = self.factors(spec, shapes)?;
        let scale = LoraScale::from(lora).factor();
        if summed {
            return Ok(low_rank_sum(weight.tensor()?, &a, &b, scale)?.into());
        }
        Ok(AdaptedWeight::new(weight, a, b, scale)?.into())
    }

    /// The factors beside a matrix, of these shapes. The second starts at zero, so that the model
    /// starts as it was.
    fn factors(
        &self,
        matrix: &ParameterSpec,
        (a, b): (Vec<usize>, Vec<usize>),
    ) -> Result<(Tensor, Tensor)> {
        let inputs = matrix.shape.dims().last().copied().unwrap_or(1).max(1);
        let stdev = (inputs as f64).sqrt().recip();
        let factor = |end: &str, shape: Vec<usize>, init| {
            let spec = ParameterSpec {
                name: format!("{}{end}", matrix.name),
                shape: shape.into(),
                role: matrix.role,
                init,
                sensitive: true,
            };
            self.param(&spec, None, true)
        };
        Ok((
            factor(LORA.0, a, Init::Normal { stdev })?,
            factor(LORA.1, b, Init::Constant(0.0))?,
        ))
    }
}
