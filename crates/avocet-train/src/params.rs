//! The parameters of a run: made by name, seeded by name, and sorted by name.
//!
//! The model asks a [`Builder`] for its parameters; [`Params`] stands behind it. A value comes from
//! the loaded tensors when they hold the name, and otherwise from the model's rule with a random
//! stream seeded by (seed, name), so that neither the order of creation nor the presence of other
//! parts changes it. Names that do not train are handed out as plain tensors: the backward pass
//! leaves them out, and nothing can change them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use avocet_checkpoint::{LORA, LoraScale, factor_shapes};
use avocet_kernels::{AdaptedWeight, Placement, Weight, low_rank_sum};
use avocet_model::{Builder, Parameters, seeded};
use candle_core::{DType, Shape, Tensor, Var};
use candle_nn::Init;
use sha2::{Digest, Sha256};

use crate::config::LoraConfig;
use crate::error::{Result, TrainError};
use crate::pattern::matches_any;

/// Where the auxiliary heads' names begin; the rest belongs to the model.
pub const AUXILIARY: &str = "auxiliary";

/// Which parameters a stage trains.
#[derive(Debug, Clone)]
pub struct Selection {
    /// Patterns of the names that train.
    pub trains: Vec<String>,
    /// Patterns of the names that stay as they are, although `trains` has them.
    pub freezes: Vec<String>,
}

impl Selection {
    /// Everything trains.
    pub fn all() -> Self {
        Self {
            trains: vec!["*".into()],
            freezes: Vec::new(),
        }
    }

    /// Whether the parameter trains: by the patterns, or as part of the auxiliary heads, which
    /// learn wherever they are used. What no gradient trains is left out.
    pub fn trains(&self, name: &str) -> bool {
        if name.starts_with(AUXILIARY) {
            return true;
        }
        avocet_model::is_trained(name)
            && matches_any(&self.trains, name)
            && !matches_any(&self.freezes, name)
    }
}

/// One parameter of a run.
#[derive(Debug, Clone)]
pub struct Param {
    /// Its field path in the model.
    pub name: String,
    /// Its value, f32.
    pub var: Var,
    /// Whether this stage trains it.
    pub trains: bool,
}

impl Param {
    /// Whether weight decay applies: to matrices, and not to vectors, gates or embeddings.
    pub(crate) fn decays(&self) -> bool {
        self.var.rank() >= 2 && !self.name.contains("embedding")
    }
}

#[derive(Debug, Default)]
struct Inner {
    params: BTreeMap<String, Param>,
    /// Weights of a model that is fine-tuned, as they were handed out.
    still: BTreeMap<String, Weight>,
    /// Whether some matrix is the sum of a still one and a product of factors.
    has_sums: bool,
    loaded: HashMap<String, Tensor>,
}

/// The store of parameters behind a model under training.
#[derive(Clone)]
pub struct Params {
    inner: Arc<Mutex<Inner>>,
    seed: u64,
    selection: Selection,
    base: Option<Builder>,
    lora: Option<LoraConfig>,
    placement: Placement,
}

impl std::fmt::Debug for Params {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (inner, selection) = (&self.inner, &self.selection);
        f.debug_struct("Params")
            .field("inner", inner)
            .field("selection", selection)
            .finish_non_exhaustive()
    }
}

impl Params {
    /// An empty store. `loaded` holds the values to start from, by name; other names start by the
    /// model's rule.
    pub fn new(seed: u64, selection: Selection, loaded: HashMap<String, Tensor>) -> Self {
        let inner = Inner {
            loaded,
            ..Inner::default()
        };
        Self {
            inner: Arc::new(Mutex::new(inner)),
            seed,
            selection,
            base: None,
            lora: None,
            placement: Placement::default(),
        }
    }

    /// The same over the parameters of a whole model: what does not train is handed out as `base`
    /// has it, and matrices that `lora` names are sums with factors that learn.
    pub fn over(mut self, base: Builder, lora: Option<LoraConfig>) -> Self {
        (self.base, self.lora) = (Some(base), lora);
        self
    }

    /// The same for a model that is placed so.
    pub fn placed(self, placement: Placement) -> Self {
        Self { placement, ..self }
    }

    /// Whether some matrix is added up with its factors, which has to be done anew at each step.
    pub(crate) fn has_sums(&self) -> bool {
        self.lock().has_sums
    }

