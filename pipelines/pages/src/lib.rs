//! Screenshots of web pages with what can be read on them and questions about it.
//!
//! URLs, HTML files and folders, or pages made up by lot -> [`Gate`] (what a page may have) ->
//! [`Renderer`] (a real Chromium without a network) -> [`Rendered`] (a picture and what is
//! [`Seen`] on it) -> `questions` -> `avocet-data` shards.
//!
//! - [`run`], [`make`]: the whole pipeline. [`address`]: one page for `avocet ask`.
//! - [`chromium`]: the browser process; `render`: one page in it; [`synthetic`]: made-up pages;
//!   `closer`: parts of them.

mod args;
pub mod chromium;
mod closer;
mod error;
mod fonts;
mod gate;
#[cfg(test)]
mod hostile;
mod inputs;
mod limits;
mod make;
mod one;
mod questions;
mod render;
mod renderer;
mod rounds;
mod scripts;
mod seen;
mod share;
pub mod synthetic;
mod view;
mod visit;
mod wording;

pub use args::{Args, Split};
pub use error::{PagesError, RenderError};
pub use gate::Gate;
pub use limits::RenderLimits;
pub use make::{make, run};
pub use one::{Shown, address, file};
pub use render::Rendered;
pub use renderer::Renderer;
pub use seen::{Element, ElementKind, Fact, Line, Seen};
pub use view::{Extent, View, Viewport};
