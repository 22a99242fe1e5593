//! Model folders: `config.toml`, `model.safetensors` and `tokenizer.json`, which together are
//! enough to infer.
//!
//! - [`ModelFiles`]: opens a folder, or the same three files carried in a binary; nothing of a
//!   file is believed before it is checked.
//! - [`save`]: writes a folder so that a crash leaves whole files.
//! - [`gguf`]: reads the files of llama.cpp, and makes their blocks.
//! - [`pickle`]: reads the files of `torch.save` without executing anything.
//! - [`Hub`]: fetches models of a hub into the cache that other tools share.
//! - [`doctor`]: what a model is, and whether it would run on this machine.
//! - [`resolve`]: what a model reference on the command line means.

mod backend;
mod bytes;
pub mod doctor;
mod error;
mod families;
mod files;
#[cfg(test)]
mod fixture;
pub mod gguf;
mod header;
mod hub;
pub mod pickle;
mod recipe;
mod reference;
mod save;
mod speech;
mod store;
mod weights;

pub use error::{CheckpointError, HeaderError};
pub use files::{CONFIG, ModelFiles, TOKENIZER, WEIGHTS};
pub use header::StoredType;
pub use hub::{CachedModel, Hub, HubError, HubId, HubSettings, Progress};
pub use reference::{Reference, resolve};
pub use save::{WeightFormat, save};
pub use store::{NumberType, StoredTensor};
