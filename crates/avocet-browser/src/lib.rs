//! Web pages as pictures, with what can be read on them.
//!
//! A page -> [`request_policy`] (what it may have) -> [`Renderer`] (a real Chromium without a
//! network) -> [`Rendered`] (a picture, and a [`snapshot`] of what is seen on it).
//!
//! - [`address`], [`file()`]: one page's first screen.
//! - `chromium`: the browser process; `render`: one page in it; `hostile`: pages that try to get
//!   out.

mod chromium;
mod error;
mod fonts;
#[cfg(test)]
mod hostile;
mod limits;
mod one;
mod render;
mod renderer;
pub mod request_policy;
mod rounds;
mod scripts;
pub mod snapshot;
mod view;
mod visit;

pub use chromium::BrowserError;
pub use error::RenderError;
pub use fonts::{Family, Fonts};
pub use limits::RenderLimits;
pub use one::{Shown, address, file, web_policy};
pub use render::Rendered;
pub use renderer::Renderer;
pub use view::{Extent, View, Viewport};
