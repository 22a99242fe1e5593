//! Programs of others that set type: a browser with KaTeX or MathJax, matplotlib, TeX, ImageMagick.
//!
//! What is to be set -> [`Studio`] (small pages of ours in a browser), [`Matplotlib`], [`Tex`],
//! [`Magick`] -> pictures, one at a time or many.
//!
//! - `programs`: children without a shell, in a group of their own, for no longer than a deadline.
//! - [`is_program`]: which formulas are rather programs for what sets them.
//! - [`Press`]: the four that set formulas, with the typefaces that each has.
//!
//! None of the programs is needed by what does not ask for it: [`PressError::Tool`] names the
//! package of one that is missing.

mod error;
mod magick;
mod matplotlib;
mod picture;
mod press;
mod programs;
mod refused;
mod sheet;
mod studio;
mod tex;

pub use error::{PressError, Wanted};
pub use magick::{Magick, has_meaning};
pub use matplotlib::Matplotlib;
pub use picture::Drawn;
pub use press::{Press, Renderer};
pub use refused::is_program;
pub use sheet::Asked;
pub use studio::{Marked, SHOWN, Studio, script_string};
pub use tex::Tex;
