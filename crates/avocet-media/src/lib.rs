//! Picture, video and sound files become plain arrays, under limits.
//!
//! `decode` turns hostile bytes into a [`Picture`] under [`Limits`];
//! [`Picture::blank`] says where nothing is to be seen;
//! [`Picture::patches`] cuts it into the rows the vision encoder reads;
//! [`ImageProcessor`] does so by the rules of the public families of models;
//! [`named`] finds the file, or the data, that a name stands for;
//! [`child`] has the worker open video and sound, which [`video`] and [`audio`] ask for,
//! [`speech`] has it say what is spoken, and [`still`] has it decode single pictures;
//! [`system_limits`] says what any of them may use.
//! Nothing here knows a tensor.

pub mod audio;
mod blank;
pub mod child;
mod decode;
mod error;
pub mod named;
mod patches;
mod picture;
mod pillow;
mod processor;
mod recognition;
mod resize;
mod soft_noise;
pub mod speech;
pub mod still;
pub mod system_limits;
mod transparent;
mod varied;
pub mod video;

pub use blank::Blank;
pub use decode::{
    Damage, Decoded, Limits, check_kind, decode, decode_damaged, decode_transparent, kept,
    needs_worker, read,
};
pub use error::{ImageError, ReadError};
pub use patches::Patches;
pub use picture::Picture;
pub use pillow::Filter;
pub use processor::{Fit, ImageProcessor, ProcessorError};
pub use recognition::Recognition;
pub use transparent::Transparent;
pub use varied::Variation;
