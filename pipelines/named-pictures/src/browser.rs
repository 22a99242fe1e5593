//! Lines of text for training as a browser sets them: many on one page, each in a typeface, size,
//! colour and ground of its own, cut out of the picture by where the browser says they are.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use avocet_browser::request_policy::RequestPolicy;
use avocet_browser::{Extent, RenderLimits, Rendered, Renderer, View};
use avocet_data::Truth;
use drawing::wording::ask;
use drawing::{Canvas, Rgb, ink_and_field};
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use crate::broad::{Broad, Shown};
use crate::drawn::Drawn;
use crate::error::NamedPicturesError;
use crate::wording;

/// Lines on a page.
pub(crate) const LINES: usize = 40;
const PAGE: &str = "page.html";
/// Pixels of the window; a line that is wider or lower down is left out.
const WINDOW: View = View {
    width: 1400,
    height: 4000,
    scale: 1.0,
    mobile: false,
};
/// A picture of more patches of 8 pixels would be shrunk before the model sees it.
const MOST_PATCHES: usize = 420;

/// What sets lines in a browser.
pub(crate) struct Setter {
    broad: Broad,
    /// Started with the first page; one page at a time has it.
    renderer: Mutex<Option<Renderer>>,
}

impl std::fmt::Debug for Setter {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Setter")
            .field("broad", &self.broad)
            .finish_non_exhaustive()
    }
}

/// A line before it is set.
struct Wanted<'a> {
    shown: &'a Shown,
    line: String,
    style: String,
}

impl Setter {
    /// What sets lines in these faces.
    pub fn new(broad: Broad) -> Self {
        Self {
            broad,
            renderer: Mutex::default(),
        }
    }

    /// The lines of one page, as far as the browser shows them.
    ///
    /// Errors if there is no browser, or a file cannot be written.
    pub fn page(&self, rng: &mut ChaCha8Rng) -> Result<Vec<Drawn>, NamedPicturesError> {
        let mut wanted = Vec::new();
        while wanted.len() < LINES {
            let shown = self.broad.shown(rng);
            let line = self.broad.line(shown, rng);
            if shown.face.missing(&line).is_none() {
                let style = style(shown.face.low_letters(), line.chars().count(), rng);
                wanted.push(Wanted { shown, line, style });
            }
        }
        let questions: Vec<String> = wanted.iter().map(|_| ask(&wording::TEXT, rng)).collect();
        let Some(Rendered { picture, seen }) = self.rendered(&wanted)? else {
            return Ok(Vec::new());
        };
        let mut drawn = Vec::new();
        for (number, (wanted, question)) in wanted.into_iter().zip(questions).enumerate() {
            let name = format!("l{number}");
            let found = seen.facts.iter().find(|fact| fact.name == name);
            let Some(fact) = found.filter(|fact| fact.whole) else {
                continue;
            };
            // Never half a pixel more, which would be of the page behind.
            let [left, top, right, bottom] = fact.place;
            let cut = [left.ceil(), top.ceil(), right.floor(), bottom.floor()];
            let Some(part) = picture.part(cut.map(|side| side.max(0.0) as usize)) else {
                continue;
            };
            let (width, height) = (part.width, part.height);
            if width.div_ceil(8) * height.div_ceil(8) > MOST_PATCHES {
                continue;
            }
            let pixels = part.rgb.as_chunks::<3>().0.to_vec();
            let canvas = Canvas {
                width,
                height,
                pixels,
            };
            let face = &wanted.shown.face;
            drawn.push(Drawn {
                image: canvas.to_png()?,
                question,
                answer: wanted.line.clone(),
                more: Vec::new(),
                also_right: Vec::new(),
                truth: Some(Truth::Text(wanted.line)),
                source: format!("{}/{}", face.family, face.name),
                licence: face.licence.clone(),
            });
        }
        Ok(drawn)
    }