    /// The builder that a model makes its tensors with.
    pub fn builder(&self) -> Builder {
        Builder::new(self.clone()).placed(self.placement.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// All parameters, sorted by name.
    pub fn all(&self) -> Vec<Param> {
        self.lock().params.values().cloned().collect()
    }

    /// The parameters that train, sorted by name.
    pub fn trained(&self) -> Vec<Param> {
        let inner = self.lock();
        inner
            .params
            .values()
            .filter(|p| p.trains)
            .cloned()
            .collect()
    }

    /// Values by name, as they are now, of the names that `wanted` selects.
    pub fn tensors(&self, wanted: impl Fn(&str) -> bool) -> BTreeMap<String, Tensor> {
        let inner = self.lock();
        let chosen = inner.params.values().filter(|p| wanted(&p.name));
        chosen
            .map(|p| (p.name.clone(), p.var.as_detached_tensor()))
            .collect()
    }

    /// SHA-256 over the names and bytes of the parameters that `wanted` selects.
    pub fn hash(&self, wanted: impl Fn(&str) -> bool) -> Result<String> {
        hash(self.tensors(wanted).iter())
    }

    /// SHA-256 over the names and values, as they are now, of all parameters that do not train.
    pub(crate) fn still_hash(&self) -> Result<String> {
        let inner = self.lock();
        let mut digest = Sha256::new();
        let own = inner.params.values().filter(|param| !param.trains);
        let own = own.map(|param| (&param.name, Weight::from(param.var.as_detached_tensor())));
        let still = inner
            .still
            .iter()
            .map(|(name, weight)| (name, weight.clone()));
        let all: BTreeMap<&String, Weight> = still.chain(own).collect();
        for (name, weight) in all {
            feed(&mut digest, name, &weight.to_tensor()?)?;
        }
        Ok(hex(&digest.finalize()))
    }

    /// Names that were loaded and that nothing asked for, sorted.
    pub fn unused(&self) -> Vec<String> {
        let inner = self.lock();
        let of_model = inner
            .loaded
            .keys()
            .filter(|name| !name.starts_with(AUXILIARY));
        let mut names: Vec<String> = of_model.cloned().collect();
        names.sort();
        names
    }

    /// Loaded values of auxiliary heads that this stage does not use; a later one may.
    pub fn carried(&self) -> BTreeMap<String, Tensor> {
        let inner = self.lock();
        let heads = inner
            .loaded
            .iter()
            .filter(|(name, _)| name.starts_with(AUXILIARY));
        heads
            .map(|(name, tensor)| (name.clone(), tensor.clone()))
            .collect()
    }

    fn make(&self, shape: Shape, name: &str, init: Init) -> Result<Tensor> {
        let mut inner = self.lock();
        if let Some(param) = inner.params.get(name) {
            check_shape(name, param.var.dims(), shape.dims())?;
            return Ok(handle(param));
        }
        let value = match (inner.loaded.remove(name), &self.base) {
            (Some(tensor), _) => {
                check_shape(name, tensor.dims(), shape.dims())?;
                tensor.to_dtype(DType::F32)?.contiguous()?.copy()?
            }
            (None, Some(base)) if !is_own(name) => base.tensor(shape, name, init)?,
            (None, _) => seeded(&shape, init, self.seed, name)?,
        };
        let param = Param {
            name: name.to_string(),
            var: Var::from_tensor(&value)?,
            trains: is_factor(name) || self.selection.trains(name),
        };
        let tensor = handle(&param);
        inner.params.insert(name.to_string(), param);
        Ok(tensor)
    }
}

impl Params {
    /// A matrix of the model that is fine-tuned, as it lies there, or a sum with factors.
    fn still_matrix(&self, base: &Builder, name: &str, shape: Shape, init: Init) -> Result<Weight> {
        let lora = self.lora.as_ref();
        let lora = lora.filter(|lora| matches_any(&lora.layers, name));
        let factors = lora.and_then(|lora| factor_shapes(&shape, lora.rank));
        // A table is read by row as well, and of a stack of experts few are read.
        let summed = factors.is_some() && (shape.rank() != 2 || TABLES.contains(&name));
        let known = self.lock().still.get(name).cloned();
        let weight = match known {
            Some(weight) => weight,
            None => {
                let stored = base.matrix(shape.clone(), name, init)?;
                // Sums and the output head are computed in f32; other stored matrices as they lie.
                let weight = if stored.is_stored() && !summed && !TABLES.contains(&name) {
                    stored
                } else {
                    stored.to_tensor()?.into()
                };
                let mut inner = self.lock();
                inner.has_sums |= summed;
                inner.still.insert(name.to_owned(), weight.clone());
                weight
            }
        };
        let (Some(lora), Some((a, b))) = (lora, factors) else {
            return Ok(weight);
        };
        let inputs = shape.dims().last().copied().unwrap_or(1).max(1);
        let random = Init::Randn {
            mean: 0.0,
            stdev: (inputs as f64).sqrt().recip(),
        };
        // The second factor starts at zero, so that the model starts as it was.
        let a = self.make(a.into(), &format!("{name}{}", LORA.0), random)?;
        let b = self.make(b.into(), &format!("{name}{}", LORA.1), Init::Const(0.0))?;
        let scale = LoraScale::from(lora).factor();
        if summed {
            return Ok(low_rank_sum(weight.tensor()?, &a, &b, scale)?.into());
        }
        Ok(AdaptedWeight::new(weight, a, b, scale)?.into())
    }
}

/// Read by row and by column, in f32.
const TABLES: [&str; 2] = ["decoder.embedding", "decoder.head"];

fn is_factor(name: &str) -> bool {
    name.ends_with(LORA.0) || name.ends_with(LORA.1)
}

/// Whether no model that is fine-tuned has the parameter.
fn is_own(name: &str) -> bool {
    name.starts_with(AUXILIARY) || is_factor(name)
}

/// What the model computes with: the variable itself, or its value without a gradient.
fn handle(param: &Param) -> Tensor {
    if param.trains {
        param.var.as_tensor().clone()
    } else {
        param.var.as_detached_tensor()
    }
}

fn check_shape(name: &str, found: &[usize], needed: &[usize]) -> Result<()> {
    if found == needed {
        return Ok(());
    }
    Err(TrainError::Shape {
        name: name.to_string(),
        found: found.to_vec(),
        needed: needed.to_vec(),
    })
}

impl Parameters for Params {
    fn tensor(&self, name: &str, shape: Shape, init: Init) -> candle_core::Result<Tensor> {
        if let Some(base) = &self.base
            && !is_own(name)
            && !self.selection.trains(name)
        {
            let known = self.lock().still.get(name).cloned();
            if let Some(known) = known {
                return known.tensor().cloned();
            }
            let tensor = base.tensor(shape, name, init)?;
            let mut inner = self.lock();
            inner.still.insert(name.to_owned(), tensor.clone().into());
            return Ok(tensor);
        }
        self.make(shape, name, init)
            .map_err(|error| candle_core::Error::Msg(error.to_string()))
    }

    fn matrix(&self, name: &str, shape: Shape, init: Init) -> candle_core::Result<Weight> {
        match &self.base {
            Some(base) if !is_own(name) && !self.selection.trains(name) => self
                .still_matrix(base, name, shape, init)
                .map_err(|error| candle_core::Error::Msg(error.to_string())),
            _ => Ok(self.tensor(name, shape, init)?.into()),
        }
    }
}

/// SHA-256 over names and f32 values, in the order of the names.
pub fn hash<'a>(tensors: impl Iterator<Item = (&'a String, &'a Tensor)>) -> Result<String> {
    let sorted: BTreeMap<&String, &Tensor> = tensors.collect();
    let mut digest = Sha256::new();
    for (name, tensor) in sorted {
        feed(&mut digest, name, tensor)?;
    }
    Ok(hex(&digest.finalize()))
}

fn feed(digest: &mut Sha256, name: &str, tensor: &Tensor) -> Result<()> {
    digest.update(name.as_bytes());
    digest.update([0]);
    /// Numbers that are copied at once.
    const AT_ONCE: usize = 1 << 18;
    let all = tensor.flatten_all()?;
    for start in (0..all.elem_count()).step_by(AT_ONCE) {
        let count = AT_ONCE.min(all.elem_count() - start);
        let values = all.narrow(0, start, count)?.to_vec1::<f32>()?;
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        digest.update(bytes.collect::<Vec<u8>>());
    }
    Ok(())
}

/// Lower-case hexadecimal digits of `bytes`.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String never fails");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    const INIT: Init = Init::Randn {
        mean: 0.0,
        stdev: 0.02,
    };

    fn ask(params: &Params, names: &[&str]) -> Result<()> {
        let builder = params.builder();
        for name in names {
            builder.tensor((3, 5), name, INIT)?;
        }
        Ok(())
    }

    #[test]
    fn values_do_not_depend_on_the_order_of_creation() -> Result<()> {
        let (a, b) = (
            Params::new(7, Selection::all(), HashMap::new()),
            Params::new(7, Selection::all(), HashMap::new()),
        );
        ask(&a, &["x", "y", "z"])?;
        ask(&b, &["z", "x", "y"])?;
        assert_eq!(a.hash(|_| true)?, b.hash(|_| true)?);
        let c = Params::new(8, Selection::all(), HashMap::new());
        ask(&c, &["x", "y", "z"])?;
        assert_ne!(a.hash(|_| true)?, c.hash(|_| true)?);
        Ok(())
    }

    #[test]
    fn a_frozen_parameter_is_handed_out_without_a_gradient() -> Result<()> {
        let selection = Selection {
            trains: vec!["*".into()],
            freezes: vec!["still*".into()],
        };
        let params = Params::new(1, selection, HashMap::new());
        let builder = params.builder();
        let still = builder.tensor((2, 2), "still", INIT)?;
        let moving = builder.tensor((2, 2), "moving", INIT)?;
        assert!(!still.is_variable() && moving.is_variable());
        assert_eq!(params.trained().len(), 1);
        Ok(())
    }

    #[test]
    fn a_loaded_tensor_of_another_shape_is_refused_with_both_shapes() {
        let wrong = Tensor::zeros((5, 3), DType::F32, &Device::Cpu).expect("small tensor");
        let params = Params::new(1, Selection::all(), HashMap::from([("x".into(), wrong)]));
        let error = ask(&params, &["x"]).expect_err("shapes differ").to_string();
        assert!(
            error.contains("[5, 3]") && error.contains("[3, 5]"),
            "{error}"
        );
    }
}
