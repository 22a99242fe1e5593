//! Pages that stand alone: one file, light or dark as its reader has it, that asks no network for
//! anything and in which no text can become markup.
//!
//! [`Page`] is the frame of every page; a [`Dashboard`] fills it with figures, [`Plot`]s and
//! [`Table`]s; others bring a template of their own, in which a [`Picture`] stands as data.
//! [`numbers`] are written as people write them.

mod dashboard;
pub mod numbers;
mod page;
mod picture;
mod plot;
mod ticks;

pub use dashboard::{Dashboard, Table};
pub use page::Page;
pub use picture::{Picture, to_data_uri};
pub use plot::{Axis, Plot, Series};
