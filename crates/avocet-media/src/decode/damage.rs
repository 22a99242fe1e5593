//! Files that are cut off or damaged: what is missing of the picture is measured.
//!
//! One rule above all formats. What lacks nothing of the picture itself (an end mark, a checksum,
//! the last few bytes) is whole. With most of the picture there it is read, and its [`Damage`] is
//! said with it. With less it is refused.

mod bmp;
mod gif;
mod huffman;
mod jpeg;
mod mended;
mod png;
mod webp;

use std::fmt;

use image::{DynamicImage, ImageFormat};

use super::limits::Limits;
use super::{tiff, whole};
use crate::ImageError;
use mended::Mended;

/// At least this share of a picture has to be there.
const LEAST: f64 = 0.5;
/// A smaller share that is missing is no more than the last bytes hold.
const TRAILING: f64 = 0.015;

/// What is wrong with a picture that can still be looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Damage {
    /// This share of it is missing, above 0 and at most 1.
    Missing(f64),
    /// All of it is there, but a checksum says that some of it is wrong.
    Doubtful,
    /// It refers to other files, which are never read.
    Refers,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Neither "0 %" where something is missing nor "100 %" where something is there.
            Self::Missing(share) if *share < 1.0 => {
                let percent = (share * 100.0).round().clamp(1.0, 99.0);
                write!(f, "{percent} % of the picture is missing")
            }
            Self::Missing(_) => write!(f, "the whole picture is missing"),
            Self::Refers => write!(f, "it refers to other files, which are not read"),
            Self::Doubtful => write!(f, "its checksum does not match, so parts may be wrong"),
        }
    }
}

/// The picture of a file of pixels, upright and with eight bits a sample, and its damage.
///
/// Errors if too little of it is there, or as its decoder does.
pub(super) fn decode(
    bytes: &[u8],
    format: ImageFormat,
    name: &'static str,
    limits: &Limits,
) -> Result<(DynamicImage, Option<Damage>), ImageError> {
    let read = |bytes: &[u8]| match format {
        ImageFormat::Tiff => tiff::decode(bytes, limits),
        _ => whole::decode(bytes, format, name, limits),
    };
    if format == ImageFormat::Jpeg
        && let Some(walk) = jpeg::walk(bytes, limits)?
        && walk.missing > 0.0
    {
        let damage = judge(name, walk.missing, false)?;
        return Ok((read(&walk.closed(bytes))?, damage));
    }
    if format == ImageFormat::WebP
        && webp::has_room(bytes)
        && let Some((image, missing)) = webp::salvage(bytes, limits, |bytes| read(bytes).ok())
    {
        return Ok((image, judge(name, missing, false)?));
    }
    let error = match read(bytes) {
        Ok(image) => return Ok((image, None)),
        Err(error @ ImageError::Broken { .. }) => error,
        Err(error) => return Err(error),
    };
    let mended = match format {
        ImageFormat::Png => png::mend(bytes, limits),
        ImageFormat::Gif => gif::mend(bytes, limits),
        ImageFormat::Bmp => bmp::mend(bytes, limits),
        ImageFormat::Jpeg => jpeg::walk(bytes, limits)?.map(|walk| Mended {
            file: walk.closed(bytes),
            missing: walk.missing,
            doubtful: false,
        }),
        ImageFormat::WebP => {
            let found = webp::salvage(bytes, limits, |bytes| read(bytes).ok());
            let (image, missing) = found.ok_or(error)?;
            return Ok((image, judge(name, missing, false)?));
        }
        _ => {
            let found = tiff::salvage(bytes, |bytes| read(bytes).ok());
            let (image, missing) = found.ok_or(error)?;
            return Ok((image, judge(name, missing, false)?));
        }
    };
    let Some(mended) = mended else {
        return Err(error);
    };
    let damage = judge(name, mended.missing, mended.doubtful)?;
    // The first error is about the file as it is.
    let image = read(&mended.file).map_err(|_| error)?;
    Ok((image, damage))
}

/// The damage of a picture of which a share is missing; none if that is nothing to speak of.
///
/// Errors if too little is there.
pub(super) fn judge(
    format: &'static str,
    missing: f64,
    doubtful: bool,
) -> Result<Option<Damage>, ImageError> {
    let damage = match doubtful {
        _ if missing > TRAILING => Damage::Missing(missing),
        true => Damage::Doubtful,
        false => return Ok(None),
    };
    if missing > 1.0 - LEAST {
        return Err(ImageError::broken(format, damage));
    }
    Ok(Some(damage))
}

#[cfg(test)]
mod tests;
