//! TIFF: a first look at its directory, the kinds of samples that `image` does not take, and
//! files that are cut off.
//!
//! The decoder reserves memory for every entry by the count the entry claims; here an entry that
//! claims more than the file holds is refused first.

use std::io::Cursor;

use image::{DynamicImage, ImageBuffer, ImageFormat};
use tiff::ColorType;
use tiff::decoder::Decoder;
use tiff::tags::{SampleFormat, Tag};

use super::directory::{Directory, Entry, orientation};
use super::limits::Limits;
use super::{eight_bits, whole};
use crate::ImageError;

const NAME: &str = "TIFF";
const WIDTH: u16 = 256;
const HEIGHT: u16 = 257;
const BITS: u16 = 258;
const PHOTOMETRIC: u16 = 262;
const STRIP_OFFSETS: u16 = 273;
const SAMPLES: u16 = 277;
const STRIP_ROWS: u16 = 278;
const STRIP_BYTES: u16 = 279;
const PLANES: u16 = 284;
const PREDICTOR: u16 = 317;
const FORMAT: u16 = 339;
/// Values of [`PHOTOMETRIC`].
const BLACK_IS_ZERO: u64 = 1;
const RGB: u64 = 2;
const PALETTE: u64 = 3;
/// Floats that reach further than this are no shares of 1, however bright.
const BRIGHTEST: f32 = 16.0;

/// The upright picture, with eight bits a sample.
///
/// Errors if the file is broken, over a limit, or of a kind that nobody reads.
pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<DynamicImage, ImageError> {
    check_directory(bytes).map_err(|e| ImageError::broken(NAME, e))?;
    let error = match whole::decode(bytes, ImageFormat::Tiff, NAME, limits) {
        Err(error @ ImageError::Broken { .. }) => error,
        decoded => return decoded,
    };
    match rarer(bytes, limits)? {
        Some(mut image) => {
            image.apply_orientation(orientation(bytes));
            Ok(image)
        }
        None => Err(error),
    }
}

/// Walks the first directory of a TIFF or BigTIFF.
///
/// Errors if it, or the values of an entry, would lie past the end of the file.
fn check_directory(bytes: &[u8]) -> Result<(), String> {
    let directory = Directory::open(bytes)?;
    for entry in directory.entries() {
        let entry = entry?;
        let length = entry.count.saturating_mul(entry.value_bytes());
        if length > bytes.len() as u64 {
            return Err(format!(
                "entry {} claims {length} bytes; the file has {}",
                entry.tag,
                bytes.len()
            ));
        }
    }
    Ok(())
}

/// A file as the decoder takes it: it knows neither palettes nor samples of 9 to 15 bits, but the
/// same bytes as grey.
struct Plain {
    file: Vec<u8>,
    /// The samples are places in a palette.
    indexed: bool,
    /// White is zero, which the decoder was not told.
    inverted: bool,
    /// Channels, bits of a sample and pixels of a row that is read as so many grey bytes.
    packed: Option<(usize, u8, u32)>,
}

impl Plain {
    /// None if the directory does not say what the samples are.
    fn of(bytes: &[u8]) -> Option<Self> {
        let directory = Directory::open(bytes).ok()?;
        let value = |tag| directory.value(&directory.find(tag)?, 0);
        let mut file = bytes.to_vec();
        let mut put = |tag, value| -> Option<()> {
            let entry = directory.find(tag)?;
            let (at, word) = (entry.at, directory.word());
            directory.put(&mut file, at + 4, word, 1)?;
            directory.put(
                &mut file,
                at + 4 + word,
                entry.value_bytes().min(word),
                value,
            )
        };
        let (kind, bits) = (value(PHOTOMETRIC)?, value(BITS).unwrap_or(1));
        let channels = value(SAMPLES).unwrap_or(1);
        let indexed = kind == PALETTE;
        if indexed {
            put(PHOTOMETRIC, BLACK_IS_ZERO)?;
        }
        let is_packed = (9..16).contains(&bits)
            && (1..=4).contains(&channels)
            && kind <= RGB
            && value(FORMAT).unwrap_or(1) == 1
            && value(PREDICTOR).unwrap_or(1) == 1
            && value(PLANES).unwrap_or(1) == 1;
        let packed = match is_packed {
            true => {
                let width = u32::try_from(value(WIDTH)?).ok()?;
                let row = (u64::from(width) * channels * bits).div_ceil(8);
                put(WIDTH, row)?;
                put(BITS, 8)?;
                put(PHOTOMETRIC, BLACK_IS_ZERO)?;
                for tag in [SAMPLES, FORMAT] {
                    if directory.find(tag).is_some() {
                        put(tag, 1)?;
                    }
                }
                Some((channels as usize, bits as u8, width))
            }
            false => None,
        };
        Some(Self {
            file,
            indexed,
            inverted: is_packed && kind == 0,
            packed,
        })
    }
}

