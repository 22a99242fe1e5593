//! What stands behind the [`Builder`] that a network is made with when its parameters are in
//! files.

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
    mapped: bool,
}

/// A builder over `store`. With `mapped`, large matrices are computed with where they lie; without
/// it they are copied once, BF16 as it is and all else to F32.
pub(crate) fn builder(store: Arc<Store>, recipes: Arc<Recipes>, mapped: bool) -> Builder {
    Builder::new(StoredParameters {
        store,
        recipes,
        mapped,
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

    fn matrix_of(&self, recipe: &Recipe, shape: &Shape) -> Result<StoredMatrix> {
        let cols = cols(shape);
        let mut parts = Vec::new();
        for term in &recipe.terms {
            let stored = self.store.get(&term.tensor);
            let rows = stored.and_then(|stored| term.rows(&stored.shape, shape.rank(), cols));
            for rows in rows.unwrap_or_default() {
                parts.push(self.store.rows(&term.tensor, cols, rows)?);
            }
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
        Tensor::from_vec(numbers, shape, &Device::Cpu)
    }

    fn matrix(&self, name: &str, shape: Shape, init: Init) -> Result<Weight> {
        let recipe = self.recipe(name, &shape)?;
        if self.mapped {
            return Ok(Weight::Stored(Arc::new(self.matrix_of(recipe, &shape)?)));
        }
        if *recipe == Recipe::same(name) {
            return Ok(self
                .store
                .tensor(name, &Device::Cpu)?
                .reshape(shape)?
                .into());
        }
        Ok(self.tensor(name, shape, init)?.into())
    }
}

/// Names of the parameters that a model of this shape wants in F32 however they are stored.
///
/// Nothing is read: the network is built over one number, broadcast.
pub(crate) fn sensitive(config: &ModelConfig) -> Result<BTreeSet<String>> {
    let asked = Asked::default();
    let names = Arc::clone(&asked.sensitive);
    Avocet::new(config, Builder::new(asked))?;
    let mut names = names.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(std::mem::take(&mut *names))
}

/// Writes down what is asked for in F32.
#[derive(Default)]
struct Asked {
    sensitive: Arc<Mutex<BTreeSet<String>>>,
}

impl Parameters for Asked {
    fn tensor(&self, name: &str, shape: Shape, _: Init) -> Result<Tensor> {
        let mut names = self
            .sensitive
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        names.insert(name.to_owned());
        Tensor::zeros(1, DType::F32, &Device::Cpu)?.broadcast_as(shape)
    }

    fn matrix(&self, _: &str, shape: Shape, _: Init) -> Result<Weight> {
        Ok(Tensor::zeros(1, DType::F32, &Device::Cpu)?
            .broadcast_as(shape)?
            .into())
    }
}
