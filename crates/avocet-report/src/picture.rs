//! Pictures as part of a page.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

/// Narrower pictures are shown larger, with their pixels visible.
const NARROW: usize = 160;
const ZOOM: usize = 2;

/// A picture that a page carries; templates show it by the macro `show_picture`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Picture {
    source: String,
    width: usize,
    height: usize,
    enlarged: bool,
}

impl Picture {
    /// The picture in `file`, `width` by `height` pixels; `png` gives another file of it where
    /// browsers do not show that kind.
    ///
    /// Nothing if there is no other file either.
    pub fn new(
        file: &[u8],
        (width, height): (usize, usize),
        png: impl FnOnce() -> Option<Vec<u8>>,
    ) -> Option<Self> {
        let source = to_data_uri(file).or_else(|| to_data_uri(&png()?))?;
        let enlarged = width <= NARROW;
        let zoom = if enlarged { ZOOM } else { 1 };
        Some(Self {
            source,
            width: width * zoom,
            height: height * zoom,
            enlarged,
        })
    }

    /// Bytes that it takes on the page.
    pub fn bytes(&self) -> usize {
        self.source.len()
    }
}

/// A picture file as an address that holds all of it; none if browsers do not show its kind.
pub fn to_data_uri(file: &[u8]) -> Option<String> {
    let kind = match file {
        [0x89, b'P', b'N', b'G', ..] => "png",
        [0xff, 0xd8, 0xff, ..] => "jpeg",
        [b'G', b'I', b'F', b'8', ..] => "gif",
        [b'R', b'I', b'F', b'F', _, _, _, _, rest @ ..] if rest.starts_with(b"WEBP") => "webp",
        _ => return None,
    };
    Some(format!(
        "data:image/{kind};base64,{}",
        STANDARD.encode(file)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_browsers_do_not_show_is_shown_by_another_file() {
        let png = b"\x89PNG\r\n".to_vec();
        let shown = |file: &[u8]| Picture::new(file, (10, 5), || Some(png.clone()));
        let jpeg = shown(b"\xff\xd8\xff\xe0").unwrap();
        assert!(jpeg.source.starts_with("data:image/jpeg;base64,"));
        let tiff = shown(b"II*\0").unwrap();
        assert!(tiff.source.starts_with("data:image/png;base64,"));
        assert_eq!((tiff.width, tiff.height, tiff.enlarged), (20, 10, true));
        assert_eq!(Picture::new(b"RIFF....AVI ", (500, 5), || None), None);
        assert!(to_data_uri(b"RIFF....WEBPVP8 ").is_some());
    }
}
