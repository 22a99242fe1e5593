//! Which kind of picture a file is, told by its first bytes; kinds that people have and that are
//! not read are named, with a way to make a picture of them.

use image::ImageFormat;

use crate::ImageError;

/// Blanks before a file's first byte that are passed over: downloads and scripts put them there.
const MAX_BLANKS: usize = 64;
/// How far into a file the first element of an SVG is looked for: behind comments and a DOCTYPE.
const SVG_START: usize = 4096;

/// The kinds of files that are read, with what people call them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Pixels, which the crate `image` decodes.
    Pixels(ImageFormat, &'static str),
    /// HEIC and AVIF: pictures as a video codec has them, in boxes.
    Boxed(&'static str),
    /// A drawing.
    Svg,
}

impl Format {
    /// As people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pixels(_, name) | Self::Boxed(name) => name,
            Self::Svg => "SVG",
        }
    }
}

/// The kind of a file, and the file without blanks before it.
///
/// Errors if there are no bytes, or those of no picture.
pub(super) fn tell(bytes: &[u8]) -> Result<(Format, &[u8]), ImageError> {
    if bytes.is_empty() {
        return Err(ImageError::Empty);
    }
    let blanks = bytes.iter().take(MAX_BLANKS);
    let blanks = blanks.take_while(|byte| byte.is_ascii_whitespace() || **byte == 0);
    let trimmed = &bytes[blanks.count()..];
    let found = [bytes, trimmed]
        .into_iter()
        .find_map(|bytes| Some((known(bytes)?, bytes)));
    found.ok_or_else(|| match unread(trimmed) {
        Some((kind, way)) => ImageError::KindNotRead { kind, way },
        None => {
            let start = bytes.iter().take(12).flat_map(|b| b.escape_ascii());
            let start: String = start.map(char::from).collect();
            ImageError::NotAnImage {
                start: format!("\"{start}\""),
            }
        }
    })
}

fn known(bytes: &[u8]) -> Option<Format> {
    if let Some(name) = boxed(bytes) {
        return Some(Format::Boxed(name));
    }
    if is_svg(bytes) {
        return Some(Format::Svg);
    }
    let kind = image::guess_format(bytes).ok()?;
    let name = match kind {
        ImageFormat::Png => "PNG",
        ImageFormat::Jpeg => "JPEG",
        ImageFormat::WebP => "WebP",
        ImageFormat::Gif => "GIF",
        ImageFormat::Bmp => "BMP",
        ImageFormat::Tiff => "TIFF",
        _ => return None,
    };
    Some(Format::Pixels(kind, name))
}

/// A kind that people have and that is not read, and what makes a picture of it.
fn unread(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    let way = "pdftoppm -png FILE PAGE makes a picture of each page";
    bytes.starts_with(b"%PDF-").then_some(("PDF", way))
}

/// HEIC or AVIF, by the brands of the first box.
fn boxed(bytes: &[u8]) -> Option<&'static str> {
    if bytes.get(4..8)? != b"ftyp" {
        return None;
    }
    let length = u32::from_be_bytes(bytes.first_chunk::<4>().copied()?) as usize;
    let brands = &bytes[8..length.min(bytes.len()).max(8)];
    let named = |names: &[&[u8; 4]]| {
        let (brands, _) = brands.as_chunks::<4>();
        brands.iter().any(|brand| names.contains(&brand))
    };
    if named(&[b"avif", b"avis"]) {
        return Some("AVIF");
    }
    named(&[
        b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"mif2",
    ])
    .then_some("HEIC")
}

/// Whether the first element of what may be XML is `svg`; compressed ones (`.svgz`) are not read.
fn is_svg(bytes: &[u8]) -> bool {
    let mut rest = &bytes[..bytes.len().min(SVG_START)];
    rest = rest.strip_prefix(b"\xef\xbb\xbf").unwrap_or(rest);
    loop {
        rest = rest.trim_ascii_start();
        let end: &[u8] = match rest {
            [b'<', b'?', ..] => b"?>",
            [b'<', b'!', b'-', b'-', ..] => b"-->",
            [b'<', b'!', ..] if rest.contains(&b'[') && !starts_element(rest) => b"]>",
            [b'<', b'!', ..] => b">",
            _ => break,
        };
        let Some(at) = rest.windows(end.len()).position(|window| window == end) else {
            return false;
        };
        rest = &rest[at + end.len()..];
    }
    let name = rest.strip_prefix(b"<").unwrap_or_default();
    let name = name
        .split(|byte| byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/'))
        .next();
    name.is_some_and(|name| name == b"svg" || name.ends_with(b":svg"))
}

/// Whether a declaration ends before its first bracket: it has no part of its own.
fn starts_element(declaration: &[u8]) -> bool {
    let place = |byte| declaration.iter().position(|found| *found == byte);
    place(b'>') < place(b'[')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(bytes: &[u8]) -> Option<&'static str> {
        match tell(bytes) {
            Ok((format, _)) => Some(format.name()),
            Err(ImageError::KindNotRead { kind, way }) => {
                assert!(way.contains("png"), "{way}");
                Some(kind)
            }
            Err(_) => None,
        }
    }

    #[test]
    fn drawings_and_documents_are_told_by_their_first_bytes() {
        for svg in [
            "<svg xmlns=\"http://www.w3.org/2000/svg\"/>",
            "\u{feff}<?xml version=\"1.0\"?>\n<!-- <svg> --><!DOCTYPE svg PUBLIC \"-//W3C\" \"x\">\n<svg:svg>",
            "<!DOCTYPE svg [ <!ENTITY a \"b\"> ]>\n<svg\nwidth=\"3\">",
            "\n  <svg>",
        ] {
            assert_eq!(name(svg.as_bytes()), Some("SVG"), "{svg}");
        }
        for other in ["<html><svg/>", "<svgs/>", "<!-- <svg>", "svg", "<"] {
            assert_eq!(name(other.as_bytes()), None, "{other}");
        }
        assert_eq!(name(b"%PDF-1.4\n"), Some("PDF"));
        assert_eq!(name(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"), Some("HEIC"));
        assert_eq!(
            name(b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf"),
            Some("AVIF")
        );
        assert_eq!(name(b"\0\0\0\x18ftypisom\0\0\0\0isommp42"), None);
    }

    #[test]
    fn blanks_before_a_picture_are_passed_over() {
        let (format, rest) = tell(b"\r\n\n\xff\xd8\xff\xe0").unwrap();
        assert_eq!((format.name(), rest.len()), ("JPEG", 4));
        assert_eq!(
            name(&[b" ".repeat(65), b"\xff\xd8\xff\xe0".to_vec()].concat()),
            None
        );
    }
}
