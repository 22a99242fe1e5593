//! What stands behind the [`Builder`] that a network is made with when its parameters are in
//! files.

use super::adapter::Tuned;
use super::recipe::{Recipe, Recipes, cols};
use crate::tensors::Store;
use avocet_kernels::{StoredMatrix, Weight};
use avocet_model::{Builder, Parameters};
use candle_core::{DType, Device, Result, Shape, Tensor, bail};
use candle_nn::Init;
use std::sync::Arc;

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
