//! Pages of manuals that other people wrote, of many themes: which, in which windows, and the closer
//! looks that are taken at them.

use std::path::PathBuf;

use avocet_browser::snapshot::{Element, ElementKind, PageSnapshot};
use avocet_browser::{Rendered, Viewport};
use avocet_fetch::Sources;
use avocet_media::Picture;
use drawing::Package;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

use crate::error::PagesError;
use crate::inputs::{Input, Place, What};
use crate::parts::{about_part, name, text};
use crate::questions::Asked;

/// The rows of the manifest and the folders of their pages. None is a manual of the tests by other
/// hands.
const MANUALS: [(&str, &str); 25] = [
    ("flask-doc", "usr/share/doc/python-flask-doc/html"),
    ("click-doc", "usr/share/doc/python-click-doc/html"),
    ("werkzeug-doc", "usr/share/doc/python-werkzeug-doc/html"),
    ("tornado-doc", "usr/share/doc/python-tornado-doc/html"),
    ("attrs-doc", "usr/share/doc/python-attr-doc/html"),
    ("pygments-doc", "usr/share/doc/python-pygments-doc/html"),
    ("sphinx-doc", "usr/share/doc/sphinx-doc/html"),
    ("mkdocs-doc", "usr/share/doc/mkdocs/html"),
    ("docutils-doc", "usr/share/doc/docutils-doc/docs"),
    ("cargo-doc", "usr/share/doc/cargo/doc"),
    ("apache2-doc", "usr/share/doc/apache2-doc/manual/en"),
    ("postgresql-doc", "usr/share/doc/postgresql-doc-15/html"),
    ("glm-doc", "usr/share/doc/libglm-doc/api"),
    ("freetype-doc", "usr/share/doc/libfreetype-dev/reference"),
    ("django-doc", "usr/share/doc/python-django-doc/html"),
    ("aiohttp-doc", "usr/share/doc/python-aiohttp-doc/html"),
    (
        "cryptography-doc",
        "usr/share/doc/python-cryptography-doc/html",
    ),
    ("requests-doc", "usr/share/doc/python-requests-doc/html"),
    ("llvm-doc", "usr/share/doc/llvm-14-doc/html"),
    ("pytest-doc", "usr/share/doc/python-pytest-doc/html"),
    ("twisted-doc", "usr/share/doc/twisted-doc/html"),
    ("sympy-doc", "usr/share/doc/python-sympy-doc/html"),
    ("scipy-doc", "usr/share/doc/python-scipy-doc/html"),
    (
        "statsmodels-doc",
        "usr/share/doc/python-statsmodels-doc/html",
    ),
    ("sklearn-doc", "usr/share/doc/python-sklearn-doc/html"),
];
/// Sides of windows, in pixels.
const WIDTHS: std::ops::RangeInclusive<u32> = 360..=1400;
const HEIGHTS: std::ops::RangeInclusive<u32> = 360..=900;
/// A narrower window is a telephone's.
const TELEPHONE: u32 = 480;
/// Closer looks at each page.
const LOOKS: usize = 3;
/// Sides of a closer look, and its largest area: what the built-in model sees without making it
/// smaller, in pixels.
const LOOK: (
    std::ops::RangeInclusive<usize>,
    std::ops::RangeInclusive<usize>,
) = (180..=480, 64..=320);
const LOOK_AREA: usize = 1024 * 64;
/// A picture of so many times that area still shows its headings.
const SHOWS_HEADINGS: usize = 7;
/// Paragraphs of each page that are read, if they fit, and the most lines of one.
const TEXTS: usize = 2;
const MAX_LINES: usize = 6;
/// Longer texts of a part are not asked for.
const MAX_TEXT: usize = 400;

/// `count` pages of all manuals by turns, each in a window of its own.
///
/// Errors if a manual cannot be had or has no page.
pub(crate) fn inputs(sources: &Sources, count: usize, seed: u64) -> Result<Vec<Input>, PagesError> {
    let digest = Sha256::digest(format!("{seed}/manuals"));
    let mut rng = ChaCha8Rng::from_seed(digest.into());
    let mut manuals = Vec::new();
    for (name, folder) in MANUALS {
        let package = Package::open(sources, name)?;
        let root = package.root.join(folder);
        let io = |cause| PagesError::Io {
            path: root.clone(),
            cause,
        };
        let root = root.canonicalize().map_err(io)?;
        let inside = Package { root, ..package };
        let mut pages = inside.files(&[".html"])?;
        if pages.is_empty() {
            return Err(inside.broken(folder, "no page in it").into());
        }
        pages.shuffle(&mut rng);
        manuals.push((inside, pages));
    }
    let mut input = |number: usize| {
        let (manual, pages) = &manuals[number % manuals.len()];
        let page = &pages[number / manuals.len() % pages.len()];
        let (width, height) = (rng.random_range(WIDTHS), rng.random_range(HEIGHTS));
        let mobile = width < TELEPHONE;
        let viewport = Viewport {
            name: format!("{width}x{height}"),
            width,
            height,
            mobile,
        };
        let source = format!("{}/{page}", manual.name);
        Input {
            name: format!("{source} {} {number}", viewport.name),
            what: What::Page {
                source,
                place: Place::InFolder {
                    root: manual.root.clone(),
                    page: PathBuf::from(page),
                },
                viewport,
                manual: Some(manual.licence.clone()),
            },
        }
    };
    Ok((0..count).map(&mut input).collect())
}

