//! A file of pixels as the crate `image` decodes it: header first, then limits, then pixels.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader};

use super::limits::Limits;
use super::{directory, eight_bits};
use crate::ImageError;

/// Bytes a decoder may use beside the pixels: for headers, text chunks and colour profiles, which
/// can be bombs too.
const WORKING_BYTES: u64 = 32 << 20;

/// The upright picture, with eight bits a sample.
///
/// Errors if the file is broken in any way that its decoder notices, or over a limit.
pub(super) fn decode(
    bytes: &[u8],
    format: ImageFormat,
    name: &'static str,
    limits: &Limits,
) -> Result<DynamicImage, ImageError> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut inner = image::Limits::default();
    inner.max_alloc = Some(limits.max_alloc.min(WORKING_BYTES));
    reader.limits(inner.clone());
    let mut decoder = reader
        .into_decoder()
        .map_err(|e| ImageError::broken(name, e))?;
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(ImageError::broken(
            name,
            format!("its size is {width} x {height}"),
        ));
    }
    let (total, kind) = (decoder.total_bytes(), decoder.color_type());
    limits.check(bytes.len() as u64, (width, height), total)?;
    inner.max_alloc = Some(total.saturating_mul(2).saturating_add(WORKING_BYTES));
    decoder
        .set_limits(inner)
        .map_err(|e| ImageError::broken(name, e))?;
    let turn = match format {
        ImageFormat::Tiff => directory::orientation(bytes),
        _ => {
            let block = decoder.exif_metadata().ok().flatten();
            directory::orientation(&block.unwrap_or_default())
        }
    };
    let mut samples = vec![0; total as usize];
    decoder
        .read_image(&mut samples)
        .map_err(|e| ImageError::broken(name, e))?;
    let image = eight_bits::picture((width, height), kind, samples);
    let mut image =
        image.ok_or_else(|| ImageError::broken(name, "its pixels do not fit its size"))?;
    image.apply_orientation(turn);
    Ok(image)
}
