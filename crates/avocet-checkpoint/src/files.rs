//! A model's files, opened: its shape, its tensors and how they make its parameters, its interface.

use crate::concepts::{ConceptTable, Concepts};
use crate::error::{CheckpointError, Result};
use crate::families;
use crate::interface::{Interface, Speech};
use crate::layout::CONCEPTS;
use crate::parameters::{Account, Adapter, StoredParameters};
use crate::tensors::StoredTensor;
use avocet_config::ModelConfig;
use avocet_kernels::Placement;
use avocet_media::ImageProcessor;
use avocet_model::{Builder, ParameterSpec, parameter_shapes, parameter_specs};
use avocet_text::ChatTokenizer;
use candle_core::Tensor;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Differences named before the rest is only counted.
pub(crate) const MOST_NAMED: usize = 20;

/// A model on disk or in the binary: its configuration read, its weights mapped and their header
/// checked, its tokenizer still bytes.
pub struct ModelFiles {
    /// Where it is, for messages.
    pub(crate) path: PathBuf,
    /// The file or folder that holds the weights, for messages.
    pub(crate) weights: PathBuf,
    pub(crate) family: &'static str,
    pub(crate) config: ModelConfig,
    pub(crate) interface: Interface,
    pub(crate) stored: StoredParameters,
    /// The table of the recogniser's classes, if there is one.
    pub(crate) concepts: Option<Cow<'static, [u8]>>,
}

impl ModelFiles {
    /// Where the model is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was trained of the model, if its folder is an adapter.
    pub fn adapter(&self) -> Option<&Adapter> {
        self.stored.tuned.as_ref().map(|tuned| &tuned.adapter)
    }

