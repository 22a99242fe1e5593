//! Small test sets of what other people drew, photographed, set in type and wrote: how a model does
//! on pictures that no pipeline of ours has drawn. None of it is for training.
//!
//! packages (fetched by `avocet-fetch`) -> what a set is made of, read once (`Maker`) -> pictures
//! as people keep them (`files`), or as another program sets them -> questions with all answers
//! that are right -> `avocet-data` shards, a dataset for each [`Set`].
//!
//! - [`make`]: the whole pipeline.
//! - `rcc`, `licences`, `names`, `photographs`: photographs out of a Qt program's resources.
//! - `icons`, `svg`, `files`: drawings of other artists as files; `emoji`, `flags`: theirs.
//! - `documentation`, `faces`, `grounds`, `text`: lines of manuals in typefaces kept out.
//! - `formulas`: the same formulas set by the programs of `presses`; `pages`: manuals in a browser.
//!   `unknowable`: what nobody could answer.

mod args;
mod asked;
mod documentation;
mod emoji;
mod error;
mod faces;
mod files;
#[cfg(test)]
mod fixture;
mod flags;
mod formulas;
mod grounds;
mod icons;
mod licences;
mod make;
mod names;
mod order;
mod pages;
mod photographs;
mod rcc;
mod sets;
mod svg;
mod text;
mod unknowable;

pub use args::{Args, Sets};
pub use error::OtherHandsError;
pub use make::make;
pub use sets::Set;
