//! SVG by resvg, drawn on white: no script runs, and no other file is read.
//!
//! An SVG is a program more than a picture: a few lines can ask for hours or for gigabytes, so it
//! is drawn here, under the limits of this process.

use avocet_media::child::{Refusal, Served};
use avocet_media::still::DrawnHeader;
use resvg::tiny_skia::{Color, Pixmap, Transform};
use resvg::usvg::roxmltree::{Document, Node, ParsingOptions};
use resvg::usvg::{ImageHrefResolver, Options, Tree};

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

/// Errors if the file is no SVG, or holds what resvg without fonts and decoders leaves out.
fn draw(file: &[u8]) -> Result<Drawn, Refusal> {
    let text = std::str::from_utf8(file).map_err(|_| Refusal::file("it is not UTF-8"))?;
    let parsing = ParsingOptions {
        allow_dtd: true,
        nodes_limit: MAX_NODES,
        ..ParsingOptions::default()
    };
    let document = Document::parse_with_options(text, parsing);
    let document = document.map_err(|error| Refusal::file(error.to_string()))?;
    if let Some(what) = document.descendants().find_map(|node| left_out(&node)) {
        return Err(Refusal::file(format!(
            "it has {what}, which is not drawn here; rsvg-convert FILE -o PICTURE.png draws it"
        )));
    }
    let options = Options {
        image_href_resolver: ImageHrefResolver {
            resolve_data: Box::new(|_, _, _| None),
            resolve_string: Box::new(|_, _| None),
        },
        ..Options::default()
    };
    let tree = Tree::from_xmltree(&document, &options);
    let tree = tree.map_err(|error| Refusal::file(error.to_string()))?;
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

/// What an element asks for that would silently be missing.
fn left_out(node: &Node) -> Option<&'static str> {
    match node.tag_name().name() {
        "text" => Some("text"),
        "image" | "feImage" if links(node).any(|to| to.starts_with("data:")) => {
            Some("a picture of pixels")
        }
        _ => None,
    }
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

    #[test]
    fn what_would_be_missing_is_refused() {
        let of = |inside: &str| {
            let file = format!(
                "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'>{inside}</svg>"
            );
            match draw(file.as_bytes()) {
                Err(Refusal::File { reason }) => reason,
                _ => panic!("{inside} was drawn"),
            }
        };
        assert!(of("<g><text>a</text></g>").contains("text"));
        assert!(of("<image href='data:image/png;base64,AAAA'/>").contains("pixels"));
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
