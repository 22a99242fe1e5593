//! What training changed of a model, kept apart from the model: a folder with `adapter.toml`,
//! which says where the model lies, and `model.safetensors`.
//!
//! A tensor of it takes the place of the model's parameter of the same name. A pair `NAME.lora_a`
//! (.., r, I) and `NAME.lora_b` (.., O, r) is added to the matrix (.., O, I) of that name:
//! `W + alpha / r * B A` (LoRA, arXiv:2106.09685). The model's own files are never written.

use crate::error::{CheckpointError, Result};
use crate::io;
use crate::layout::{ADAPTER, MAX_ADAPTER};
use crate::tensors::Store;
use avocet_kernels::HOST;
use candle_core::{DType, Result as CandleResult, Shape, Tensor};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

/// Ends the names of the two factors.
pub const LORA: (&str, &str) = (".lora_a", ".lora_b");

/// The content of `adapter.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adapter {
    /// What the changed model is called.
    pub name: String,
    /// Where the model is that was changed, from this folder: in it, or beside it.
    pub base: PathBuf,
    /// SHA-256 over the names and values of all parameters that were not changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unchanged_sha256: Option<String>,
    /// The scale of pairs of factors, if there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lora: Option<LoraScale>,
}

/// The scale of pairs of factors.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoraScale {
    /// Rows of the first factor, r.
    pub rank: usize,
    /// The product counts `alpha / rank` times.
    pub alpha: f64,
}

impl LoraScale {
    /// What the product of the factors is multiplied by.
    pub fn factor(&self) -> f64 {
        self.alpha / self.rank.max(1) as f64
    }
}

/// An adapter opened over its model.
pub(crate) struct AdapterWeights {
    pub adapter: Adapter,
    /// The pairs of factors; what is replaced is among the model's own tensors.
    factors: Store,
    pub replaced: BTreeSet<String>,
    pub scaled: BTreeSet<String>,
}

impl Adapter {
    /// As it is written to `adapter.toml`.
    ///
    /// Errors if a path in it is not Unicode.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|error| CheckpointError::parts(&self.base, error.to_string()))
    }

    /// Errors if the base is neither in `folder` nor beside it.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(ADAPTER);
        let text = String::from_utf8_lossy(&io::read(&path, MAX_ADAPTER)?).into_owned();
        let refuse = |reason: String| CheckpointError::parts(&path, reason);
        let adapter: Self = toml::from_str(&text).map_err(|e| refuse(e.to_string()))?;
        let mut steps = adapter.base.components().peekable();
        steps.next_if(|step| *step == Component::ParentDir);
        let plain = steps.peek().is_some() && steps.all(|s| matches!(s, Component::Normal(_)));
        if !plain {
            let reason = format!(
                "base {:?} is neither in this folder nor beside it",
                adapter.base
            );
            return Err(refuse(reason));
        }
        if let Some(lora) = adapter.lora
            && (lora.rank == 0 || !lora.alpha.is_finite())
        {
            return Err(refuse("lora.rank or lora.alpha is out of range".into()));
        }
        Ok(adapter)
    }
}

/// Whether a tensor of this name is one of two factors.
pub(crate) fn is_factor(name: &str) -> bool {
    name.ends_with(LORA.0) || name.ends_with(LORA.1)
}

/// Errors in words unless both factors of `name` are there and make a matrix of `shape`.
fn check_factors(
    stored: &Store,
    name: &str,
    shape: &Shape,
    adapter: &Adapter,
) -> Result<(), String> {
    let Some(lora) = adapter.lora else {
        return Err(format!("tensor {name}{} needs [lora] in {ADAPTER}", LORA.0));
    };
    let wanted = factor_shapes(shape, lora.rank);
    let (a, b) =
        wanted.ok_or_else(|| format!("{name} is no matrix: it has no low-rank factors"))?;
    for (end, wanted) in [(LORA.0, a), (LORA.1, b)] {
        let found = stored
            .get(&format!("{name}{end}"))
            .map(|tensor| &tensor.shape);
        if found != Some(&wanted) {
            return Err(format!(
                "tensor {name}{end} has shape {found:?}, not {wanted:?}"
            ));
        }
    }
    Ok(())
}

/// Shapes (.., r, I) and (.., O, r) of the factors of a matrix, or stack of them, (.., O, I);
/// `None` for what is no matrix.
pub fn factor_shapes(shape: &Shape, rank: usize) -> Option<(Vec<usize>, Vec<usize>)> {
    let (last, before) = shape.dims().split_last()?;
    let (outputs, stack) = before.split_last()?;
    let with = |tail: [usize; 2]| [stack, &tail].concat();
    Some((with([rank, *last]), with([*outputs, rank])))
}

impl AdapterWeights {
    /// What the file `weights` holds of `adapter`, over a base with parameters of these shapes.
    ///
    /// Errors if a tensor belongs to none of them, or a pair of factors does not make its matrix.
    pub fn read(
        adapter: Adapter,
        weights: &Path,
        shapes: &BTreeMap<String, Shape>,
    ) -> Result<Self> {
        let refuse = |reason: String| CheckpointError::parts(weights, reason);
        let (mut replaced, mut scaled) = (BTreeSet::new(), BTreeSet::new());
        let stored = Store::safetensors(weights)?;
        for tensor in stored.tensors() {
            let pair = [LORA.0, LORA.1]
                .iter()
                .find_map(|end| tensor.name.strip_suffix(end));
            let name = pair.unwrap_or(&tensor.name);
            if !shapes.contains_key(name) {
                let name = &tensor.name;
                let reason = format!("tensor {name:?} belongs to no parameter of the base");
                return Err(refuse(reason));
            }
            match pair {
                Some(name) => scaled.insert(name.to_owned()),
                None => replaced.insert(name.to_owned()),
            };
        }
        for name in &scaled {
            check_factors(&stored, name, &shapes[name], &adapter).map_err(refuse)?;
        }
        let factors = stored.renamed(|name| is_factor(name).then(|| name.to_owned()));
        Ok(Self {
            adapter,
            factors,
            replaced,
            scaled,
        })
    }

    /// Whether something is added to the matrix `name`.
    pub fn changes(&self, name: &str) -> bool {
        self.scaled.contains(name)
    }

    /// What is added to the matrix `name`, if anything is.
    pub fn added(&self, name: &str) -> CandleResult<Option<Tensor>> {
        let (true, Some(lora)) = (self.scaled.contains(name), self.adapter.lora) else {
            return Ok(None);
        };
        let factor = |end: &str| {
            let tensor = self.factors.tensor(&format!("{name}{end}"), &HOST)?;
            tensor.to_dtype(DType::F32)
        };
        let product = factor(LORA.1)?.matmul(&factor(LORA.0)?)?;
        product.affine(lora.factor(), 0.0).map(Some)
    }
}
