//! Bytes of an image file become a [`Picture`], under limits.
//!
//! `format` tells the kind by content. The header is read first and the picture refused before its
//! pixels are allocated when they would not fit. The camera's turn (EXIF) is applied, transparency
//! is laid over white, and samples of other widths become eight-bit. What is missing of a file that
//! was cut off is measured in `damage`, by one rule for all formats.

mod boxed;
mod damage;
mod directory;
mod eight_bits;
mod format;
mod limits;
mod tiff;
mod whole;

use std::fs::File;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use image::{DynamicImage, RgbImage};

use crate::{ImageError, Picture, ReadError, Transparent, still};

use format::Format;

pub use damage::Damage;
pub use limits::Limits;

/// A picture that may lack a part of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// All that is there; what is missing is of one colour.
    pub picture: Picture,
    /// What is wrong with it.
    pub damage: Option<Damage>,
}

/// Reads and decodes the image file at `path`; every error names it.
pub fn read(path: &Path, limits: &Limits) -> Result<Picture, ReadError> {
    let source_name = path.display().to_string();
    let io = |cause| ReadError::Io {
        source_name: source_name.clone(),
        cause,
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(io)?;
    file.take(limits.max_file_bytes.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(io)?;
    decode(&bytes, limits).map_err(|cause| ReadError::Image { source_name, cause })
}

/// Whether a file that begins with `start` is of a kind that [`decode`] reads.
///
/// Errors if it is of none, or empty.
pub fn check_kind(start: &[u8]) -> Result<(), ImageError> {
    format::tell(start).map(|_| ())
}

/// Whether the worker draws or decodes a file that begins with `start`: an SVG, HEIC or AVIF.
pub fn needs_worker(start: &[u8]) -> bool {
    use format::Format;
    matches!(format::tell(start), Ok((Format::Svg | Format::Boxed(_), _)))
}

/// Decodes a picture in any of the formats read here, told apart by content.
///
/// Errors if the bytes are empty, no known image, broken, lack a part of the picture, or ask for
/// more than `limits` allow.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Picture, ImageError> {
    finish(intact(bytes, limits)?)
}

/// As [`decode`], but a picture of which most is there passes, and what is wrong is said with it.
pub fn decode_damaged(bytes: &[u8], limits: &Limits) -> Result<Decoded, ImageError> {
    let (image, damage, _) = open(bytes, limits)?;
    let picture = finish(image)?;
    Ok(Decoded { picture, damage })
}

/// As [`decode`], with the alpha of a picture beside its colours; `None` if it has none.
pub fn decode_transparent(
    bytes: &[u8],
    limits: &Limits,
) -> Result<Option<Transparent>, ImageError> {
    let image = intact(bytes, limits)?;
    if !image.color().has_alpha() {
        return Ok(None);
    }
    let (width, height) = (image.width() as usize, image.height() as usize);
    let rgba = image.into_rgba8().into_raw();
    let pixels = || rgba.chunks_exact(4);
    let colours = pixels().flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]);
    let alpha = pixels().flat_map(|pixel| [pixel[3]; 3]);
    Ok(Some(Transparent {
        colours: Picture::from_rgb(width, height, colours.collect())?,
        alpha: Picture::from_rgb(width, height, alpha.collect())?,
    }))
}

/// Checks a file as [`decode`] does, and gives what a dataset keeps in its place: the pixels as a
/// PNG where the file needs a video codec or has to be drawn, and nothing where it is kept itself.
///
/// Errors as [`decode`] does.
pub fn kept(bytes: &[u8], limits: &Limits) -> Result<Option<Vec<u8>>, ImageError> {
    let picture = decode(bytes, limits)?;
    match format::tell(bytes)? {
        (Format::Pixels(..), _) => Ok(None),
        (Format::Boxed(_) | Format::Svg, _) => picture.to_png().map(Some),
    }
}

fn finish(image: DynamicImage) -> Result<Picture, ImageError> {
    let (width, height) = (image.width() as usize, image.height() as usize);
    Picture::from_rgb(width, height, eight_bits::flatten(image))
}

/// A picture that lacks nothing.
fn intact(bytes: &[u8], limits: &Limits) -> Result<DynamicImage, ImageError> {
    match open(bytes, limits)? {
        (image, None, _) => Ok(image),
        (_, Some(damage), name) => Err(ImageError::broken(name, damage)),
    }
}

/// The picture with eight bits a sample, its damage, and the name of its format.
fn open(
    bytes: &[u8],
    limits: &Limits,
) -> Result<(DynamicImage, Option<Damage>, &'static str), ImageError> {
    let found = bytes.len() as u64;
    if found > limits.max_file_bytes {
        return Err(ImageError::FileTooLong {
            found,
            limit: limits.max_file_bytes,
        });
    }
    let (format, bytes) = format::tell(bytes)?;
    let name = format.name();
    // The decoders are other people's code; should one panic on a hostile file, that file alone
    // is refused.
    let decoded = catch_unwind(AssertUnwindSafe(|| match format {
        Format::Pixels(kind, name) => damage::decode(bytes, kind, name, limits),
        Format::Boxed(name) => boxed::decode(bytes, name, limits),
        Format::Svg => drawn(bytes, name),
    }));
    let gave_up = || Err(ImageError::broken(name, "its decoder gave up on it"));
    let (image, damage) = decoded.unwrap_or_else(|_| gave_up())?;
    Ok((image, damage, name))
}

/// An SVG, drawn by the worker: such a file can take any time.
fn drawn(bytes: &[u8], name: &'static str) -> Result<(DynamicImage, Option<Damage>), ImageError> {
    let (picture, refers) =
        still::draw(bytes).map_err(|reason| ImageError::broken(name, reason))?;
    let (width, height) = (picture.width as u32, picture.height as u32);
    let image = RgbImage::from_raw(width, height, picture.rgb);
    let image = image.ok_or_else(|| ImageError::broken(name, "its pixels do not fit its size"))?;
    Ok((image.into(), refers.then_some(Damage::Refers)))
}

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;
