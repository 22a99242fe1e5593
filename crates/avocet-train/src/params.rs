//! The parameters of a run: made by name, seeded by name, and sorted by name.
//!
//! The model asks a [`Builder`] for its parameters; [`Params`] stands behind it. A value comes from
//! the loaded tensors when they hold the name, and otherwise from the model's rule with a random
//! stream seeded by (seed, name), so that neither the order of creation nor the presence of other
//! parts changes it. What does not train is handed out as a plain tensor: the backward pass
//! leaves it out, and nothing can change it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use avocet_kernels::{Placement, Weight};
use avocet_model::{Builder, ParameterSpec, Parameters, Role, seeded};
use candle_core::{DType, Tensor, Var};

use crate::config::LoraConfig;
use crate::error::{Result, TrainError};

mod frozen;
mod hash;
mod selection;

use hash::ParameterDigest;
pub(crate) use hash::hash;
pub use selection::Selection;
pub(crate) use selection::{AUXILIARY, is_auxiliary};

/// One parameter of a run.
#[derive(Debug, Clone)]
pub struct Param {
    /// Its field path in the model.
    pub name: String,
    /// What it is to the network.
    pub role: Role,
    /// Its value, f32.
    pub var: Var,
    /// Whether this stage trains it.
    pub trains: bool,
}

impl Param {
    /// Whether weight decay applies: to matrices, and not to vectors, gates or embeddings.
    pub(crate) fn decays(&self) -> bool {
        match self.role {
            Role::Matrix | Role::Experts | Role::Head | Role::Router => true,
            Role::Convolution | Role::Position | Role::Latents => true,
            Role::Embedding | Role::Norm | Role::Bias | Role::Gate | Role::RouterBias => false,
        }
    }
}

#[derive(Debug, Default)]
struct Inner {
    params: BTreeMap<String, Param>,
    /// The routers' biases in the order in which the network asked for them, which is that of
    /// its layers.
    router_biases: Vec<Var>,
    /// Weights of the base model, as they were handed out.
    frozen: BTreeMap<String, Weight>,
    /// Whether some matrix is the sum of a frozen one and a product of factors.
    has_sums: bool,
    loaded: HashMap<String, Tensor>,
}

/// The store of parameters behind a model under training.
#[derive(Clone)]
pub struct Params {
    inner: Arc<Mutex<Inner>>,
    seed: u64,
    selection: Selection,
    placement: Placement,
    base: Option<Builder>,
    lora: Option<LoraConfig>,
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
    /// An empty store of the parameters of a model that is placed so. `loaded` holds the values to
    /// start from, by name; other names start by the model's rule.
    pub fn new(
        seed: u64,
        selection: Selection,
        loaded: HashMap<String, Tensor>,
        placement: &Placement,
    ) -> Self {
        let inner = Inner {
            loaded,
            ..Inner::default()
        };
        Self {
            inner: Arc::new(Mutex::new(inner)),
            seed,
            selection,
            placement: placement.clone(),
            base: None,
            lora: None,
        }
    }

