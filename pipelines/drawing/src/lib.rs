//! What pipelines draw with: canvases, backgrounds, typefaces, lines of text, and the words that
//! are asked and written.
//!
//! packages (fetched by `avocet-fetch`) -> [`Package`] -> [`Face`]s as outlines -> [`Layout`] ->
//! [`Canvas`] -> PNG.
//!
//! - `canvas`, `colours`, `background`: pixels.
//! - `fonts`: the families that are drawn with, and their outlines; `typefaces`: hundreds more, from
//!   files that `woff` unpacks; `cases`: those whose small letters are capitals; `layout`: a line in
//!   a face.
//! - [`wording`]: questions that several pipelines ask; `amounts`: prices as they are written.
//!
//! Everything drawn at random comes from the caller's generator, so that a seed gives the same
//! picture on every machine.

mod amounts;
mod background;
mod canvas;
mod cases;
mod colours;
mod fonts;
mod layout;
mod package;
mod typefaces;
mod woff;
pub mod wording;

pub use amounts::{Currency, currency, price};
pub use background::Background;
pub use canvas::Canvas;
pub use colours::{Rgb, between, ink_and_field, luminance};
pub use fonts::{Curve, FAMILIES, Face, Glyph, UNSEEN_FAMILIES, characters, family, glyph};
pub use layout::Layout;
pub use package::{Package, PackageError};
pub use typefaces::{TYPEFACES, typeface};
