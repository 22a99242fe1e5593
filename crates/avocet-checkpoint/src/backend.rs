//! What stands behind the `VarBuilder` that a network is built with.
//!
//! A network asks for large matrices in the builder's own precision and for what is small and
//! sensitive in F32. The builder's own precision here is BF16, and means "as it is stored".

use crate::header::Entry;
use crate::weights::Weights;
use avocet_model::{Avocet, ModelConfig};
use candle_core::{DType, Device, Result, Shape, Tensor, bail};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// The precision that a builder states for what may stay as it is stored.
const AS_STORED: DType = DType::BF16;

/// Hands out the tensors of a weights file.
struct StoredBackend {
    weights: Arc<Weights>,
}

/// A builder over `weights`.
pub(crate) fn builder(weights: Arc<Weights>, device: &Device) -> VarBuilder<'static> {
    let backend = StoredBackend { weights };
    VarBuilder::from_backend(Box::new(backend), AS_STORED, device.clone())
}

/// Names of the tensors that a model of this shape wants in F32 however it is stored.
///
/// Nothing is read: the network is built over one number, broadcast.
pub(crate) fn sensitive(config: &ModelConfig) -> Result<BTreeSet<String>> {
    let asked = AskedBackend::default();
    let names = Arc::clone(&asked.sensitive);
    let vb = VarBuilder::from_backend(Box::new(asked), AS_STORED, Device::Cpu);
    Avocet::new(config, vb)?;
    let mut names = names.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(std::mem::take(&mut *names))
}

/// Writes down what is asked for in F32.
#[derive(Default)]
struct AskedBackend {
    sensitive: Arc<Mutex<BTreeSet<String>>>,
}

impl SimpleBackend for AskedBackend {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        _: Init,
        wanted: DType,
        device: &Device,
    ) -> Result<Tensor> {
        if wanted != AS_STORED {
            let mut names = self
                .sensitive
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            names.insert(name.to_owned());
        }
        Tensor::zeros(1, wanted, device)?.broadcast_as(shape)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> Result<Tensor> {
        bail!("tensor {name:?} was asked for without its shape")
    }

    fn contains_tensor(&self, _: &str) -> bool {
        true
    }
}

impl SimpleBackend for StoredBackend {
    /// Errors if the file has no such tensor, or one of another shape.
    fn get(
        &self,
        shape: Shape,
        name: &str,
        _: Init,
        wanted: DType,
        device: &Device,
    ) -> Result<Tensor> {
        let Some(entry) = self.weights.entry(name) else {
            bail!(
                "tensor {name:?} of shape {:?} is missing from the weights",
                shape.dims()
            );
        };
        if entry.shape != shape.dims() {
            let (stored, wanted) = (&entry.shape, shape.dims());
            bail!("tensor {name:?} has shape {stored:?}, but the configuration says {wanted:?}");
        }
        load(&self.weights, entry, wanted, device)
    }

    fn get_unchecked(&self, name: &str, wanted: DType, device: &Device) -> Result<Tensor> {
        match self.weights.entry(name) {
            Some(entry) => load(&self.weights, entry, wanted, device),
            None => bail!("tensor {name:?} is missing from the weights"),
        }
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.weights.entry(name).is_some()
    }
}

fn load(weights: &Weights, entry: &Entry, wanted: DType, device: &Device) -> Result<Tensor> {
    let tensor = weights.tensor(entry, device)?;
    if wanted == AS_STORED {
        Ok(tensor)
    } else {
        tensor.to_dtype(wanted)
    }
}
