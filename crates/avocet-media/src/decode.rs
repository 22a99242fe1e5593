//! Bytes of an image file become a [`Picture`], under limits.
//!
//! The header is read first and the picture refused before its pixels are allocated when they
//! would not fit. The camera's turn (EXIF) is applied, transparency is laid over white, and
//! sixteen-bit and floating-point samples become eight-bit.

mod tiff;

use std::fs::File;
use std::io::{Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader};

use crate::{ImageError, Picture, ReadError, Transparent};

/// How much a file may ask of us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of pixels that decoding may hold at once.
    pub max_alloc: u64,
    /// Above [`Limits::FREE_EXPANSION_BYTES`], most bytes of pixels per byte of file. Deflate
    /// cannot honestly pass 1,032.
    pub max_expansion: u64,
    /// Longest file read from a disk.
    pub max_file_bytes: u64,
}

impl Limits {
    /// Pictures that decode to no more than this are never taken for bombs.
    pub const FREE_EXPANSION_BYTES: u64 = 32 << 20;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_alloc: 384 << 20,
            max_expansion: 1_200,
            max_file_bytes: 256 << 20,
        }
    }
}

/// Bytes a decoder may use beside the pixels: for headers, text chunks and colour profiles, which
/// can be bombs too.
const WORKING_BYTES: u64 = 32 << 20;

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

/// Decodes PNG, JPEG, WebP, GIF (its first frame), BMP or TIFF, told apart by content.
///
/// Errors if the bytes are empty, no known image, broken, or ask for more than `limits` allow.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Picture, ImageError> {
    let image = open(bytes, limits)?;
    let (width, height) = (image.width() as usize, image.height() as usize);
    Picture::from_rgb(width, height, flatten(image))
}

/// As [`decode`], with the alpha of a picture beside its colours; `None` if it has none.
pub fn decode_transparent(
    bytes: &[u8],
    limits: &Limits,
) -> Result<Option<Transparent>, ImageError> {
    let image = open(bytes, limits)?;
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

fn open(bytes: &[u8], limits: &Limits) -> Result<DynamicImage, ImageError> {
    if bytes.is_empty() {
        return Err(ImageError::Empty);
    }
    let found = bytes.len() as u64;
    if found > limits.max_file_bytes {
        return Err(ImageError::FileTooLong {
            found,
            limit: limits.max_file_bytes,
        });
    }
    let (format, name) = guess(bytes)?;
    // The decoders are other people's code; should one panic on a hostile file, that file alone
    // is refused.
    catch_unwind(AssertUnwindSafe(|| decode_as(bytes, format, name, limits)))
        .unwrap_or_else(|_| Err(broken(name, "its decoder gave up on it")))
}

fn broken(format: &'static str, reason: impl ToString) -> ImageError {
    let reason = reason.to_string().replace(['\n', '\r'], " ");
    ImageError::Broken { format, reason }
}

fn guess(bytes: &[u8]) -> Result<(ImageFormat, &'static str), ImageError> {
    let named = match image::guess_format(bytes) {
        Ok(ImageFormat::Png) => Some((ImageFormat::Png, "PNG")),
        Ok(ImageFormat::Jpeg) => Some((ImageFormat::Jpeg, "JPEG")),
        Ok(ImageFormat::WebP) => Some((ImageFormat::WebP, "WebP")),
        Ok(ImageFormat::Gif) => Some((ImageFormat::Gif, "GIF")),
        Ok(ImageFormat::Bmp) => Some((ImageFormat::Bmp, "BMP")),
        Ok(ImageFormat::Tiff) => Some((ImageFormat::Tiff, "TIFF")),
        _ => None,
    };
    named.ok_or_else(|| {
        let start: String = bytes
            .iter()
            .take(12)
            .flat_map(|b| b.escape_ascii())
            .map(char::from)
            .collect();
        ImageError::NotAnImage {
            start: format!("\"{start}\""),
        }
    })
}

fn decode_as(
    bytes: &[u8],
    format: ImageFormat,
    name: &'static str,
    limits: &Limits,
) -> Result<DynamicImage, ImageError> {
    if format == ImageFormat::Tiff {
        tiff::check_directory(bytes).map_err(|e| broken(name, e))?;
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut inner = image::Limits::default();
    inner.max_alloc = Some(limits.max_alloc.min(WORKING_BYTES));
    reader.limits(inner.clone());
    let mut decoder = reader.into_decoder().map_err(|e| broken(name, e))?;
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(broken(name, format!("its size is {width} x {height}")));
    }
    check_size(bytes.len() as u64, &decoder, limits)?;
    inner.max_alloc = Some(
        decoder
            .total_bytes()
            .saturating_mul(2)
            .saturating_add(WORKING_BYTES),
    );
    decoder.set_limits(inner).map_err(|e| broken(name, e))?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(|e| broken(name, e))?;
    image.apply_orientation(orientation);
    Ok(image)
}

/// Refuses a picture whose pixels, as decoded and as RGB, exceed the limits.
fn check_size(
    file_bytes: u64,
    decoder: &impl ImageDecoder,
    limits: &Limits,
) -> Result<(), ImageError> {
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width).saturating_mul(u64::from(height));
    let converted = match decoder.color_type() {
        image::ColorType::Rgb8 => 0,
        image::ColorType::Rgba8 => pixels.saturating_mul(3),
        kind if kind.has_alpha() => pixels.saturating_mul(7),
        _ => pixels.saturating_mul(3),
    };
    let needed = decoder.total_bytes().saturating_add(converted);
    if needed > limits.max_alloc {
        return Err(ImageError::TooLarge {
            width,
            height,
            needed,
            limit: limits.max_alloc,
        });
    }
    let decoded = decoder.total_bytes();
    if decoded > Limits::FREE_EXPANSION_BYTES && decoded / limits.max_expansion.max(1) > file_bytes
    {
        let limit = limits.max_expansion;
        return Err(ImageError::Bomb {
            width,
            height,
            file_bytes,
            needed: decoded,
            limit,
        });
    }
    Ok(())
}

/// Eight-bit RGB of any decoded image, transparency laid over white.
fn flatten(image: DynamicImage) -> Vec<u8> {
    if !image.color().has_alpha() {
        return image.into_rgb8().into_raw();
    }
    let rgba = image.into_rgba8().into_raw();
    let mut rgb = Vec::with_capacity(rgba.len() / 4 * 3);
    for pixel in rgba.chunks_exact(4) {
        let alpha = u32::from(pixel[3]);
        rgb.extend(pixel[..3].iter().map(|&channel| {
            let over_white = u32::from(channel) * alpha + 255 * (255 - alpha);
            ((over_white + 127) / 255) as u8
        }));
    }
    rgb
}

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;
