//! Image files become plain arrays, and public archives become folders.
//!
//! `decode` turns hostile bytes into a [`Picture`] under [`Limits`];
//! [`Picture::blank`] says where nothing is to be seen;
//! [`Picture::patches`] cuts it into the rows the vision encoder reads;
//! [`ImageProcessor`] does so by the rules of the public families of models;
//! [`named`] finds the file, or the data, that a name stands for;
//! [`Sources`] fetches the archives that training data is made from, and keeps them in [`cache`];
//! [`web`] fetches what a user or a page names, from the public internet only.
//! [`child`] has the worker open video and sound, which [`video`] and [`audio`] ask for,
//! [`speech`] has it say what is spoken, and [`still`] has it decode single pictures;
//! [`system_limits`] says what any of them may use.
//! Nothing here knows a tensor.

pub mod audio;
mod blank;
pub mod cache;
pub mod child;
mod decode;
mod error;
pub mod named;
mod patches;
mod picture;
mod pillow;
mod processor;
mod resize;
pub mod sources;
pub mod speech;
pub mod still;
pub mod system_limits;
mod transparent;
pub mod video;
pub mod web;

pub use blank::Blank;
pub use cache::{CacheError, cache_folder};
pub use decode::{
    Damage, Decoded, Limits, check_kind, decode, decode_damaged, decode_transparent, kept,
    needs_worker, read,
};
pub use error::{ImageError, ReadError};
pub use patches::Patches;
pub use picture::Picture;
pub use pillow::Filter;
pub use processor::{Fit, ImageProcessor, ProcessorError};
pub use sources::{Revision, Source, SourceError, SourceKind, Sources};
pub use transparent::Transparent;
