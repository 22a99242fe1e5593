//! The model that fine-tuning starts from, and what of it changes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use avocet_checkpoint::{ADAPTER, Adapter, LoraScale, ModelFiles};
use avocet_data::BatchShape;
use avocet_model::Builder;
use avocet_text::ChatTokenizer;

use crate::config::StageConfig;
use crate::error::{Result, TrainError};

/// A whole model, of our own or of a public family, that fine-tuning starts from.
///
/// What is not trained stays where it lies in the model's files, in the number format that it is
/// stored in, and is only read.
pub struct BaseModel {
    files: ModelFiles,
    language: Arc<ChatTokenizer>,
    place: PathBuf,
    name: String,
}

impl BaseModel {
    /// `place` is where the model lies as seen from a checkpoint of the run; `name` is what the
    /// result is called.
    ///
    /// Errors if its tokenizer cannot be read.
    pub fn new(files: ModelFiles, place: PathBuf, name: String) -> Result<Self> {
        let language = files.language();
        let language = language.map_err(|error| TrainError::Model(error.to_string()))?;
        Ok(Self {
            files,
            language: Arc::new(language),
            place,
            name,
        })
    }

    /// The model's files.
    pub fn files(&self) -> &ModelFiles {
        &self.files
    }

    pub(crate) fn language(&self) -> Arc<ChatTokenizer> {
        self.language.clone()
    }

    pub(crate) fn shape(&self) -> BatchShape {
        let max_context = self.files.config().decoder.max_context;
        match self.files.processor() {
            Some(processor) => BatchShape {
                processor: processor.clone(),
                max_context,
            },
            None => BatchShape::blind(max_context),
        }
    }

    pub(crate) fn builder(&self) -> Result<Builder> {
        let builder = self.files.builder();
        builder.map_err(|error| TrainError::Model(error.to_string()))
    }

    /// What a checkpoint says the changed model is.
    pub(crate) fn described(
        &self,
        stage: &StageConfig,
        unchanged_sha256: &str,
    ) -> Result<BTreeMap<String, Vec<u8>>> {
        let adapter = Adapter {
            name: self.name.clone(),
            base: self.place.clone(),
            unchanged_sha256: Some(unchanged_sha256.to_owned()),
            lora: stage.lora.as_ref().map(LoraScale::from),
        };
        let text = adapter.to_toml();
        let text = text.map_err(|error| TrainError::Model(error.to_string()))?;
        Ok(BTreeMap::from([(ADAPTER.to_owned(), text.into_bytes())]))
    }
}
