//! What stands behind the `VarBuilder` that a network is built with.

use crate::weights::Weights;
use candle_core::{DType, Device, Result, Shape, Tensor, bail};
use candle_nn::Init;
use candle_nn::var_builder::SimpleBackend;
use std::sync::Arc;

/// Hands out tensors of a weights file in the type that they are stored in.
pub(crate) struct StoredBackend {
    pub weights: Arc<Weights>,
}

impl SimpleBackend for StoredBackend {
    /// Errors if the file has no such tensor, or one of another shape.
    ///
    /// The wished type is ignored: a matrix that is stored in BF16 is used in BF16.
    fn get(&self, shape: Shape, name: &str, _: Init, _: DType, device: &Device) -> Result<Tensor> {
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
        self.weights.tensor(entry, device)
    }

    fn get_unchecked(&self, name: &str, _: DType, device: &Device) -> Result<Tensor> {
        match self.weights.entry(name) {
            Some(entry) => self.weights.tensor(entry, device),
            None => bail!("tensor {name:?} is missing from the weights"),
        }
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.weights.entry(name).is_some()
    }
}
