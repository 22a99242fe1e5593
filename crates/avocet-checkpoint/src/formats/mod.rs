//! The forms that files of weights have; nothing of a file is believed before it is checked.

pub mod gguf;
pub mod pickle;
pub mod safetensors;
