//! The parameters that a network asks for, found by building it over nothing.

use avocet_config::ModelConfig;
use avocet_kernels::{HOST, Weight};
use avocet_model::{Builder, Parameters, VisionLanguageModel};
use candle_core::{DType, Result, Shape, Tensor};
use candle_nn::Init;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// A parameter as a network asks for it.
pub(crate) struct ParameterSpec {
    pub name: String,
    pub shape: Shape,
    pub init: Init,
    /// Whether it is wanted in F32 however it is stored.
    pub sensitive: bool,
}

/// The parameters that a model of this shape asks for, one after another.
///
/// Nothing is read: the network is built over one number, broadcast.
pub(crate) fn parameter_specs(config: &ModelConfig) -> Result<Vec<ParameterSpec>> {
    let asked = ShapeRecorder::default();
    let all = Arc::clone(&asked.all);
    VisionLanguageModel::new(config, Builder::new(asked))?;
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(std::mem::take(&mut *all))
}

/// Names of the parameters that a model of this shape wants in F32 however they are stored.
pub(crate) fn sensitive(config: &ModelConfig) -> Result<BTreeSet<String>> {
    let sensitive = parameter_specs(config)?
        .into_iter()
        .filter(|spec| spec.sensitive);
    Ok(sensitive.map(|spec| spec.name).collect())
}

/// Writes down what is asked for.
#[derive(Default)]
struct ShapeRecorder {
    all: Arc<Mutex<Vec<ParameterSpec>>>,
}

impl ShapeRecorder {
    fn note(&self, name: &str, shape: Shape, init: Init, sensitive: bool) -> Result<Tensor> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(ParameterSpec {
            name: name.to_owned(),
            shape: shape.clone(),
            init,
            sensitive,
        });
        Tensor::zeros(1, DType::F32, &HOST)?.broadcast_as(shape)
    }
}

impl Parameters for ShapeRecorder {
    fn tensor(&self, name: &str, shape: Shape, init: Init) -> Result<Tensor> {
        self.note(name, shape, init, true)
    }

    fn matrix(&self, name: &str, shape: Shape, init: Init) -> Result<Weight> {
        Ok(self.note(name, shape, init, false)?.into())
    }
}
