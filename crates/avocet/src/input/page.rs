//! Pages, by URL or as HTML files: their first screen is what a model sees.

use std::ffi::OsStr;
use std::path::Path;

use anyhow::{Result, anyhow};
use avocet_browser::{RenderError, Shown, View};
use avocet_infer::Engine;
use avocet_media::named::{find, is_data_uri};

/// The first screen of a page, or the picture a URL leads to; nothing for other arguments.
pub fn shown(engine: &Engine, name: &OsStr) -> Option<Result<Shown>> {
    let path = find(Path::new(name));
    let name = &*name.to_string_lossy();
    let is_url = !is_data_uri(name) && name.contains("://");
    let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
    if !is_url && !["html", "htm", "xhtml"].iter().any(|html| ending == *html) {
        return None;
    }
    // Nothing is fetched for a model that could not look at it.
    let view = match window(engine) {
        Some(view) => view,
        None => return Some(Err(anyhow!("{} sees no pictures", engine.config().name))),
    };
    let shown = if is_url {
        avocet_browser::address(name, view)
    } else {
        avocet_browser::file(&path, view).map(Shown::Page)
    };
    Some(shown.map_err(|error| said(error, name)))
}

/// An error of a page, which names it if the error does not.
fn said(error: RenderError, name: &str) -> anyhow::Error {
    if error.to_string().contains(name) {
        error.into()
    } else {
        anyhow::Error::from(error).context(name.to_owned())
    }
}

/// The window that pages are shown in: a square like the largest picture that the model sees
/// whole, but wide enough for pages to be themselves.
fn window(engine: &Engine) -> Option<View> {
    const SIDES: (f64, f64) = (448.0, 1024.0);
    let vision = engine.config().vision.as_ref()?;
    let side = (vision.max_patches as f64).sqrt() * vision.patch_size as f64;
    let side = side.clamp(SIDES.0, SIDES.1) as u32;
    Some(View {
        width: side,
        height: side,
        scale: 1.0,
        mobile: false,
    })
}
