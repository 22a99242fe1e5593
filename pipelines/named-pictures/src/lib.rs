//! Pictures with names: shapes, flags, emoji, lines of text and of prices, each with a question
//! about it and a short answer, seeded and in any number.
//!
//! packages (fetched by `avocet-fetch`) -> [`PictureGenerator`] per kind (sprites, outlines and
//! words read once) -> [`Drawn`] per sample, from its own seed -> `avocet-data` shards.
//!
//! - [`make`]: the whole pipeline; [`Kind`]: what can be made.
//! - `shapes`, `easy_vqa`, `flags`, `continents`, `emoji`, `text`, `prices`: the kinds; `broad`,
//!   `browser`: lines of text for training;
//!   `hands` shows training what several artists drew: `artists` emoji, `ensigns` flags, out of
//!   `icons` and other files by `vector`, with `surroundings`; `countries`: other names;
//!   `clip_art` of what `titles` and `nouns` can name; `unsure`: what nobody can tell, painted by
//!   `nothing` and `untold` with `pens`;
//!   `wording`, `shape_questions`, `lines`, `sayings`: what is asked and written; `drawing` paints it.

mod args;
mod artists;
mod broad;
mod browser;
mod clip_art;
mod continents;
mod countries;
mod drawn;
mod easy_vqa;
mod emoji;
mod ensigns;
mod error;
#[cfg(test)]
mod fixture;
mod flags;
mod generator;
mod hands;
mod icons;
mod kinds;
mod lines;
mod named_sprites;
mod nothing;
mod nouns;
mod pens;
mod prices;
mod run;
mod sayings;
mod shape_questions;
mod shapes;
mod surroundings;
mod text;
mod titles;
mod unsure;
mod untold;
mod vector;
mod wording;
mod words;

pub use args::Args;
pub use drawn::{Drawing, Drawn};
pub use error::NamedPicturesError;
pub use generator::PictureGenerator;
pub use kinds::Kind;
pub use run::make;
