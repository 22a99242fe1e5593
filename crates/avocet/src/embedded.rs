//! The model that is part of the binary.

use avocet_checkpoint::{CheckpointError, ModelFiles};

/// The name it is asked for by.
pub const NAME: &str = "mini";

const CONFIG: &str = include_str!("../../../assets/mini/config.toml");
const WEIGHTS: &[u8] = include_bytes!("../../../assets/mini/model.safetensors");
/// Its tokenizer.
pub const TOKENIZER: &[u8] = include_bytes!("../../../assets/mini/tokenizer.json");

/// Its files; nothing is copied.
pub fn files() -> Result<ModelFiles, CheckpointError> {
    ModelFiles::embedded(CONFIG, WEIGHTS, TOKENIZER)
}