/// The page as far as its headings can be read, and closer looks at it, with what is asked.
pub(crate) fn looks(rendered: &Rendered, rng: &mut ChaCha8Rng) -> Vec<(Picture, Vec<Asked>)> {
    let Rendered { picture, seen } = rendered;
    let mut looks = Vec::new();
    let links = seen
        .elements
        .iter()
        .filter(|one| one.kind == ElementKind::Link);
    let links: Vec<&str> = links.map(name).collect();
    if picture.width * picture.height <= SHOWS_HEADINGS * LOOK_AREA {
        let asked = about_part(seen, &[], rng);
        if !asked.is_empty() {
            looks.push((picture.clone(), asked));
        }
    }
    let things: Vec<&Element> = seen.elements.iter().filter(|one| one.whole).collect();
    for number in 0..LOOKS {
        // Headings are few and most asked for.
        let wants_heading = number == 0;
        let headings = things.iter().filter(|one| one.kind == ElementKind::Heading);
        let headings: Vec<&&Element> = headings.collect();
        let thing = match headings.choose(rng) {
            Some(heading) if wants_heading => Some(**heading),
            _ => things.choose(rng).copied(),
        };
        let Some(thing) = thing else {
            break;
        };
        let [left, top, right, bottom] = cut(thing, picture, rng);
        let Some(part) = picture.part([left, top, right, bottom]) else {
            continue;
        };
        let seen: PageSnapshot = seen.part([left as f64, top as f64, right as f64, bottom as f64]);
        let asked = about_part(&seen, &links, rng);
        if !asked.is_empty() {
            looks.push((part, asked));
        }
    }
    for _ in 0..TEXTS {
        looks.extend(paragraph(rendered, rng));
    }
    looks
}

/// A paragraph cut out, and what it says.
fn paragraph(rendered: &Rendered, rng: &mut ChaCha8Rng) -> Option<(Picture, Vec<Asked>)> {
    let Rendered { picture, seen } = rendered;
    let block = seen.lines.choose(rng)?.block;
    let lines = seen.lines.iter().filter(|line| line.block == block);
    let most = rng.random_range(1..=MAX_LINES);
    let places: Vec<_> = lines.take(most).map(|line| line.place).collect();
    let space = rng.random_range(2.0..14.0);
    let side =
        |at: usize, pick: fn(f64, f64) -> f64| places.iter().map(|place| place[at]).reduce(pick);
    let (left, top) = (side(0, f64::min)? - space, side(1, f64::min)? - 2.0);
    let (right, bottom) = (side(2, f64::max)? + space, side(3, f64::max)? + 2.0);
    let low = |side: f64| side.max(0.0) as usize;
    let (right, bottom) = (
        low(right).min(picture.width),
        low(bottom).min(picture.height),
    );
    let place = [low(left), low(top), right, bottom];
    let (width, height) = (right.checked_sub(place[0])?, bottom.checked_sub(place[1])?);
    if width * height > LOOK_AREA {
        return None;
    }
    let part = picture.part(place)?;
    let seen = seen.part(place.map(|side| side as f64));
    Some((part, vec![text(&seen, MAX_TEXT, rng)?]))
}

/// A part of the picture around a thing: left, top, right, bottom.
fn cut(thing: &Element, picture: &Picture, rng: &mut ChaCha8Rng) -> [usize; 4] {
    let width = rng.random_range(LOOK.0).min(picture.width);
    let height = rng
        .random_range(LOOK.1)
        .min(LOOK_AREA / width)
        .min(picture.height);
    let mut start = |low: f64, high: f64, side: usize, end: usize| {
        let room = (side as f64 - (high - low)).max(0.0);
        let before = rng.random_range(0.0..=room.max(1.0));
        ((low - before).max(0.0) as usize).min(end.saturating_sub(side))
    };
    let [l, t, r, b] = thing.place;
    let (left, top) = (
        start(l, r, width, picture.width),
        start(t, b, height, picture.height),
    );
    [left, top, left + width, top + height]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heading(text: &str, top: f64) -> Element {
        Element {
            kind: ElementKind::Heading,
            level: if top < 50.0 { 1 } else { 2 },
            text: text.into(),
            label: String::new(),
            href: String::new(),
            place: [40.0, top, 200.0, top + 30.0],
            whole: true,
        }
    }

    #[test]
    fn a_closer_look_is_seen_whole_and_asks_for_what_is_in_it() {
        let seen = PageSnapshot {
            width: 1200.0,
            height: 800.0,
            elements: vec![heading("Options¶", 20.0), heading("Files", 700.0)],
            ..PageSnapshot::default()
        };
        let picture = Picture::from_rgb(1200, 800, vec![255; 3 * 1200 * 800]).unwrap();
        let rendered = Rendered { picture, seen };
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut titles = 0;
        for _ in 0..40 {
            for (picture, asked) in looks(&rendered, &mut rng) {
                assert!(picture.width * picture.height <= LOOK_AREA);
                // The second heading lies too far below to be in the same part.
                assert!(asked.iter().all(|one| one.kind != "page-heading"));
                titles += asked.iter().filter(|one| one.answer == "Options").count();
            }
        }
        assert!(titles > 20, "{titles}");
    }
}
