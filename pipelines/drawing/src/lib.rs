//! What pipelines draw with: canvases, backgrounds, typefaces, lines of text, and the words that
//! are asked and written.
//!
//! packages (fetched by `avocet-fetch`) -> [`Package`] -> [`Face`]s as outlines -> [`Layout`] ->
//! [`Canvas`] -> PNG.
//!
//! - `canvas`, `colours`, `background`, `backdrop`: pixels.
//! - `sprite`, `layer`, `bend`: drawings with transparency, at any size and bent; `screen`: windows;
//!   `keeping`, `sizes`: drawings in files as people keep them.
//! - `fonts`: the families that are drawn with, and their outlines; `typefaces`: hundreds more, from
//!   files that `woff` unpacks; `cases`: those whose small letters are capitals; `layout`, `strip`:
//!   a line in a face.
//! - [`wording`]: questions that several pipelines ask; `amounts`: prices as they are written.
//!
//! Everything drawn at random comes from the caller's generator, so that a seed gives the same
//! picture on every machine.

mod amounts;
mod backdrop;
mod background;
mod bend;
mod canvas;
mod cases;
mod colours;
mod fonts;
mod keeping;
mod layer;
mod layout;
mod package;
mod screen;
mod sizes;
mod sprite;
mod strip;
mod typefaces;
mod woff;
pub mod wording;

pub use amounts::{Currency, currency, price};
pub use backdrop::photograph_like;
pub use background::Background;
pub use bend::{Bend, Outline, Wave};
pub use canvas::Canvas;
pub use colours::{Rgb, between, field_colours, ink_and_field, luminance};
pub use fonts::{Curve, FAMILIES, Face, Glyph, UNSEEN_FAMILIES, characters, family, glyph};
pub use keeping::{Habits, file_of};
pub use layer::Layer;
pub use layout::Layout;
pub use package::{Package, PackageError};
pub use screen::{Rect, fill, screen};
pub use sizes::{any_size, is_for_tests};
pub use sprite::{Placement, Sprite};
pub use strip::strip;
pub use typefaces::{TYPEFACES, typeface};
