//! Formulas and texts as pictures, each with its source: LaTeX in one normal form, or the
//! text as it reads.
//!
//! grammar, files, texts -> `normal` -> RaTeX's layout as outlines -> a picture with
//! faces, sizes, colours and noise from the sample's own seed -> `avocet-data` shards.
//!
//! - [`make`]: the whole pipeline; [`Kind`]: what can be made.
//! - `grammar`: formulas at random; `extract`, `macros`: formulas of files; `tokens`, `clean`:
//!   the one text that is drawn and answered; `normal`: the form of answers.
//! - `typeset`, `katex`, `lettering`: LaTeX to outlines; `page`, `compose`, `texts`: running
//!   text to outlines; `paint`: outlines to a picture file.
//! - `manuals`, `vary`: formulas that other people wrote, and what is made of them.
//! - `plan`: which formula a sample shows; `generator`: all of it for one sample; `hands`: formulas
//!   set by other people's programs, a batch at a time; `outlined`,
//!   `worn`: letters as people have pictures of them.

mod args;
mod clean;
mod compose;
mod error;
mod extract;
mod generator;
mod grammar;
mod hands;
mod katex;
mod kinds;
mod lettering;
mod macros;
mod manuals;
mod negated;
mod normal;
mod outlined;
mod page;
mod paint;
mod plan;
mod run;
mod split;
mod texts;
mod tokens;
mod typeset;
mod vary;
mod wording;
mod worn;

pub use args::{Args, SetBy};
pub use error::FormulasError;
pub use extract::{Markup, find as find_formulas};
pub use kinds::Kind;
pub use normal::normalise;
pub use run::make;
