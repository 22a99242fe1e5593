//! SVG by resvg, drawn on white: no script runs, and no other file is read.
//!
//! An SVG is a program more than a picture: a few lines can ask for hours or for gigabytes, so it
//! is drawn here, under the limits of this process. Text is set in the fonts of the machine.

mod fonts;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use avocet_media::child::{Refusal, Served};
use avocet_media::named::{DataUriError, data_uri};
use avocet_media::still::DrawnHeader;
use avocet_media::{Limits, needs_worker};
use resvg::tiny_skia::{Color, Pixmap, Transform};
use resvg::usvg::roxmltree::{Document, Node, ParsingOptions};
use resvg::usvg::{ImageHrefDataResolverFn, ImageHrefResolver, ImageKind, Options, Tree};

use crate::replies::Replies;

/// The longer side of what is drawn: smaller drawings are enlarged, larger ones reduced.
const LONGER_SIDE: std::ops::RangeInclusive<f32> = 512.0..=2048.0;
/// Elements and texts of a drawing.
const MAX_NODES: u32 = 1_000_000;

/// What was drawn, as RGB by rows.
struct Drawn {
    width: u32,
    height: u32,
    rgb: Vec<u8>,
    refers: bool,
}

/// Draws the file that `blocks` hold.
pub(crate) fn svg(blocks: &[Vec<u8>], replies: &mut Replies) -> Served {
    let drawn = draw(&blocks.concat())?;
    let header = DrawnHeader {
        width: drawn.width,
        height: drawn.height,
        refers: drawn.refers,
    };
    replies.item_owned(header, drawn.rgb)
}

/// Errors if the file is no SVG, or holds a text or a picture that would silently be missing.
fn draw(file: &[u8]) -> Result<Drawn, Refusal> {
    let text = std::str::from_utf8(file).map_err(|_| Refusal::file("it is not UTF-8"))?;
    let parsing = ParsingOptions {
        allow_dtd: true,
        nodes_limit: MAX_NODES,
        ..ParsingOptions::default()
    };
    let document = Document::parse_with_options(text, parsing);
    let document = document.map_err(|error| Refusal::file(error.to_string()))?;
    let undrawn = Arc::new(AtomicBool::new(
        document.descendants().any(|node| damaged(&node)),
    ));
    let mut options = Options {
        image_href_resolver: ImageHrefResolver {
            resolve_data: held_pictures(Arc::clone(&undrawn)),
            resolve_string: Box::new(|_, _| None),
        },
        ..Options::default()
    };
    if document.descendants().any(|node| may_have_text(&node)) {
        options.fontdb = Arc::new(fonts::load().ok_or_else(|| {
            Refusal::file("it has text, and this machine has no font (fonts-dejavu is one)")
        })?);
    }
    let tree = Tree::from_xmltree(&document, &options);
    let tree = tree.map_err(|error| Refusal::file(error.to_string()))?;
    if undrawn.load(Ordering::Relaxed) {
        return Err(Refusal::file(
            "a picture in it is damaged, or none of PNG, JPEG, GIF, WebP and SVG",
        ));
    }
    let size = tree.size();
    let (scale, width, height) = fit(size.width(), size.height())?;
    let mut pixels = Pixmap::new(width, height).ok_or(Refusal::Memory)?;
    pixels.fill(Color::WHITE);
    let scale = Transform::from_scale(scale, scale);
    resvg::render(&tree, scale, &mut pixels.as_mut());
    let (drawn, _) = pixels.data().as_chunks::<4>();
    let rgb = drawn
        .iter()
        .flat_map(|&[red, green, blue, _]| [red, green, blue]);
    Ok(Drawn {
        width,
        height,
        rgb: rgb.collect(),
        refers: document.descendants().any(|node| refers(&node)),
    })
}

/// Whether an element sets text, or shows another drawing, which may.
fn may_have_text(node: &Node) -> bool {
    node.tag_name().name() == "text" || links(node).any(|to| to.starts_with("data:image/svg"))
}

/// Whether an element shows a picture in base64 that is damaged: resvg would pass over it.
fn damaged(node: &Node) -> bool {
    let broken = |to| match data_uri(to, usize::MAX) {
        Some(Err(error)) => error != DataUriError::NotBase64,
        _ => false,
    };
    matches!(node.tag_name().name(), "image" | "feImage") && links(node).any(broken)
}

/// Finds pictures that a drawing holds itself; `undrawn` is set if there is one that resvg would
/// pass over.
fn held_pictures(undrawn: Arc<AtomicBool>) -> ImageHrefDataResolverFn<'static> {
    let known = ImageHrefResolver::default_data_resolver();
    Box::new(move |mime, data, options| {
        let found = known(mime, data, options);
        let is_drawn = match &found {
            None => false,
            Some(ImageKind::SVG(_)) => true,
            Some(
                ImageKind::JPEG(file)
                | ImageKind::PNG(file)
                | ImageKind::GIF(file)
                | ImageKind::WEBP(file),
            ) => !needs_worker(file) && avocet_media::decode(file, &Limits::default()).is_ok(),
        };
        if !is_drawn {
            undrawn.store(true, Ordering::Relaxed);
        }
        found
    })
}

/// Whether an element shows what lies in another file.
fn refers(node: &Node) -> bool {
    let shows = matches!(node.tag_name().name(), "image" | "use" | "feImage");
    shows
        && links(node)
            .any(|to| !to.is_empty() && !to.starts_with(['#']) && !to.starts_with("data:"))
}

/// Where an element's links lead to.
fn links<'a>(node: &Node<'a, '_>) -> impl Iterator<Item = &'a str> {
    let links = node
        .attributes()
        .filter(|attribute| attribute.name() == "href");
    links.map(|attribute| attribute.value().trim())
}

