//! Model folders: `config.toml`, `model.safetensors` and `tokenizer.json`, which together are
//! enough to infer.
//!
//! - [`ModelFiles`]: opens a folder, or the same three files carried in a binary; nothing of a
//!   file is believed before it is checked.
//! - [`graft`] and [`upcycle`]: make one model of the files of others, which stay as they are.
//! - [`Adapter`]: what training changed of a model, beside the model.
//! - [`Concepts`]: what a recogniser's classes are called, and how a network is shown them.
//! - [`VisionFiles`]: a vision encoder alone.
//! - [`EfficientNetFiles`]: an EfficientNet-Lite alone, features and classifier.
//! - [`save`]: writes a folder so that a crash leaves whole files.
//! - [`ModelFiles::quantise`]: writes a model anew with its matrices in blocks.
//! - [`save_random`]: writes a folder of random weights, to measure a shape by.
//! - [`gguf`]: reads the files of llama.cpp, and makes their blocks.
//! - [`pickle`]: reads the files of `torch.save` without executing anything.
//! - [`doctor`]: what a model is, and whether it would run on this machine.
//! - [`resolve`]: what a model reference on the command line means.
//!
//! The modules lie on floors, each of which uses those below it alone: `layout`, `error`; `io`,
//! `formats`; `tensors`, `parameters`; `interface`, `families`, `concepts`; `files`, `composite`, `open`;
//! `writers`, `doctor`. `reference` finds the folder to begin with.

mod composite;
mod concepts;
pub mod doctor;
mod error;
mod families;
mod files;
#[cfg(test)]
mod fixture;
mod formats;
mod interface;
mod io;
mod layout;
mod open;
mod parameters;
mod reference;
mod tensors;
mod writers;

pub use composite::{VisionFiles, VisionShape};
pub use concepts::{Class, ConceptTable, Concepts, Posterior};
pub use error::CheckpointError;
pub use families::{EfficientNetFiles, HeadNorm, is_efficient_net, shape_alone as read_shape};
pub use files::ModelFiles;
pub use formats::safetensors::{HeaderError, StoredType};
pub use formats::{gguf, pickle};
pub use layout::{ADAPTER, CONCEPTS, CONFIG, TOKENIZER, WEIGHTS};
pub use parameters::{Adapter, LORA, LoraScale, factor_shapes};
pub use reference::{Reference, resolve};
pub use tensors::{NumberType, StoredTensor};
pub use writers::{
    BlockCount, BlockFormat, GraftOptions, PartSource, UpcycleOptions, WeightFormat, graft,
    place_base, save, save_random, upcycle,
};
