//! A browser that shows small pages of ours around what others wrote: a line, a formula.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use avocet_browser::request_policy::RequestPolicy;
use avocet_browser::{Extent, RenderLimits, Rendered, Renderer, View};
use image::RgbImage;
use tempfile::TempDir;

use crate::error::PressError;

/// The mark of what is cut out of the page.
pub const SHOWN: &str = "shown";
const PAGE: &str = "page.html";
/// How long a page of many things may take to load, and in all.
const LOAD: Duration = Duration::from_secs(180);
const PAGE_TIME: Duration = Duration::from_secs(600);
const WINDOW: View = View {
    width: 1280,
    height: 480,
    scale: 1.0,
    mobile: false,
};

/// Pictures with the marks that they were cut out at, or why there is no page.
pub type Marked = Result<Vec<(String, RgbImage)>, &'static str>;

/// A browser and a folder that its pages may use.
#[derive(Debug)]
pub struct Studio {
    renderer: Mutex<Renderer>,
    // Removed with the studio.
    _folder: TempDir,
    root: PathBuf,
    /// What the browser calls itself.
    pub version: String,
}

impl Studio {
    /// Starts a browser.
    ///
    /// Errors if there is none, or no folder can be made.
    pub fn open() -> Result<Self, PressError> {
        Self::with(RenderLimits::default())
    }

    /// As [`Self::open`], for pages of many things: what is set must not depend on how busy the machine
    /// is, so that a page is given minutes.
    ///
    /// Errors as there.
    pub fn patient() -> Result<Self, PressError> {
        Self::with(RenderLimits {
            load: LOAD,
            page: PAGE_TIME,
            ..RenderLimits::default()
        })
    }

    fn with(limits: RenderLimits) -> Result<Self, PressError> {
        let renderer = Renderer::new(limits)?;
        let place = std::env::temp_dir();
        let folder = tempfile::tempdir().map_err(PressError::io(&place))?;
        let root = folder.path().canonicalize();
        let root = root.map_err(PressError::io(folder.path()))?;
        let mut studio = Self {
            renderer: Mutex::new(renderer),
            _folder: folder,
            root,
            version: String::new(),
        };
        let page = "<p id=v></p><script>v.textContent=navigator.userAgent;\
                    v.setAttribute('data-fact','shown')</script>";
        let rendered = studio.rendered(&[], page, WINDOW)?;
        let seen = rendered.map(|rendered| rendered.seen);
        let fact = seen.ok().and_then(|seen| seen.facts.into_iter().next());
        studio.version = fact.map(|fact| fact.text).unwrap_or_default();
        Ok(studio)
    }

