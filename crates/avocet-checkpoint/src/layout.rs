//! What the files of a model are called, and how long those are at most that are read whole.

use std::path::Path;

/// The shape of a model of our own.
pub const CONFIG: &str = "config.toml";
/// The model's parameters.
pub const WEIGHTS: &str = "model.safetensors";
/// The model's tokenizer.
pub const TOKENIZER: &str = "tokenizer.json";
/// What the classes of the model's recogniser are called, if it has one.
pub const CONCEPTS: &str = "concepts.tsv";
/// Says what an adapter belongs to.
pub const ADAPTER: &str = "adapter.toml";
/// What a folder of parts is known by.
pub(crate) const PARTS: &str = "parts.toml";
/// The file that stands for all others of a folder, in blocks, under the same names.
pub(crate) const QUANTISED: &str = "model.gguf";

/// The parameters of a public model as `torch.save` writes them.
pub(crate) const PICKLED: &str = "pytorch_model.bin";
/// Stands behind the name of a file of weights for the list of its shards.
pub(crate) const INDEX: &str = ".index.json";
/// What a folder of a public model is known by.
pub(crate) const PUBLIC_CONFIG: &str = "config.json";
/// The shape of an EfficientNet-Lite beside its weights.
pub(crate) const EFFICIENT_NET: &str = "efficient_net.toml";
/// How a public model prepares pictures.
pub(crate) const PREPROCESSOR: &str = "preprocessor_config.json";
/// What stands beside a public model's tokenizer.
pub(crate) const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
pub(crate) const SPECIAL_TOKENS: &str = "special_tokens_map.json";
pub(crate) const TEMPLATE_JSON: &str = "chat_template.json";
pub(crate) const TEMPLATE_JINJA: &str = "chat_template.jinja";
pub(crate) const GENERATION: &str = "generation_config.json";

pub(crate) const MAX_CONFIG: u64 = 1 << 20;
pub(crate) const MAX_TOKENIZER: u64 = 64 << 20;
pub(crate) const MAX_CONCEPTS: u64 = 16 << 20;
pub(crate) const MAX_ADAPTER: u64 = 1 << 20;
pub(crate) const MAX_PARTS: u64 = 1 << 16;
pub(crate) const MAX_INDEX: u64 = 64 << 20;
pub(crate) const MAX_PUBLIC_CONFIG: u64 = 16 << 20;
/// Of each file beside a public model's tokenizer.
pub(crate) const MAX_SETTINGS: u64 = 4 << 20;

/// What a model is called that does not say: the last part of its path.
pub(crate) fn name_of(path: &Path) -> String {
    let name = path.file_stem().or(path.file_name());
    name.map_or_else(
        || "model".to_owned(),
        |name| name.to_string_lossy().into_owned(),
    )
}