    /// The page with these lines; none if the browser does not show it.
    fn rendered(&self, wanted: &[Wanted<'_>]) -> Result<Option<Rendered>, NamedPicturesError> {
        let folder = tempfile::tempdir().map_err(NamedPicturesError::Scratch)?;
        let root = folder
            .path()
            .canonicalize()
            .map_err(NamedPicturesError::Scratch)?;
        for (number, wanted) in wanted.iter().enumerate() {
            copy(&wanted.shown.face.file, &root.join(format!("f{number}")))?;
        }
        fs::write(root.join(PAGE), page(wanted)).map_err(NamedPicturesError::Scratch)?;
        let policy = Arc::new(RequestPolicy::Folder {
            root,
            page: PAGE.into(),
        });
        let mut renderer = self.renderer.lock().unwrap_or_else(PoisonError::into_inner);
        if renderer.is_none() {
            *renderer = Some(Renderer::new(RenderLimits::default())?);
        }
        let shown = renderer
            .as_mut()
            .map(|renderer| renderer.render(&policy, WINDOW, Extent::Screen));
        Ok(shown.and_then(Result::ok))
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), NamedPicturesError> {
    fs::copy(from, to)
        .map(drop)
        .map_err(NamedPicturesError::Scratch)
}

/// The page; a line is marked once its typeface is there.
fn page(wanted: &[Wanted<'_>]) -> String {
    let mut page = "<!DOCTYPE html><meta charset=utf-8><style>body{margin:4px;background:#888}\
                    div{display:table;white-space:pre;margin:3px}"
        .to_owned();
    for (number, Wanted { style, .. }) in wanted.iter().enumerate() {
        page.push_str(&format!(
            "@font-face{{font-family:F{number};src:url(f{number})}}\
             #l{number}{{font-family:F{number};{style}}}"
        ));
    }
    page.push_str("</style>");
    for number in 0..wanted.len() {
        page.push_str(&format!("<div id=l{number}></div>"));
    }
    let lines: Vec<&str> = wanted.iter().map(|wanted| wanted.line.as_str()).collect();
    let lines = serde_json::json!(lines).to_string().replace('<', "\\u003c");
    page.push_str(&format!(
        "<script>{lines}.forEach((line,n)=>{{const l=document.getElementById('l'+n);\
         l.textContent=line;document.fonts.load('20px F'+n,line).then(found=>{{\
         if(found.length)l.setAttribute('data-fact','l'+n)}},()=>0)}})</script>"
    ));
    page
}

/// How a line of so many characters looks, in CSS, in a face whose low letters have that part of
/// the size.
fn style(low: f32, length: usize, rng: &mut ChaCha8Rng) -> String {
    let least = 9.0f32.max(5.0 / low.max(0.1));
    // Long lines that fit are small.
    let most = (26_000.0 / (length as f32 * 0.8))
        .sqrt()
        .clamp(least + 1.0, 64.0);
    let size = least + (most - least) * rng.random::<f32>().powf(1.3);
    let contrast = if size < 16.0 { 100.0 } else { 60.0 } + 50.0 * rng.random::<f32>();
    let (ink, a, b) = match rng.random_range(0..4) {
        0 => {
            let (light, dark): (Rgb, Rgb) = ([255; 3], [rng.random_range(0..70); 3]);
            if rng.random_bool(0.75) {
                (dark, light, light)
            } else {
                (light, dark, dark)
            }
        }
        _ => ink_and_field(contrast, rng),
    };
    let colour = |[r, g, b]: Rgb| format!("rgb({r},{g},{b})");
    let mut style = format!("font-size:{size:.1}px;color:{};", colour(ink));
    style.push_str(&match rng.random_range(0..10) {
        0..6 => format!("background:{};", colour(a)),
        6..9 => format!(
            "background:linear-gradient({}deg,{},{});",
            rng.random_range(0..360),
            colour(a),
            colour(b)
        ),
        _ => format!(
            "background:repeating-linear-gradient({}deg,{} 0 6px,{} 6px 14px);",
            rng.random_range(0..180),
            colour(a),
            colour(b)
        ),
    });
    style.push_str(&format!(
        "padding:{:.2}em {:.2}em;",
        rng.random_range(0.0..0.5f32),
        rng.random_range(0.0..0.8f32)
    ));
    let more = [
        "",
        "",
        "",
        "",
        "",
        "letter-spacing:.08em;",
        "letter-spacing:-.02em;",
        "text-decoration:underline;",
        "text-shadow:1px 1px 2px #0008;",
        "border:1px solid;",
        "border-radius:.4em;",
        "font-synthesis:weight;font-weight:bold;",
        "font-synthesis:style;font-style:italic;",
        "font-kerning:none;",
        "text-rendering:geometricPrecision;",
        "opacity:.9;",
        "line-height:1;",
        "line-height:1.6;",
    ];
    style.push_str(more.choose(rng).expect("there are styles"));
    style
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn a_style_is_never_too_small_for_the_face() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for low in [0.2, 0.5] {
            for length in [1, 20, 60] {
                let style = style(low, length, &mut rng);
                let size = style.trim_start_matches("font-size:").split("px").next();
                let size: f32 = size.unwrap().parse().unwrap();
                assert!(size * low > 4.4 && size <= 64.0, "{style}");
            }
        }
    }
}
