//! Screenshots of web pages with what can be read on them and questions about it.
//!
//! URLs, HTML files and folders, or pages made up by lot -> `RequestPolicy` (what a page may have) ->
//! `Renderer` (a real Chromium without a network) -> `Rendered` (a picture and what is
//! `PageSnapshot` on it) -> `questions` -> `avocet-data` shards.
//!
//! - [`make`]: the whole pipeline. [`address`]: one page for `avocet ask`.
//! - `chromium`: the browser process; `render`: one page in it; `synthetic`: made-up pages;
//!   `closer`: parts of them.

mod args;
mod chromium;
mod crops;
mod error;
mod fonts;
#[cfg(test)]
mod hostile;
mod inputs;
mod limits;
mod make;
mod one;
mod questions;
mod render;
mod renderer;
mod request_policy;
mod rounds;
mod scripts;
mod snapshot;
mod split;
mod synthetic;
mod view;
mod visit;
mod wording;

pub use args::Args;
pub use error::{PagesError, RenderError};
pub use make::make;
pub use one::{Shown, address, file};
pub use view::{View, Viewport};