    /// Puts a file where pages find it.
    ///
    /// Errors if it cannot be written.
    pub fn put(&self, name: &str, bytes: &[u8]) -> Result<(), PressError> {
        let path = self.root.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(PressError::io(folder))?;
        }
        fs::write(&path, bytes).map_err(PressError::io(&path))
    }

    /// The part of a page that carries the mark [`SHOWN`], with `margin` pixels around it, or why
    /// there is none.
    ///
    /// Errors if a file cannot be written, or the browser fails for good.
    pub fn picture(
        &self,
        files: &[(&str, &[u8])],
        page: &str,
        margin: f64,
    ) -> Result<Result<RgbImage, &'static str>, PressError> {
        let Rendered { picture, seen } = match self.rendered(files, page, WINDOW)? {
            Ok(rendered) => rendered,
            Err(reason) => return Ok(Err(reason)),
        };
        let Some(fact) = seen.facts.iter().find(|fact| fact.name == SHOWN) else {
            return Ok(Err("the browser does not show it"));
        };
        if !fact.whole {
            return Ok(Err("wider than the window"));
        }
        let [left, top, right, bottom] = fact.place;
        // Never half a pixel more, which would be of the page behind.
        let low = |side: f64| (side - margin).ceil().max(0.0) as usize;
        let high = |side: f64, end: usize| ((side + margin).floor() as usize).min(end);
        let (right, bottom) = (high(right, picture.width), high(bottom, picture.height));
        let part = picture.part([low(left), low(top), right, bottom]);
        let part = part.and_then(|part| {
            let (width, height) = (part.width as u32, part.height as u32);
            RgbImage::from_raw(width, height, part.rgb)
        });
        Ok(part.ok_or("nothing is to be seen of it"))
    }

    /// What stands at every mark of a page, cut out of a window of this size, with the marks; what is
    /// not whole in it is left out. Or why there is no page.
    ///
    /// Errors if a file cannot be written, or the browser fails for good.
    pub fn pictures(&self, page: &str, (width, height): (u32, u32)) -> Result<Marked, PressError> {
        let window = View {
            width,
            height,
            ..WINDOW
        };
        let Rendered { picture, seen } = match self.rendered(&[], page, window)? {
            Ok(rendered) => rendered,
            Err(reason) => return Ok(Err(reason)),
        };
        let cut = |fact: &avocet_browser::snapshot::Fact| {
            let [left, top, right, bottom] = fact.place.map(|side| side.round().max(0.0) as usize);
            let (right, bottom) = (right.min(picture.width), bottom.min(picture.height));
            let part = picture.part([left, top, right, bottom])?;
            let (width, height) = (part.width as u32, part.height as u32);
            Some((
                fact.name.clone(),
                RgbImage::from_raw(width, height, part.rgb)?,
            ))
        };
        let whole = seen.facts.iter().filter(|fact| fact.whole);
        Ok(Ok(whole.filter_map(cut).collect()))
    }

    /// A page of another folder in a window, as far as it shows it, or why there is none.
    pub fn page(&self, root: &Path, page: &str, view: View) -> Result<Rendered, &'static str> {
        let policy = Arc::new(RequestPolicy::Folder {
            root: root.to_owned(),
            page: page.into(),
        });
        let renderer = self.renderer.lock();
        let mut renderer = renderer.unwrap_or_else(PoisonError::into_inner);
        let rendered = renderer.render(&policy, view, Extent::Screen);
        rendered.map_err(|error| error.reason())
    }

    fn rendered(
        &self,
        files: &[(&str, &[u8])],
        page: &str,
        window: View,
    ) -> Result<Result<Rendered, &'static str>, PressError> {
        // The folder's files are those of one page at a time.
        let renderer = self.renderer.lock();
        let mut renderer = renderer.unwrap_or_else(PoisonError::into_inner);
        for (name, bytes) in files {
            self.put(name, bytes)?;
        }
        self.put(
            PAGE,
            format!("<!DOCTYPE html><meta charset=utf-8>{page}").as_bytes(),
        )?;
        let policy = Arc::new(RequestPolicy::Folder {
            root: self.root.clone(),
            page: PAGE.into(),
        });
        let rendered = renderer.render(&policy, window, Extent::Screen);
        Ok(rendered.map_err(|error| error.reason()))
    }
}

/// `text` as a string of JavaScript inside a page.
pub fn script_string(text: &str) -> String {
    serde_json::Value::from(text)
        .to_string()
        .replace('<', "\\u003c")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_marked_is_cut_out_and_what_is_not_there_is_said() {
        let studio = Studio::open().unwrap();
        assert!(studio.version.contains("Chrome"), "{}", studio.version);
        let red = "<body style='margin:30px'><div data-fact=shown style='width:50px;height:20px;\
                   background:rgb(200,10,10)'></div>";
        let picture = studio.picture(&[], red, 0.0).unwrap().unwrap();
        assert_eq!(picture.dimensions(), (50, 20));
        assert!(picture.pixels().all(|pixel| pixel.0 == [200, 10, 10]));
        let wide = studio.picture(&[], red, 5.0).unwrap().unwrap();
        assert_eq!(
            (wide.dimensions(), wide.get_pixel(0, 0).0),
            ((60, 30), [255; 3])
        );

        let nothing = studio.picture(&[], "<p>unmarked", 0.0).unwrap();
        assert_eq!(nothing.unwrap_err(), "the browser does not show it");
        let broad = red.replace("50px", "5000px");
        let broad = studio.picture(&[], &broad, 0.0).unwrap();
        assert_eq!(broad.unwrap_err(), "wider than the window");
    }

    #[test]
    fn a_typeface_that_the_browser_refuses_marks_nothing() {
        let studio = Studio::open().unwrap();
        let page = "<style>@font-face{font-family:F;src:url(face)}</style><div id=t>a</div><script>\
                    document.fonts.load('20px F').then(found=>{\
                    if(found.length)t.setAttribute('data-fact','shown')},()=>0)</script>";
        let shown = studio.picture(&[("face", b"no font")], page, 0.0).unwrap();
        assert_eq!(shown.unwrap_err(), "the browser does not show it");
    }

    #[test]
    fn no_text_ends_the_script_it_stands_in() {
        assert_eq!(script_string("a</script>\""), "\"a\\u003c/script>\\\"\"");
    }
}