/// Samples as they lie in the file.
struct Samples {
    bytes: Vec<u8>,
    /// Bits of one.
    bits: usize,
    format: SampleFormat,
    /// Rows begin at a whole byte.
    row_bytes: usize,
    per_row: usize,
}

/// Grey or coloured samples of up to 16 bits or as floats, and palettes, which `image` refuses.
///
/// None if it is of neither kind, or its pixels do not decode.
fn rarer(bytes: &[u8], limits: &Limits) -> Result<Option<DynamicImage>, ImageError> {
    let Some(plain) = Plain::of(bytes) else {
        return Ok(None);
    };
    let Ok(decoder) = Decoder::new(Cursor::new(&plain.file[..])) else {
        return Ok(None);
    };
    let mut inner = tiff::decoder::Limits::default();
    inner.decoding_buffer_size = limits.max_alloc as usize;
    inner.intermediate_buffer_size = limits.max_alloc as usize;
    let mut decoder = decoder.with_limits(inner);
    let (Ok(color), Ok((width, height))) = (decoder.colortype(), decoder.dimensions()) else {
        return Ok(None);
    };
    let (channels, bits) = match (plain.packed, color) {
        (Some((channels, bits, _)), _) => (channels, bits),
        (None, ColorType::Gray(bits)) => (1, bits),
        (None, ColorType::GrayA(bits)) => (2, bits),
        (None, ColorType::RGB(bits)) => (3, bits),
        (None, ColorType::RGBA(bits)) => (4, bits),
        _ => return Ok(None),
    };
    let width = plain.packed.map_or(width, |(.., width)| width);
    let formats = decoder.find_tag_unsigned_vec::<u16>(Tag::SampleFormat);
    let format = formats
        .ok()
        .flatten()
        .and_then(|all| SampleFormat::from_u16(*all.first()?));
    let format = format.unwrap_or(SampleFormat::Uint);
    let is_float = format == SampleFormat::IEEEFP && matches!(bits, 16 | 32 | 64);
    let is_whole = format == SampleFormat::Uint && bits <= 16;
    if !is_float && !is_whole {
        return Ok(None);
    }
    let per_row = width as usize * channels;
    let row_bytes = (per_row * usize::from(bits)).div_ceil(8);
    // The samples, and one byte for each of them.
    let total = (row_bytes + per_row) as u64 * u64::from(height);
    limits.check(bytes.len() as u64, (width, height), total)?;
    let mut samples = Samples {
        bytes: vec![0; row_bytes * height as usize],
        bits: bits.into(),
        format,
        row_bytes,
        per_row,
    };
    let layout = decoder.image_buffer_layout();
    let fits = layout.is_ok_and(|layout| layout.planes == 1 && layout.len == samples.bytes.len());
    if !fits || decoder.read_image_bytes(&mut samples.bytes).is_err() {
        return Ok(None);
    }
    if plain.inverted {
        samples.bytes.iter_mut().for_each(|byte| *byte = !*byte);
    }
    let (eight, channels) = match plain.indexed {
        false => (samples.eight_bits()?, channels),
        true => match colours(&mut decoder, bits) {
            Some(map) => (samples.indices().flat_map(map).collect(), 3),
            None => return Ok(None),
        },
    };
    Ok(match channels {
        1 => ImageBuffer::from_raw(width, height, eight).map(DynamicImage::ImageLuma8),
        2 => ImageBuffer::from_raw(width, height, eight).map(DynamicImage::ImageLumaA8),
        3 => ImageBuffer::from_raw(width, height, eight).map(DynamicImage::ImageRgb8),
        _ => ImageBuffer::from_raw(width, height, eight).map(DynamicImage::ImageRgba8),
    })
}

