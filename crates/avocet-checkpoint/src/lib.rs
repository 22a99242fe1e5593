//! Model folders: `config.toml`, `model.safetensors` and `tokenizer.json`, which together are
//! enough to infer.
//!
//! - [`ModelFiles`]: opens a folder, or the same three files carried in a binary; nothing of a
//!   file is believed before it is checked.
//! - [`graft`] and [`upcycle`]: make one model of the files of others, which stay as they are.
//! - [`Adapter`]: what training changed of a model, beside the model.
//! - [`VisionFiles`]: a vision encoder alone.
//! - [`save`]: writes a folder so that a crash leaves whole files.
//! - [`ModelFiles::quantise`]: writes a model anew with its matrices in blocks.
//! - [`save_random`]: writes a folder of random weights, to measure a shape by.
//! - [`gguf`]: reads the files of llama.cpp, and makes their blocks.
//! - [`pickle`]: reads the files of `torch.save` without executing anything.
//! - [`Hub`]: fetches models of a hub into the cache that other tools share.
//! - [`doctor`]: what a model is, and whether it would run on this machine.
//! - [`resolve`]: what a model reference on the command line means.

mod adapter;
mod backend;
mod bytes;
pub mod doctor;
mod error;
mod families;
mod files;
#[cfg(test)]
mod fixture;
mod folder;
pub mod gguf;
mod header;
mod parts;
pub mod pickle;
mod quantise;
mod random;
mod recipe;
mod reference;
mod save;
mod speech;
mod store;
mod weights;

pub use adapter::{ADAPTER, Adapter, LORA, LoraScale, factor_shapes, place_base};
pub use error::{CheckpointError, HeaderError};
pub use families::shape_alone as read_shape;
pub use files::{CONFIG, ModelFiles, TOKENIZER, WEIGHTS};
pub use header::StoredType;
pub use parts::{
    GraftOptions, PartSource, UpcycleOptions, VisionFiles, VisionShape, graft, upcycle,
};
pub use quantise::{BlockCount, BlockFormat};
pub use random::save_random;
pub use reference::{Reference, resolve};
pub use save::{WeightFormat, save};
pub use store::{NumberType, StoredTensor};