    /// What family the model is of, as people call it.
    pub fn family(&self) -> &'static str {
        self.family
    }

    /// The model's shape.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Changes a field of the configuration: `cross_attention.without_image=nothing`, for example.
    ///
    /// Errors if there is no such field or it cannot have the value. Whether the stored tensors
    /// still fit is checked when the network is built.
    pub fn set(&mut self, assignment: &str) -> Result<()> {
        let refuse = |reason: String| CheckpointError::Setting {
            assignment: assignment.to_owned(),
            reason,
        };
        let Some((path, value)) = assignment.split_once('=') else {
            return Err(refuse("is not FIELD=VALUE".into()));
        };
        let parsed: Result<toml::Table, _> = toml::from_str(&format!("value = {value}"));
        let value = parsed.ok().and_then(|mut table| table.remove("value"));
        let value = value.unwrap_or_else(|| assignment[path.len() + 1..].into());
        let whole: toml::Table =
            toml::from_str(&self.config.to_toml()).map_err(|error| refuse(error.to_string()))?;
        let mut whole = toml::Value::Table(whole);
        let mut place = &mut whole;
        for field in path.split('.') {
            let table = place.as_table_mut();
            let table = table.ok_or_else(|| refuse(format!("{field} is in no table")))?;
            place = table
                .entry(field.trim())
                .or_insert_with(|| toml::Value::Table(toml::Table::new()));
        }
        *place = value;
        let text = toml::to_string(&whole).map_err(|error| refuse(error.to_string()))?;
        self.config = ModelConfig::from_toml(&text).map_err(|error| refuse(error.to_string()))?;
        if let Some(ImageProcessor::Native { .. }) = &self.interface.processor {
            self.interface.processor = native(&self.config);
        }
        Ok(())
    }

    /// How pictures are prepared for the model, if it sees them.
    pub fn processor(&self) -> Option<&ImageProcessor> {
        self.interface.processor.as_ref()
    }

    /// How the model is spoken to: its tokenizer, read and checked, and its prompts.
    pub fn language(&self) -> Result<ChatTokenizer> {
        self.interface.speech.language()
    }

    /// The bytes of `tokenizer.json`, if the tokenizer is one of our own.
    ///
    /// Errors if it is a public model's: our training and prompts need tokens that it lacks.
    pub fn tokenizer_bytes(&self) -> Result<&[u8]> {
        match &self.interface.speech {
            Speech::Own { bytes, .. } => Ok(bytes),
            Speech::Hub(_) | Speech::Gguf(_) | Speech::Seeing { .. } => {
                Err(CheckpointError::ForeignTokenizer {
                    path: self.path.clone(),
                    family: self.family,
                })
            }
        }
    }

    /// The bytes of the table of the recogniser's classes, if the model has one.
    pub fn concept_bytes(&self) -> Option<&[u8]> {
        self.concepts.as_deref()
    }

    /// What the classes of the model's recogniser are called, read, checked and spelled in the
    /// model's tokens; none if it recognises nothing.
    ///
    /// Errors name the file, and the line in it; also where a model that recognises things lacks
    /// it.
    pub fn concepts(&self) -> Result<Option<Concepts>> {
        let (Some(config), Some(tower)) = (&self.config.concepts, &self.config.efficient_net)
        else {
            return Ok(None);
        };
        let wrong = |reason: String| CheckpointError::Concepts {
            path: self.path.join(CONCEPTS),
            reason,
        };
        let Some(bytes) = &self.concepts else {
            let reason = "is missing; it says what the classes that the model recognises are \
                          called (`avocet data concepts` makes it)";
            return Err(wrong(reason.into()));
        };
        let text = std::str::from_utf8(bytes).map_err(|error| wrong(error.to_string()))?;
        let table = ConceptTable::parse(text, tower.num_classes).map_err(&wrong)?;
        let concepts = Concepts::new(table, config, &self.language()?);
        Ok(Some(concepts.map_err(|error| wrong(error.to_string()))?))
    }

    /// Every stored tensor, sorted by name.
    pub fn tensors(&self) -> impl Iterator<Item = &StoredTensor> {
        self.stored.store.tensors()
    }

    /// Bytes of the files that hold the weights.
    pub fn weight_bytes(&self) -> usize {
        self.stored.store.num_bytes()
    }

    /// Every difference between the stored tensors and the parameters of the configured model, in
    /// words: missing ones, unused ones, and ones of another shape.
    pub fn differences(&self) -> Result<Vec<String>> {
        let found = self.account()?.differences.into_iter();
        Ok(found.map(|difference| difference.words).collect())
    }

    /// How the stored tensors serve the parameters of the configured model.
    pub(crate) fn account(&self) -> Result<Account> {
        let wanted = parameter_shapes(&self.config)?;
        Ok(self.stored.account(&wanted, families::is_ignored))
    }

    /// Whether the large matrix of this name is computed with where it lies in the files; those of
    /// our own small models are copied to memory.
    pub fn is_mapped(&self, name: &str) -> bool {
        !self.stored.copied.has(name)
    }

    /// Errors, naming each difference with both shapes, unless the stored tensors are exactly
    /// those of the configured model: none missing, none unused, none of another shape.
    pub fn check(&self) -> Result<()> {
        let mut found = self.differences()?;
        let more = found.len().saturating_sub(MOST_NAMED);
        found.truncate(MOST_NAMED);
        if more > 0 {
            found.push(format!("and {more} more"));
        }
        if found.is_empty() {
            return Ok(());
        }
        Err(CheckpointError::Mismatch {
            path: self.weights.clone(),
            differences: found.join("; "),
        })
    }

    /// The same files for a network that is placed so; else it is on the processor, in f32.
    pub fn placed(mut self, placement: Placement) -> Self {
        self.stored.placement = placement;
        self
    }

    /// Where the network is, and how it multiplies.
    pub fn placement(&self) -> &Placement {
        &self.stored.placement
    }

    /// What the network is built with. The matrices of public models stay where they lie, in the
    /// form in which they are stored; those of our own are copied, BF16 as it is.
    ///
    /// Errors as [`ModelFiles::check`] does, before anything is copied.
    pub fn builder(&self) -> Result<Builder> {
        self.check()?;
        Ok(self.stored.builder())
    }

    /// Every parameter of the model by our own name, copied to F32: what is needed to write the
    /// model anew.
    ///
    /// Errors as [`ModelFiles::check`] does, before anything is copied.
    pub fn parameters(&self) -> Result<BTreeMap<String, Tensor>> {
        let builder = self.builder()?;
        let specs = parameter_specs(&self.config)?;
        let tensor = |spec: ParameterSpec| Ok((spec.name.clone(), builder.tensor_of(&spec)?));
        specs.into_iter().map(tensor).collect()
    }
}

/// How pictures are prepared for a vision tower of our own, or for an EfficientNet-Lite.
pub(crate) fn native(config: &ModelConfig) -> Option<ImageProcessor> {
    if let Some(tower) = config.convolutional_tower() {
        return Some(ImageProcessor::efficient_net(tower.image_size));
    }
    let tower = config.vision.as_ref()?;
    Some(ImageProcessor::Native {
        patch_size: tower.patch_size,
        max_patches: tower.max_patches,
    })
}
