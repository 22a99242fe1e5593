//! What stands behind the [`Builder`] that a network is made with when its parameters are in
//! files.

use crate::adapter::Tuned;
use crate::recipe::{Recipe, Recipes, cols};
use crate::store::Store;
use avocet_kernels::{StoredMatrix, Weight};
use avocet_model::{Avocet, Builder, ModelConfig, Parameters};
use candle_core::{DType, Device, Result, Shape, Tensor, bail};
use candle_nn::Init;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Hands out the parameters that lie in files.
struct StoredParameters {
    store: Arc<Store>,
    recipes: Arc<Recipes>,
    copied: Copied,
    tuned: Option<Arc<Tuned>>,
}

/// How the names of the parameters begin whose matrices are copied once, BF16 as it is and all else
/// to F32; the others are computed with where they lie.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Copied(pub Vec<&'static str>);

impl Copied {
    /// All or none.
    pub fn all(all: bool) -> Self {
        Self(all.then_some("").into_iter().collect())
    }

    /// Whether the matrix of this name is copied.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|beginning| name.starts_with(beginning))
    }
}

/// A builder over `store`.
pub(crate) fn builder(
    store: Arc<Store>,
    recipes: Arc<Recipes>,
    copied: Copied,
    tuned: Option<Arc<Tuned>>,
) -> Builder {
    Builder::new(StoredParameters {
        store,
        recipes,
        copied,
        tuned,
    })
}

impl StoredParameters {
    fn recipe(&self, name: &str, shape: &Shape) -> Result<&Recipe> {
        let Some(recipe) = self.recipes.get(name) else {
            bail!(
                "no tensor is known to hold {name} of shape {:?}",
                shape.dims()
            );
        };
        match recipe.problem(name, shape, &self.store) {
            Some(problem) => bail!("{}", problem.words),
            None => Ok(recipe),
        }
    }

    /// What training adds to a matrix, beside what took its place.
    fn added(&self, name: &str) -> Result<Option<Tensor>> {
        match &self.tuned {
            Some(tuned) => tuned.added(name),
            None => Ok(None),
        }
    }

    fn matrix_of(&self, recipe: &Recipe, shape: &Shape) -> Result<StoredMatrix> {
        let cols = cols(shape);
        let mut parts = Vec::new();
        for term in &recipe.terms {
            let stored = self.store.get(&term.tensor);
            let rows = stored.and_then(|stored| term.rows(&stored.shape, shape.rank(), cols));
            let rows = rows.unwrap_or_default();
            parts.extend(self.store.rows(&term.tensor, cols, rows)?);
        }
        StoredMatrix::new(shape.dims(), parts)
    }
}

impl Parameters for StoredParameters {
    fn tensor(&self, name: &str, shape: Shape, _: Init) -> Result<Tensor> {
        let recipe = self.recipe(name, &shape)?;
        let cols = cols(&shape);
        let mut numbers = Vec::with_capacity(shape.elem_count());
        for term in &recipe.terms {
            let tensor = self.store.tensor(&term.tensor, &Device::Cpu)?;
            let rows = term.rows(tensor.dims(), shape.rank(), cols);
            let all = tensor
                .to_dtype(DType::F32)?
                .flatten_all()?
                .to_vec1::<f32>()?;
            for rows in rows.unwrap_or_default() {
                numbers.extend_from_slice(&all[rows.start * cols..rows.end * cols]);
            }
        }
        let tensor = Tensor::from_vec(numbers, shape, &Device::Cpu)?;
        match self.added(name)? {
            Some(added) => tensor + added,
            None => Ok(tensor),
        }
    }

    fn matrix(&self, name: &str, shape: Shape, init: Init) -> Result<Weight> {
        let recipe = self.recipe(name, &shape)?;
        if self.tuned.as_ref().is_some_and(|tuned| tuned.changes(name)) {
            return Ok(self.tensor(name, shape, init)?.into());
        }
        if !self.copied.has(name) {
            return Ok(Weight::Stored(Arc::new(self.matrix_of(recipe, &shape)?)));
        }
        if let Some(tensor) = recipe.whole() {
            let tensor = self.store.tensor(tensor, &Device::Cpu)?;
            return Ok(tensor.reshape(shape)?.into());
        }
        Ok(self.tensor(name, shape, init)?.into())
    }
}

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