/// The colour of each index of a palette.
fn colours(
    decoder: &mut Decoder<Cursor<&[u8]>>,
    bits: u8,
) -> Option<impl Fn(usize) -> [u8; 3] + use<>> {
    let map = decoder.get_tag_u16_vec(Tag::ColorMap).ok()?;
    let length = 1_usize.checked_shl(bits.into())?;
    let fits = map.len() == 3 * length;
    // Some writers put eight bits where sixteen belong.
    let is_narrow = map.iter().all(|value| *value < 256);
    let narrow = move |value: u16| match is_narrow {
        true => value as u8,
        false => eight_bits::of_u16(value),
    };
    fits.then_some(move |index: usize| {
        std::array::from_fn(|part| narrow(map[part * length + index]))
    })
}

impl Samples {
    /// Whole numbers of up to 16 bits, row by row.
    fn indices(&self) -> impl Iterator<Item = usize> + '_ {
        let rows = self.bytes.chunks(self.row_bytes.max(1));
        rows.flat_map(|row| (0..self.per_row).map(|index| self.whole(row, index)))
    }

    fn whole(&self, row: &[u8], index: usize) -> usize {
        match self.bits {
            8 => row[index].into(),
            16 => u16::from_ne_bytes([row[2 * index], row[2 * index + 1]]).into(),
            bits => (index * bits..(index + 1) * bits).fold(0, |value, bit| {
                value << 1 | usize::from(row[bit / 8] >> (7 - bit % 8) & 1)
            }),
        }
    }

    /// Eight bits for each sample.
    ///
    /// Errors if floats are no shares of 1.
    fn eight_bits(&self) -> Result<Vec<u8>, ImageError> {
        if self.format == SampleFormat::Uint {
            let most = (1_usize << self.bits) - 1;
            let eight = self
                .indices()
                .map(|value| ((value * 255 + most / 2) / most) as u8);
            return Ok(eight.collect());
        }
        let floats: Vec<f32> = match self.bits {
            16 => self.floats(|two| half(u16::from_ne_bytes(two))),
            32 => self.floats(f32::from_ne_bytes),
            _ => self.floats(|eight| f64::from_ne_bytes(eight) as f32),
        };
        let finite = floats.iter().filter(|value| value.is_finite());
        let (low, high) = finite.fold((0_f32, 0_f32), |(low, high), value| {
            (low.min(*value), high.max(*value))
        });
        if high > BRIGHTEST || low < -BRIGHTEST {
            let reason = format!(
                "its samples are numbers from {low} to {high}; floats are read as 0 (black) to 1 \
                 (white)"
            );
            return Err(ImageError::broken(NAME, reason));
        }
        Ok(floats.into_iter().map(eight_bits::of_f32).collect())
    }

    fn floats<const N: usize>(&self, value: impl Fn([u8; N]) -> f32) -> Vec<f32> {
        let (samples, _) = self.bytes.as_chunks::<N>();
        samples.iter().map(|sample| value(*sample)).collect()
    }
}

/// A number of half precision.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    sign * match exponent {
        0 => fraction * 2_f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1.0 + fraction / 1024.0) * 2_f32.powi(exponent - 15),
    }
}

/// The picture of a file that is cut off, what is missing in grey, and how much that is.
///
/// Rows lie in strips, one after another: the most rows are looked for with which it decodes.
/// None if there is no such number of rows, or the file has tiles.
pub(super) fn salvage(
    bytes: &[u8],
    decode: impl Fn(&[u8]) -> Option<DynamicImage>,
) -> Option<(DynamicImage, f64)> {
    let directory = Directory::open(bytes).ok()?;
    let entry = |tag| directory.find(tag);
    let height = directory.value(&entry(HEIGHT)?, 0)?;
    let strips = [entry(STRIP_OFFSETS)?, entry(STRIP_BYTES)?];
    let most = strips[0].count;
    let rows = entry(STRIP_ROWS).and_then(|rows| directory.value(&rows, 0));
    let rows = rows.unwrap_or(height).clamp(1, height.max(1));
    // One plane alone: others would come behind it.
    if height == 0 || most != height.div_ceil(rows) || strips[1].count != most {
        return None;
    }
    let (mut there, mut too_many, mut best) = (0, height, None);
    while too_many - there > 1 {
        let middle = there + (too_many - there) / 2;
        let file = shortened(bytes, &directory, &strips, middle, middle.div_ceil(rows));
        match file.and_then(|file| decode(&file)) {
            Some(image) => (there, best) = (middle, Some(image)),
            None => too_many = middle,
        }
    }
    let image = best?;
    let missing = 1.0 - there as f64 / height as f64;
    Some((
        lengthened(image, there, height, orientation(bytes))?,
        missing,
    ))
}

