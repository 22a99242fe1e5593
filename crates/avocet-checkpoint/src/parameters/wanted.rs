//! The parameters that a network asks for, found by building it over nothing.

use avocet_config::ModelConfig;
use avocet_kernels::Weight;
use avocet_model::{Avocet, Builder, Parameters};
use candle_core::{DType, Device, Result, Shape, Tensor};
use candle_nn::Init;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// A parameter as a network asks for it.
pub(crate) struct Wanted {
    pub name: String,
    pub shape: Shape,
    pub init: Init,
    /// Whether it is wanted in F32 however it is stored.
    pub sensitive: bool,
}

/// The parameters that a model of this shape asks for, one after another.
///
/// Nothing is read: the network is built over one number, broadcast.
pub(crate) fn wanted(config: &ModelConfig) -> Result<Vec<Wanted>> {
    let asked = Asked::default();
    let all = Arc::clone(&asked.all);
    Avocet::new(config, Builder::new(asked))?;
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(std::mem::take(&mut *all))
}

/// Names of the parameters that a model of this shape wants in F32 however they are stored.
pub(crate) fn sensitive(config: &ModelConfig) -> Result<BTreeSet<String>> {
    let sensitive = wanted(config)?
        .into_iter()
        .filter(|wanted| wanted.sensitive);
    Ok(sensitive.map(|wanted| wanted.name).collect())
}

/// Writes down what is asked for.
#[derive(Default)]
struct Asked {
    all: Arc<Mutex<Vec<Wanted>>>,
}

impl Asked {
    fn note(&self, name: &str, shape: Shape, init: Init, sensitive: bool) -> Result<Tensor> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(Wanted {
            name: name.to_owned(),
            shape: shape.clone(),
            init,
            sensitive,
        });
        Tensor::zeros(1, DType::F32, &Device::Cpu)?.broadcast_as(shape)
    }
}

impl Parameters for Asked {
    fn tensor(&self, name: &str, shape: Shape, init: Init) -> Result<Tensor> {
        self.note(name, shape, init, true)
    }

    fn matrix(&self, name: &str, shape: Shape, init: Init) -> Result<Weight> {
        Ok(self.note(name, shape, init, false)?.into())
    }
}
