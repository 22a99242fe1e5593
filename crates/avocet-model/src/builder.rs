//! How a network gets its parameters: by name, from whoever holds them.

use std::fmt::Display;
use std::sync::Arc;

use avocet_kernels::{Placement, Precision, Weight};
use candle_core::{Result, Shape, Tensor};

use crate::parameter::{Init, ParameterSpec, Role};

/// Whoever holds the parameters of a network: a training run, a file, or a counter.
pub trait Parameters: Send + Sync {
    /// What is small and sensitive (norms, biases, gates, routers, convolutions), in f32.
    ///
    /// Errors if there is no such parameter, or it has another shape.
    fn tensor(&self, spec: &ParameterSpec) -> Result<Tensor>;

    /// A large matrix, or a stack of them, in the form in which it is kept.
    ///
    /// Errors as [`Parameters::tensor`] does.
    fn matrix(&self, spec: &ParameterSpec) -> Result<Weight>;
}

/// Hands parameters to a network's constructors; it knows in which field of the model they are.
#[derive(Clone)]
pub struct Builder {
    source: Arc<dyn Parameters>,
    placement: Placement,
    path: String,
}

impl Builder {
    /// A builder at the root of a model, which is placed on the processor in f32.
    pub fn new(source: impl Parameters + 'static) -> Self {
        Self {
            source: Arc::new(source),
            placement: Placement::default(),
            path: String::new(),
        }
    }

    /// The same for a model that is placed so.
    pub fn placed(self, placement: Placement) -> Self {
        Self { placement, ..self }
    }

    /// The same for a part that multiplies in `precision`.
    pub fn in_precision(mut self, precision: Precision) -> Self {
        self.placement.precision = precision;
        self
    }

    /// The builder of a field, or of an element of a list.
    pub fn pp(&self, field: impl Display) -> Self {
        Self {
            source: Arc::clone(&self.source),
            placement: self.placement.clone(),
            path: self.name(field),
        }
    }

    /// The format in which the model's products read their operands.
    pub fn precision(&self) -> Precision {
        self.placement.precision
    }

    /// A parameter in f32 that starts as `init` says, on the model's device.
    pub fn tensor<S: Into<Shape>>(
        &self,
        shape: S,
        name: &str,
        role: Role,
        init: Init,
    ) -> Result<Tensor> {
        self.tensor_of(&ParameterSpec {
            name: self.name(name),
            shape: shape.into(),
            role,
            init,
            sensitive: true,
        })
    }

    /// A matrix that starts as `init` says and is kept in f32.
    pub fn small_matrix<S: Into<Shape>>(
        &self,
        shape: S,
        name: &str,
        role: Role,
        init: Init,
    ) -> Result<Weight> {
        let tensor = self.tensor(shape, name, role, init)?;
        Ok(Weight::from(tensor).with_precision(self.placement.precision))
    }

    /// A large matrix that starts as `init` says.
    pub fn matrix<S: Into<Shape>>(
        &self,
        shape: S,
        name: &str,
        role: Role,
        init: Init,
    ) -> Result<Weight> {
        self.matrix_of(&ParameterSpec {
            name: self.name(name),
            shape: shape.into(),
            role,
            init,
            sensitive: false,
        })
    }

    /// The parameter of this whole name, in f32, large or small, on the model's device.
    pub fn tensor_of(&self, spec: &ParameterSpec) -> Result<Tensor> {
        self.source.tensor(spec)?.to_device(&self.placement.device)
    }

    /// The large matrix of this whole name, in the form in which it is kept.
    pub fn matrix_of(&self, spec: &ParameterSpec) -> Result<Weight> {
        let weight = self.source.matrix(spec)?;
        Ok(weight.with_precision(self.placement.precision))
    }

    fn name(&self, field: impl Display) -> String {
        if self.path.is_empty() {
            field.to_string()
        } else {
            format!("{}.{field}", self.path)
        }
    }
}
