//! Pictures with names: shapes, flags, emoji, lines of text and of prices, each with a question
//! about it and a short answer, seeded and in any number.
//!
//! packages (fetched by `avocet-media`) -> [`Artist`] per kind (sprites, outlines and
//! words read once) -> [`Drawn`] per sample, from its own seed -> `avocet-data` shards.
//!
//! - [`run`], [`make`]: the whole pipeline; [`Kind`], [`Split`]: what can be made.
//! - `canvas`, `background`, `sprite`, `fonts`: painting.
//!   Other pipelines that draw paint with the same ones.
//! - `shapes`, `easy_vqa`, `flags`, `continents`, `emoji`, `text`, `prices`: the kinds;
//!   [`wording`], `shape_questions`, `lines`, `amounts`: what is asked and written.

mod amounts;
mod args;
mod artist;
mod background;
mod canvas;
mod continents;
mod drawn;
mod easy_vqa;
mod emoji;
mod error;
#[cfg(test)]
mod fixture;
mod flags;
mod fonts;
mod kinds;
mod layout;
mod lines;
mod named_sprites;
mod packages;
mod prices;
mod run;
mod shape_questions;
mod shapes;
mod sprite;
mod text;
pub mod wording;
mod words;

pub use amounts::{Currency, currency, price};
pub use args::Args;
pub use artist::Artist;
pub use background::Background;
pub use canvas::{Canvas, Rgb, between, luminance};
pub use drawn::{Drawing, Drawn};
pub use error::NamedPicturesError;
pub use fonts::{Curve, Face, Glyph, characters, family, glyph};
pub use kinds::{FAMILIES, Kind, Split, UNSEEN_FAMILIES};
pub use lines::is_held_out;
pub use packages::Package;
pub use run::{make, run};
pub use text::ink_and_field;
pub use wording::{TEXT as TEXT_QUESTIONS, ask};
