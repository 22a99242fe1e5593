//! What stands behind the builder that a network is made with when its parameters are in files.

use super::adapter::AdapterWeights;
use super::mapping::{Difference, DifferenceKind, WeightMapping, WeightMappings, cols};
use crate::error::{CheckpointError, Result};
use crate::tensors::Store;
use avocet_kernels::{HOST, Placement, Weight};
use avocet_model::{Builder, ParameterSpec, Parameters};
use avocet_products::stored::StoredMatrix;
use candle_core::{DType, Result as CandleResult, Shape, Tensor, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// The parameters of a network out of files: tensors, how they make parameters, and what is laid over
/// them.
#[derive(Clone)]
pub(crate) struct StoredParameters {
    pub store: Arc<Store>,
    pub mappings: Arc<WeightMappings>,
    pub copied: Copied,
    /// What training changed, if it is kept apart.
    pub tuned: Option<Arc<AdapterWeights>>,
    /// Where the network is that they are for.
    pub placement: Placement,
}

/// How the tensors of a store serve the parameters that a model wants.
#[derive(Debug, Default)]
pub(crate) struct Account {
    /// Tensors that parameters are made of.
    pub used: usize,
    /// Those of them whose name is not that of the parameter.
    pub renamed: usize,
    /// Tensors that are known to be of no use.
    pub ignored: usize,
    pub differences: Vec<Difference>,
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

impl StoredParameters {
    /// Parameters that are computed with where they lie.
    pub fn new(store: Store, mappings: WeightMappings) -> Self {
        Self {
            store: Arc::new(store),
            mappings: Arc::new(mappings),
            copied: Copied::default(),
            tuned: None,
            placement: Placement::default(),
        }
    }

    /// What a network is built with, where they are placed.
    pub fn builder(&self) -> Builder {
        Builder::new(self.clone()).placed(self.placement.clone())
    }

    /// The tensors, taken over.
    ///
    /// Errors, naming `path`, if a network uses them.
    pub fn into_store(self, path: &Path) -> Result<Store> {
        Arc::into_inner(self.store).ok_or_else(|| CheckpointError::parts(path, "is in use"))
    }

    /// Accounts for every tensor and every parameter of these shapes; tensors whose name `ignored`
    /// says to be of no use are not missed when they are unused.
    pub fn account(&self, wanted: &BTreeMap<String, Shape>, ignored: fn(&str) -> bool) -> Account {
        let mut account = Account::default();
        let (mut used, mut renamed) = (BTreeSet::new(), BTreeSet::new());
        for (name, shape) in wanted {
            account.differences.extend(self.find(name, shape).err());
            let mapping = self.mappings.get(name);
            let terms = mapping.into_iter().flat_map(|mapping| &mapping.terms);
            for term in terms {
                used.insert(term.tensor.as_str());
                renamed.extend((term.tensor != *name).then_some(term.tensor.as_str()));
            }
        }
        for stored in self.store.tensors() {
            let name = stored.name.as_str();
            if used.contains(name) {
                account.used += 1;
                account.renamed += usize::from(renamed.contains(name));
            } else if ignored(name) {
                account.ignored += 1;
            } else {
                let words = format!("tensor {name:?} of shape {:?} is not used", stored.shape);
                let unused = Difference::new(DifferenceKind::Unused, words);
                account.differences.push(unused);
            }
        }
        account
    }

    /// The mapping of a parameter of this shape, or what is wrong with it.
    fn find(&self, name: &str, shape: &Shape) -> Result<&WeightMapping, Difference> {
        let unknown = || {
            let shape = shape.dims();
            let words = format!("no tensor is known to hold {name} of shape {shape:?}");
            Difference::new(DifferenceKind::Missing, words)
        };
        let mapping = self.mappings.get(name).ok_or_else(unknown)?;
        mapping
            .problem(name, shape, &self.store)
            .map_or(Ok(mapping), Err)
    }

    fn mapping(&self, name: &str, shape: &Shape) -> CandleResult<&WeightMapping> {
        let mapping = self.find(name, shape);
        mapping.or_else(|problem| bail!("{}", problem.words))
    }

    fn matrix_of(&self, mapping: &WeightMapping, shape: &Shape) -> CandleResult<StoredMatrix> {
        let cols = cols(shape);
        let mut parts = Vec::new();
        for term in &mapping.terms {
            let stored = self.store.get(&term.tensor);
            let rows = stored.and_then(|stored| term.rows(&stored.shape, shape.rank(), cols));
            let rows = rows.unwrap_or_default();
            parts.extend(self.store.rows(&term.tensor, cols, rows)?);
        }
        StoredMatrix::new(shape.dims(), parts).map_err(candle_core::Error::wrap)
    }
}

impl Parameters for StoredParameters {
    fn tensor(&self, spec: &ParameterSpec) -> CandleResult<Tensor> {
        let (name, shape) = (spec.name.as_str(), &spec.shape);
        let mapping = self.mapping(name, shape)?;
        let cols = cols(shape);
        let mut numbers = Vec::with_capacity(shape.elem_count());
        for term in &mapping.terms {
            let tensor = self.store.tensor(&term.tensor, &HOST)?;
            let rows = term.rows(tensor.dims(), shape.rank(), cols);
            let all = tensor
                .to_dtype(DType::F32)?
                .flatten_all()?
                .to_vec1::<f32>()?;
            for rows in rows.unwrap_or_default() {
                numbers.extend_from_slice(&all[rows.start * cols..rows.end * cols]);
            }
        }
        let tensor = Tensor::from_vec(numbers, shape, &HOST)?;
        let added = self.tuned.as_ref().map(|tuned| tuned.added(name));
        match added.transpose()?.flatten() {
            Some(added) => (tensor + added)?.to_device(&self.placement.device),
            None => tensor.to_device(&self.placement.device),
        }
    }

    fn matrix(&self, spec: &ParameterSpec) -> CandleResult<Weight> {
        let (name, shape) = (spec.name.as_str(), &spec.shape);
        let mapping = self.mapping(name, shape)?;
        if self.tuned.as_ref().is_some_and(|tuned| tuned.changes(name)) {
            return Ok(self.tensor(spec)?.into());
        }
        // Rows are computed with where they lie on the processor alone.
        if !self.copied.has(name) && self.placement.device.is_cpu() {
            return Ok(self.matrix_of(mapping, shape)?.into());
        }
        if let Some(tensor) = mapping.whole() {
            let tensor = self.store.tensor(tensor, &self.placement.device)?;
            return Ok(tensor.reshape(shape)?.into());
        }
        Ok(self.tensor(spec)?.into())
    }
}
