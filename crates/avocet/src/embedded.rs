//! The model that is part of the binary.

use avocet_checkpoint::{CheckpointError, ModelFiles, PartSource};

/// The name it is asked for by.
pub const NAME: &str = "mini";

static CONFIG: &str = include_str!("../../../assets/mini/config.toml");
/// Its weights. A constant of bytes would be copied into each unit of code that names it.
pub static WEIGHTS: &[u8] = include_bytes!("../../../assets/mini/model.safetensors");
/// Its tokenizer.
pub static TOKENIZER: &[u8] = include_bytes!("../../../assets/mini/tokenizer.json");

/// Its files; nothing is copied.
pub fn files() -> Result<ModelFiles, CheckpointError> {
    ModelFiles::embedded(CONFIG, WEIGHTS, TOKENIZER)
}

/// Its files, to become a part of another model.
pub fn part() -> PartSource<'static> {
    PartSource::Carried {
        config: CONFIG,
        weights: WEIGHTS,
        tokenizer: TOKENIZER,
    }
}