    /// The same over the parameters of a whole model: what does not train is handed out as `base`
    /// has it, and matrices that `lora` names are sums with factors that learn.
    pub fn over(mut self, base: Builder, lora: Option<LoraConfig>) -> Self {
        (self.base, self.lora) = (Some(base), lora);
        self
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
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The parameters that train, sorted by name.
    pub fn trained(&self) -> Vec<Param> {
        let inner = self.lock();
        let trained = inner.params.values().filter(|param| param.trains);
        trained.cloned().collect()
    }

    /// The routers' loss-free biases (E), in the order of their layers; none of a base model's.
    pub(crate) fn router_biases(&self) -> Vec<Var> {
        self.lock().router_biases.clone()
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
    pub(crate) fn frozen_hash(&self) -> Result<String> {
        let inner = self.lock();
        let own = inner.params.values().filter(|param| !param.trains);
        let own = own.map(|param| (&param.name, Weight::from(param.var.as_detached_tensor())));
        let of_base = inner.frozen.iter();
        let of_base = of_base.map(|(name, weight)| (name, weight.clone()));
        let all: BTreeMap<&String, Weight> = of_base.chain(own).collect();
        let mut digest = ParameterDigest::default();
        for (name, weight) in all {
            digest.add(name, &weight.to_tensor()?)?;
        }
        Ok(digest.finish())
    }

    /// Names that were loaded and that nothing asked for, sorted.
    pub fn unused(&self) -> Vec<String> {
        let inner = self.lock();
        let of_model = inner.loaded.keys().filter(|name| !is_auxiliary(name));
        let mut names: Vec<String> = of_model.cloned().collect();
        names.sort();
        names
    }

    /// Loaded values of auxiliary heads that this stage does not use; a later one may.
    pub fn carried(&self) -> BTreeMap<String, Tensor> {
        let inner = self.lock();
        let heads = inner.loaded.iter().filter(|(name, _)| is_auxiliary(name));
        heads
            .map(|(name, tensor)| (name.clone(), tensor.clone()))
            .collect()
    }

    /// The base model, if it has the parameter, and whether the parameter trains.
    fn origin(&self, spec: &ParameterSpec) -> (Option<&Builder>, bool) {
        let base = self.base.as_ref().filter(|_| !is_auxiliary(&spec.name));
        (base, self.selection.trains(&spec.name, spec.role))
    }

    /// A parameter of the run, as the model computes with it; it starts as loaded, as `base` has
    /// it, or by its rule.
    fn param(&self, spec: &ParameterSpec, base: Option<&Builder>, trains: bool) -> Result<Tensor> {
        let (name, shape) = (spec.name.as_str(), &spec.shape);
        let mut inner = self.lock();
        if let Some(param) = inner.params.get(name) {
            check_shape(name, param.var.dims(), shape.dims())?;
            return Ok(handle(param));
        }
        let value = match (inner.loaded.remove(name), base) {
            (Some(tensor), _) => {
                check_shape(name, tensor.dims(), shape.dims())?;
                tensor.to_dtype(DType::F32)?.contiguous()?.copy()?
            }
            (None, Some(base)) => base.tensor_of(spec)?,
            (None, None) => seeded(shape, spec.init, self.seed, name)?,
        };
        let param = Param {
            name: name.to_owned(),
            role: spec.role,
            var: Var::from_tensor(&value.to_device(&self.placement.device)?)?,
            trains,
        };
        let tensor = handle(&param);
        if spec.role == Role::RouterBias {
            inner.router_biases.push(param.var.clone());
        }
        inner.params.insert(name.to_owned(), param);
        Ok(tensor)
    }
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
    fn tensor(&self, spec: &ParameterSpec) -> candle_core::Result<Tensor> {
        let tensor = match self.origin(spec) {
            (Some(base), false) => self.frozen(base, spec),
            (base, trains) => self.param(spec, base, trains),
        };
        tensor.map_err(in_words)
    }

    fn matrix(&self, spec: &ParameterSpec) -> candle_core::Result<Weight> {
        match self.origin(spec) {
            (Some(base), false) => self.frozen_matrix(base, spec).map_err(in_words),
            _ => Ok(self.tensor(spec)?.into()),
        }
    }
}

fn in_words(error: TrainError) -> candle_core::Error {
    candle_core::Error::Msg(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use avocet_config::{family, family_names, preset};
    use avocet_kernels::HOST;
    use avocet_model::{Init, parameter_specs};

    const INIT: Init = Init::Normal { stdev: 0.02 };

    fn params(seed: u64, selection: Selection, loaded: HashMap<String, Tensor>) -> Params {
        Params::new(seed, selection, loaded, &Placement::default())
    }

    fn ask(params: &Params, names: &[&str]) -> Result<()> {
        let builder = params.builder();
        for name in names {
            builder.tensor((3, 5), name, Role::Matrix, INIT)?;
        }
        Ok(())
    }

    #[test]
    fn values_do_not_depend_on_the_order_of_creation() -> Result<()> {
        let (a, b) = (
            params(7, Selection::all(), HashMap::new()),
            params(7, Selection::all(), HashMap::new()),
        );
        ask(&a, &["x", "y", "z"])?;
        ask(&b, &["z", "x", "y"])?;
        assert_eq!(a.hash(|_| true)?, b.hash(|_| true)?);
        let c = params(8, Selection::all(), HashMap::new());
        ask(&c, &["x", "y", "z"])?;
        assert_ne!(a.hash(|_| true)?, c.hash(|_| true)?);
        Ok(())
    }

    #[test]
    fn a_frozen_parameter_is_handed_out_without_a_gradient() -> Result<()> {
        let selection = Selection {
            trains: vec!["*".into()],
            freezes: vec!["frozen*".into()],
        };
        let params = params(1, selection, HashMap::new());
        let builder = params.builder();
        let frozen = builder.tensor((2, 2), "frozen", Role::Matrix, INIT)?;
        let moving = builder.tensor((2, 2), "moving", Role::Matrix, INIT)?;
        assert!(!frozen.is_variable() && moving.is_variable());
        assert_eq!(params.trained().len(), 1);
        Ok(())
    }

    #[test]
    fn a_loaded_tensor_of_another_shape_is_refused_with_both_shapes() {
        let wrong = Tensor::zeros((5, 3), DType::F32, &HOST).expect("small tensor");
        let params = params(1, Selection::all(), HashMap::from([("x".into(), wrong)]));
        let error = ask(&params, &["x"]).expect_err("shapes differ").to_string();
        assert!(
            error.contains("[5, 3]") && error.contains("[3, 5]"),
            "{error}"
        );
    }

    /// The rule of the runs that were trained before parameters had roles.
    #[test]
    fn what_decays_by_role_is_every_matrix_whose_name_is_no_embedding() -> Result<()> {
        let presets = ["tiny", "mini"].map(|name| preset(name).expect("a preset"));
        let families = family_names().map(|name| family(name).expect("a family"));
        for config in presets.into_iter().chain(families) {
            for spec in parameter_specs(&config)? {
                let rule = spec.shape.rank() >= 2 && !spec.name.contains("embedding");
                let value = Tensor::zeros(1, DType::F32, &HOST)?;
                let param = Param {
                    var: Var::from_tensor(&value)?,
                    trains: true,
                    role: spec.role,
                    name: spec.name,
                };
                assert_eq!(param.decays(), rule, "{}: {}", config.name, param.name);
            }
        }
        Ok(())
    }

    #[test]
    fn router_biases_come_in_the_order_of_their_layers() -> Result<()> {
        let mut config = preset("tiny").expect("a preset");
        config.decoder.num_layers = 12;
        config.decoder.dense_layers = vec![0];
        config.decoder.ff_dim = Some(32);
        let moe = config.decoder.moe.as_mut().expect("experts");
        moe.loss_free_bias = true;
        let params = params(1, Selection::all(), HashMap::new());
        avocet_model::VisionLanguageModel::new(&config, params.builder())?;
        let biases = params.router_biases();
        assert_eq!(biases.len(), 11);
        let named = |layer: usize| format!("decoder.layers.{layer}.moe.router.load_bias");
        for (bias, layer) in biases.iter().zip(1..) {
            bias.set(&bias.ones_like()?.affine(f64::from(layer), 0.0)?)?;
            let tensors = params.tensors(|name| name == named(layer as usize));
            let first = tensors[&named(layer as usize)].to_vec1::<f32>()?[0];
            assert_eq!(first, layer as f32, "layer {layer}");
        }
        Ok(())
    }
}