/// How much a drawing of that size is enlarged, and its size in pixels then.
///
/// Errors if the size makes no sense.
fn fit(width: f32, height: f32) -> Result<(f32, u32, u32), Refusal> {
    let longer = width.max(height);
    if !(width > 0.0 && height > 0.0 && longer.is_finite()) {
        return Err(Refusal::file(format!("its size is {width} x {height}")));
    }
    let (least, most) = LONGER_SIDE.into_inner();
    let scale = longer.clamp(least, most) / longer;
    let side = |length: f32| (length * scale).round().clamp(1.0, most) as u32;
    Ok((scale, side(width), side(height)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(drawn: &Drawn, x: u32, y: u32) -> &[u8] {
        let at = 3 * (y * drawn.width + x) as usize;
        &drawn.rgb[at..at + 3]
    }

    #[test]
    fn shapes_are_drawn_on_white_and_scripts_are_not_run() {
        let file = "<svg xmlns='http://www.w3.org/2000/svg' width='40' height='20'>\
            <script>while (true) {}</script>\
            <rect width='20' height='20' fill='#f00'/></svg>";
        let drawn = draw(file.as_bytes()).ok().unwrap();
        assert_eq!((drawn.width, drawn.height), (512, 256));
        assert_eq!(at(&drawn, 100, 100), [255, 0, 0]);
        assert_eq!(at(&drawn, 400, 100), [255, 255, 255]);
        assert!(!drawn.refers);
    }

    #[test]
    fn other_files_are_not_read_and_that_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let other = folder.path().join("b.svg");
        let red = "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'>\
            <rect width='9' height='9' fill='red'/></svg>";
        std::fs::write(&other, red).unwrap();
        for link in [
            other.display().to_string(),
            "http://127.0.0.1/a.png".to_owned(),
        ] {
            let file = format!(
                "<svg xmlns='http://www.w3.org/2000/svg' \
                 xmlns:xlink='http://www.w3.org/1999/xlink' width='9' height='9'>\
                 <image width='9' height='9' xlink:href='{link}'/></svg>"
            );
            let drawn = draw(file.as_bytes()).ok().unwrap();
            assert!(drawn.refers, "{link}");
            assert!(drawn.rgb.iter().all(|value| *value == 255), "{link}");
        }
        let own = "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'>\
            <defs><rect id='a' width='9' height='9'/></defs><use href='#a'/></svg>";
        let drawn = draw(own.as_bytes()).ok().unwrap();
        assert!(!drawn.refers && drawn.rgb.iter().all(|value| *value == 0));
    }

    #[test]
    fn entities_that_grow_without_end_are_refused() {
        let mut file = "<!DOCTYPE svg [<!ENTITY a0 'x'>".to_owned();
        for level in 1..40 {
            let below = format!("&a{};", level - 1).repeat(10);
            file.push_str(&format!("<!ENTITY a{level} '{below}'>"));
        }
        file.push_str("]><svg xmlns='http://www.w3.org/2000/svg'><desc>&a39;</desc></svg>");
        assert!(draw(file.as_bytes()).is_err());
        let outside = "<!DOCTYPE svg [<!ENTITY a SYSTEM '/etc/passwd'>]>\
            <svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><desc>&a;</desc></svg>";
        assert!(draw(outside.as_bytes()).is_err());
    }

    fn with(inside: &str) -> Result<Drawn, Refusal> {
        let file = format!(
            "<svg xmlns='http://www.w3.org/2000/svg' width='512' height='256'>{inside}</svg>"
        );
        draw(file.as_bytes())
    }

    #[test]
    fn text_is_set_in_a_font_of_the_machine() {
        let text = "<text x='10' y='200' font-size='200' font-family='No Such Font'>HHH</text>";
        match with(text) {
            Ok(drawn) => {
                let dark = drawn.rgb.chunks(3).filter(|pixel| pixel[0] < 128).count();
                assert!((5_000..60_000).contains(&dark), "{dark} dark pixels");
            }
            Err(Refusal::File { reason }) => {
                assert!(
                    fonts::load().is_none() && reason.contains("no font"),
                    "{reason}"
                );
            }
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn pictures_in_a_drawing_are_drawn_or_the_drawing_is_refused() {
        let image = |link: &str| {
            with(&format!(
                "<image width='512' height='256' preserveAspectRatio='none' href='{link}'/>"
            ))
        };
        let gif = "data:image/gif;base64,R0lGODdhAQABAIAAAP8AAAAAACwAAAAAAQABAAACAkQBADs=";
        let drawn = image(gif).ok().unwrap();
        assert_eq!(at(&drawn, 256, 128), [255, 0, 0]);
        let svg = "data:image/svg+xml,%3Csvg xmlns=%22http://www.w3.org/2000/svg%22 width=%229%22 \
            height=%229%22%3E%3Crect width=%229%22 height=%229%22/%3E%3C/svg%3E";
        let drawn = image(svg).ok().unwrap();
        assert_eq!(at(&drawn, 256, 128), [0, 0, 0]);
        for wrong in [
            "data:image/png;base64,AAAA",
            "data:image/png;base64,A!A",
            "data:image/bmp;base64,Qk0=",
            &gif[..60],
        ] {
            assert!(image(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn drawings_of_any_size_become_pictures_of_a_usual_one() {
        assert_eq!(fit(24.0, 24.0).ok(), Some((512.0 / 24.0, 512, 512)));
        assert_eq!(fit(800.0, 600.0).ok(), Some((1.0, 800, 600)));
        assert_eq!(fit(1e6, 1.0).ok().map(|(_, w, h)| (w, h)), Some((2048, 1)));
        for side in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            assert!(fit(side, 1.0).is_err(), "{side}");
        }
    }
}
