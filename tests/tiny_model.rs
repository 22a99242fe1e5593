//! A small model folder with fresh values and open gates, for tests that need a whole engine.

use std::collections::HashMap;

use anyhow::Result;
use avocet_checkpoint::{ModelFiles, WeightFormat, save};
use avocet_config::preset;
use avocet_infer::Engine;
use avocet_kernels::Placement;
use avocet_model::VisionLanguageModel;
use avocet_text::train_bpe;
use avocet_train::{Params, Selection};
use tempfile::TempDir;

/// Writes the preset `tiny`, with a vocabulary that holds every byte, into a new folder.
pub fn folder() -> Result<TempDir> {
    let mut config = preset("tiny")?;
    config.decoder.vocab_size = 300;
    config.decoder.max_context = 96;
    let texts = [
        "what is this?",
        "a red circle",
        "the flag of France",
        "what does it say?",
    ];
    let tokenizer = train_bpe(texts.iter().cycle().take(40), config.decoder.vocab_size)?;
    let params = Params::new(7, Selection::all(), HashMap::new(), &Placement::default());
    VisionLanguageModel::new(&config, params.builder())?;
    let folder = TempDir::new()?;
    let tensors = params.tensors(|_| true);
    save(
        folder.path(),
        &config.to_toml(),
        &tokenizer,
        &tensors,
        WeightFormat::F32,
    )?;
    Ok(folder)
}

/// The engine over such a folder.
pub fn engine() -> Result<Engine> {
    let folder = folder()?;
    Ok(Engine::load(&ModelFiles::open(folder.path())?)?)
}
