//! What training changed of a model, kept apart from the model: a folder with `adapter.toml`,
//! which says where the model lies, and `model.safetensors`.
//!
//! A tensor of it takes the place of the model's parameter of the same name. A pair `NAME.lora_a`
//! (.., r, I) and `NAME.lora_b` (.., O, r) is added to the matrix (.., O, I) of that name:
//! `W + alpha / r * B A` (LoRA, arXiv:2106.09685). The model's own files are never written.

use crate::error::CheckpointError;
use crate::files::{self, ModelFiles, WEIGHTS};
use crate::parts::{DEEPEST, PartSource};
use crate::save::{self, WeightFormat};
use crate::store::Store;
use avocet_model::parameter_shapes;
use candle_core::{DType, Device, Result as CandleResult, Shape, Tensor};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// Says what an adapter belongs to.
pub const ADAPTER: &str = "adapter.toml";
/// Ends the names of the two factors.
pub const LORA: (&str, &str) = (".lora_a", ".lora_b");
/// The folder that a run or an exported adapter keeps its model in.
const BASE: &str = "base";
/// How names begin in the joined store, so that none are the same.
const OF_BASE: &str = "base/";
const TUNED: &str = "tuned/";
const MAX_ADAPTER: u64 = 1 << 20;

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
pub(crate) struct Tuned {
    adapter: Adapter,
    /// The pairs of factors; what is replaced is among the model's own tensors.
    factors: Store,
    replaced: BTreeSet<String>,
    scaled: BTreeSet<String>,
}

impl Adapter {
    /// As it is written to `adapter.toml`.
    ///
    /// Errors if a path in it is not Unicode.
    pub fn to_toml(&self) -> Result<String, CheckpointError> {
        toml::to_string(self).map_err(|error| refuse(&self.base, error.to_string()))
    }

    /// Errors if the base is neither in `folder` nor beside it.
    fn read(folder: &Path) -> Result<Self, CheckpointError> {
        let path = folder.join(ADAPTER);
        let text = String::from_utf8_lossy(&files::read(&path, MAX_ADAPTER)?).into_owned();
        let adapter: Self = toml::from_str(&text).map_err(|e| refuse(&path, e.to_string()))?;
        let mut steps = adapter.base.components().peekable();
        steps.next_if(|step| *step == Component::ParentDir);
        let plain = steps.peek().is_some() && steps.all(|s| matches!(s, Component::Normal(_)));
        if !plain {
            let reason = format!(
                "base {:?} is neither in this folder nor beside it",
                adapter.base
            );
            return Err(refuse(&path, reason));
        }
        if let Some(lora) = adapter.lora
            && (lora.rank == 0 || !lora.alpha.is_finite())
        {
            return Err(refuse(
                &path,
                "lora.rank or lora.alpha is out of range".into(),
            ));
        }
        Ok(adapter)
    }
}

fn refuse(path: &Path, reason: String) -> CheckpointError {
    CheckpointError::Parts {
        path: path.to_owned(),
        reason,
    }
}

/// Puts the files of a model into `folder`, to be the base of adapters in it: where they then are,
/// from there. Files are linked where they can be; what lies there already is kept.
///
/// Errors if the model is an adapter itself, or a file cannot be written.
pub fn place_base(source: &PartSource<'_>, folder: &Path) -> Result<PathBuf, CheckpointError> {
    let placed = folder.join(BASE);
    if !placed.exists() {
        // A name of its own until all files are there.
        let begun = format!(".{BASE}.tmp");
        let temp = folder.join(&begun);
        if temp.exists() {
            std::fs::remove_dir_all(&temp).map_err(CheckpointError::io(&temp))?;
        }
        source.place(folder, &begun)?;
        std::fs::rename(&temp, &placed).map_err(CheckpointError::io(&placed))?;
    }
    Ok(match source {
        PartSource::Path(path) if path.is_file() => {
            Path::new(BASE).join(path.file_name().unwrap_or_default())
        }
        _ => BASE.into(),
    })
}