/// The file with `rows` rows in `count` strips.
fn shortened(
    bytes: &[u8],
    directory: &Directory,
    strips: &[Entry],
    rows: u64,
    count: u64,
) -> Option<Vec<u8>> {
    let mut file = bytes.to_vec();
    let word = directory.word();
    let height = directory.find(HEIGHT)?;
    let value = |entry: &Entry| entry.at + 4 + word;
    directory.put(&mut file, value(&height), height.value_bytes(), rows)?;
    for strip in strips {
        let size = strip.value_bytes();
        // Values that fit stand in the entry itself.
        if count * size <= word && strip.count * size > word {
            for index in 0..count {
                let first = directory.value(strip, index)?;
                directory.put(&mut file, value(strip) + index * size, size, first)?;
            }
        }
        directory.put(&mut file, strip.at + 4, word, count)?;
    }
    Some(file)
}

/// The picture with grey where rows are missing, on the side that its turn puts them.
fn lengthened(
    image: DynamicImage,
    there: u64,
    height: u64,
    turn: image::metadata::Orientation,
) -> Option<DynamicImage> {
    use image::metadata::Orientation::{
        FlipHorizontal, FlipVertical, NoTransforms, Rotate90, Rotate180, Rotate270FlipH,
    };
    let missing = u32::try_from(height - there).ok()?;
    let (width, tall) = (image.width(), image.height());
    let is_upright = matches!(
        turn,
        NoTransforms | FlipHorizontal | FlipVertical | Rotate180
    );
    let (size, at) = match is_upright {
        true => {
            let above = matches!(turn, FlipVertical | Rotate180);
            (
                (width, tall + missing),
                (0, if above { missing } else { 0 }),
            )
        }
        false => {
            let left = matches!(turn, Rotate90 | Rotate270FlipH);
            ((width + missing, tall), (if left { missing } else { 0 }, 0))
        }
    };
    let mut canvas = image::RgbImage::from_pixel(size.0, size.1, image::Rgb([128; 3]));
    let part = image::RgbImage::from_raw(width, tall, eight_bits::flatten(image))?;
    image::imageops::replace(&mut canvas, &part, at.0.into(), at.1.into());
    Some(DynamicImage::ImageRgb8(canvas))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiff(entries: &[[u8; 12]]) -> Vec<u8> {
        let mut file = b"II*\0\x08\0\0\0".to_vec();
        file.extend((entries.len() as u16).to_le_bytes());
        file.extend(entries.concat());
        file.extend([0; 4]);
        file
    }

    #[test]
    fn an_honest_directory_passes() {
        assert_eq!(
            check_directory(&tiff(&[[0x12, 1, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0]])),
            Ok(())
        );
        assert_eq!(check_directory(&tiff(&[])), Ok(()));
    }

    #[test]
    fn a_count_beyond_the_file_is_refused_with_both_numbers() {
        let file = tiff(&[[0x11, 1, 4, 0, 0, 0, 0, 8, 0, 0, 0, 0]]);
        let error = check_directory(&file).unwrap_err();
        assert!(
            error.contains("536870912") && error.contains("26"),
            "{error}"
        );
        assert!(check_directory(b"II*\0\xff\xff\xff\xff").is_err());
        assert!(check_directory(b"MM\0\x2b\0\x08\0\0\xff\xff\xff\xff\xff\xff\xff\xff").is_err());
        assert!(check_directory(b"II").is_err());
    }

    #[test]
    fn halves_are_the_numbers_that_the_standard_says() {
        for (bits, value) in [
            (0x3c00, 1.0),
            (0x3800, 0.5),
            (0xc000, -2.0),
            (0x0001, 2_f32.powi(-24)),
        ] {
            assert_eq!(half(bits), value);
        }
        assert!(half(0x7e00).is_nan() && half(0x7c00) == f32::INFINITY);
    }
}
