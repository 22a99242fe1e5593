//! The shape that a name on the command line stands for.

use std::path::Path;

use anyhow::{Context, Result, bail};
use avocet_config::ModelConfig;
use avocet_plan::{KNOWN_MODELS, ModelShape, known_model};

use crate::input::model;

/// The shape that a name stands for: a preset, a published model, a TOML or `config.json` file, or a
/// model reference.
pub fn named(name: &str) -> Result<ModelShape> {
    let path = Path::new(name);
    if path.is_file() {
        let ending = path.extension().and_then(|ending| ending.to_str());
        match ending {
            Some("json") => return Ok((&avocet_checkpoint::read_shape(path)?).into()),
            Some("toml") => {
                let text = std::fs::read_to_string(path).with_context(|| name.to_owned())?;
                let config = ModelConfig::from_toml(&text).with_context(|| name.to_owned())?;
                return Ok((&config).into());
            }
            _ => {}
        }
    }
    if path.exists() || name.contains('/') {
        return Ok(model::open(name)?.config().into());
    }
    if let Some(shape) = known_model(name) {
        return Ok(shape);
    }
    match avocet_config::preset(name) {
        Ok(config) => Ok((&config).into()),
        Err(error) => bail!("{error}, {}", KNOWN_MODELS.join(", ")),
    }
}