/// Opens the adapter in `folder` over its base, itself so many folders deep.
pub(crate) fn open(folder: &Path, depth: usize) -> Result<ModelFiles, CheckpointError> {
    let path = folder.join(ADAPTER);
    if depth >= DEEPEST {
        return Err(refuse(
            &path,
            format!("is a part of a part, more than {DEEPEST} deep"),
        ));
    }
    let adapter = Adapter::read(folder)?;
    let mut files = ModelFiles::open_within(&folder.join(&adapter.base), depth + 1)?;
    let weights = folder.join(WEIGHTS);
    let shapes = parameter_shapes(&files.config)?;
    let (mut replaced, mut scaled) = (BTreeSet::new(), BTreeSet::new());
    let stored = Store::safetensors(&weights)?;
    for tensor in stored.tensors() {
        let pair = [LORA.0, LORA.1]
            .iter()
            .find_map(|end| tensor.name.strip_suffix(end));
        let name = pair.unwrap_or(&tensor.name);
        if !shapes.contains_key(name) {
            let reason = format!(
                "tensor {:?} belongs to no parameter of the base",
                tensor.name
            );
            return Err(refuse(&weights, reason));
        }
        match pair {
            Some(name) => scaled.insert(name.to_owned()),
            None => replaced.insert(name.to_owned()),
        };
    }
    for name in &scaled {
        check_factors(&stored, name, &shapes[name], &adapter).map_err(|r| refuse(&weights, r))?;
    }
    let is_factor = |name: &str| name.ends_with(LORA.0) || name.ends_with(LORA.1);
    let factors = stored.renamed(|name| is_factor(name).then(|| name.to_owned()));
    // What only served parameters that were replaced is needed no more.
    let (mut needed, mut dropped) = (BTreeSet::new(), BTreeSet::new());
    for (name, recipe) in files.recipes.iter() {
        let tensors = recipe.terms.iter().map(|term| term.tensor.clone());
        match replaced.contains(name) {
            true => dropped.extend(tensors),
            false => needed.extend(tensors),
        }
    }
    dropped.retain(|name| !needed.contains(name));
    let mut store = Store::empty();
    let base = Arc::into_inner(files.store).ok_or_else(|| refuse(&path, "is in use".into()))?;
    store.join(base, |name| {
        (!dropped.contains(name)).then(|| format!("{OF_BASE}{name}"))
    });
    let tuned = Store::safetensors(&weights)?;
    store.join(tuned, |name| {
        (!is_factor(name)).then(|| format!("{TUNED}{name}"))
    });
    let recipes = files.recipes.iter().map(|(name, recipe)| {
        let recipe = match replaced.contains(name) {
            true => crate::recipe::Recipe::same(name).below(TUNED),
            false => recipe.below(OF_BASE),
        };
        (name.clone(), recipe)
    });
    files.recipes = Arc::new(recipes.collect());
    files.store = Arc::new(store);
    files.config.name.clone_from(&adapter.name);
    files.path = folder.to_owned();
    files.weights = weights;
    files.tuned = Some(Arc::new(Tuned {
        adapter,
        factors,
        replaced,
        scaled,
    }));
    Ok(files)
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

impl Tuned {
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
            let tensor = self.factors.tensor(&format!("{name}{end}"), &Device::Cpu)?;
            tensor.to_dtype(DType::F32)
        };
        let product = factor(LORA.1)?.matmul(&factor(LORA.0)?)?;
        product.affine(lora.factor(), 0.0).map(Some)
    }
}

impl ModelFiles {
    /// What was trained of the model, if its folder is an adapter.
    pub fn adapter(&self) -> Option<&Adapter> {
        self.tuned.as_ref().map(|tuned| &tuned.adapter)
    }

    /// Writes the adapter anew with its factors multiplied out, together with its base, so that
    /// `folder` holds all that is needed.
    ///
    /// Errors if this is no adapter, `folder` holds files, or they cannot be written.
    pub fn export_adapter(
        &self,
        folder: &Path,
        format: WeightFormat,
    ) -> Result<(), CheckpointError> {
        let Some(tuned) = &self.tuned else {
            return Err(refuse(&self.path, "is no adapter".into()));
        };
        crate::parts::check_output(folder)?;
        std::fs::create_dir_all(folder).map_err(CheckpointError::io(folder))?;
        let base = self.path.join(&tuned.adapter.base);
        let base = place_base(&PartSource::Path(&base), folder)?;
        let names: BTreeSet<&String> = tuned.replaced.union(&tuned.scaled).collect();
        let (builder, shapes) = (self.builder()?, parameter_shapes(&self.config)?);
        let tensors = names.into_iter().map(|name| {
            let init = candle_nn::Init::Const(0.0);
            Ok((
                name.clone(),
                builder.tensor(shapes[name].clone(), name, init)?,
            ))
        });
        let tensors = tensors.collect::<CandleResult<BTreeMap<_, _>>>()?;
        let adapter = Adapter {
            base,
            lora: None,
            ..tuned.adapter.clone()
        };
        let weights = folder.join(WEIGHTS);
        let weights = save::serialised(&self.config, &tensors, format, &weights)?;
        let text = adapter.to_toml()?;
        save::write_all(
            folder,
            &[
                (folder.join(WEIGHTS), weights.as_slice()),
                (folder.join(ADAPTER), text.as_bytes()),
            ],
        )
    }
}
