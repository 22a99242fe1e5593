//! Samples of any width become eight-bit ones, and transparency is laid over white, in the memory
//! that the samples already take.

use image::{ColorType, DynamicImage, ImageBuffer};

/// The picture that a decoder has written into `samples`, with eight bits a sample.
///
/// None if the samples are not as many as the size says.
pub(super) fn picture(
    (width, height): (u32, u32),
    kind: ColorType,
    mut samples: Vec<u8>,
) -> Option<DynamicImage> {
    use ColorType::{Rgb16, Rgb32F, Rgba16, Rgba32F};
    match kind {
        ColorType::L16 | ColorType::La16 | Rgb16 | Rgba16 => {
            narrow(&mut samples, |two: [u8; 2]| of_u16(u16::from_ne_bytes(two)));
        }
        Rgb32F | Rgba32F => narrow(&mut samples, |four| of_f32(f32::from_ne_bytes(four))),
        _ => {}
    }
    Some(match kind.channel_count() {
        1 => DynamicImage::ImageLuma8(ImageBuffer::from_raw(width, height, samples)?),
        2 => DynamicImage::ImageLumaA8(ImageBuffer::from_raw(width, height, samples)?),
        3 => DynamicImage::ImageRgb8(ImageBuffer::from_raw(width, height, samples)?),
        _ => DynamicImage::ImageRgba8(ImageBuffer::from_raw(width, height, samples)?),
    })
}

/// Eight-bit RGB of a picture of eight bits a sample, transparency laid over white.
pub(super) fn flatten(image: DynamicImage) -> Vec<u8> {
    match image {
        DynamicImage::ImageLuma8(grey) => spread::<1>(&grey.into_raw(), |[grey]| [grey; 3]),
        DynamicImage::ImageLumaA8(grey) => spread::<2>(&grey.into_raw(), |[grey, alpha]| {
            [over_white(grey, alpha); 3]
        }),
        DynamicImage::ImageRgba8(rgba) => {
            let mut samples = rgba.into_raw();
            let pixels = samples.len() / 4;
            for pixel in 0..pixels {
                let alpha = samples[4 * pixel + 3];
                for channel in 0..3 {
                    samples[3 * pixel + channel] = over_white(samples[4 * pixel + channel], alpha);
                }
            }
            samples.truncate(3 * pixels);
            samples.shrink_to_fit();
            samples
        }
        image => image.into_rgb8().into_raw(),
    }
}

fn spread<const N: usize>(samples: &[u8], colour: fn([u8; N]) -> [u8; 3]) -> Vec<u8> {
    let (pixels, _) = samples.as_chunks::<N>();
    let mut rgb = Vec::with_capacity(3 * pixels.len());
    rgb.extend(pixels.iter().flat_map(|&pixel| colour(pixel)));
    rgb
}

fn over_white(colour: u8, alpha: u8) -> u8 {
    let (colour, alpha) = (u32::from(colour), u32::from(alpha));
    ((colour * alpha + 255 * (255 - alpha) + 127) / 255) as u8
}

/// Each `N` bytes become one, at the front of the same memory.
fn narrow<const N: usize>(samples: &mut Vec<u8>, value: fn([u8; N]) -> u8) {
    let length = samples.len() / N;
    for index in 0..length {
        let wide = std::array::from_fn(|byte| samples[N * index + byte]);
        samples[index] = value(wide);
    }
    samples.truncate(length);
    samples.shrink_to_fit();
}

/// Sixteen bits to eight, rounded to the nearest.
pub(super) fn of_u16(value: u16) -> u8 {
    ((u32::from(value) + 128) / 257) as u8
}

/// 0 to 1 as 0 to 255, rounded to the nearest; what is no number is white, as in browsers.
pub(super) fn of_f32(value: f32) -> u8 {
    if value.is_nan() {
        return u8::MAX;
    }
    (value.clamp(0.0, 1.0) * 255.0).round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Luma, LumaA, Rgb, Rgb32FImage, Rgba};

    fn bytes<T: Copy, const N: usize>(samples: &[T], each: fn(T) -> [u8; N]) -> Vec<u8> {
        samples.iter().flat_map(|&sample| each(sample)).collect()
    }

    #[test]
    fn sixteen_bits_are_narrowed_as_the_decoders_own_conversion_does() {
        let all: Vec<u16> = (0..=u16::MAX).collect();
        let raw = || bytes(&all, u16::to_ne_bytes);
        let theirs = |image: DynamicImage| image.into_rgb8().into_raw();
        let grey = ImageBuffer::<Luma<u16>, _>::from_raw(256, 256, all.clone()).unwrap();
        let ours = picture((256, 256), ColorType::L16, raw()).unwrap();
        assert!(flatten(ours) == theirs(DynamicImage::ImageLuma16(grey)));
        let rgb = all.iter().flat_map(|&v| [v, !v, v / 2]).collect::<Vec<_>>();
        let colour = ImageBuffer::<Rgb<u16>, _>::from_raw(256, 256, rgb.clone()).unwrap();
        let rgb = bytes(&rgb, u16::to_ne_bytes);
        let ours = picture((256, 256), ColorType::Rgb16, rgb).unwrap();
        assert!(flatten(ours) == theirs(DynamicImage::ImageRgb16(colour)));
    }

    #[test]
    fn floats_are_narrowed_as_the_decoders_own_conversion_does() {
        let mut all: Vec<f32> = (-50..300).map(|step| step as f32 / 251.0).collect();
        all.extend([
            f32::NAN,
            f32::INFINITY,
            f32::NEG_INFINITY,
            1e-40,
            0.501_960_8,
            -0.0,
        ]);
        all.resize(360, 0.25);
        let theirs = Rgb32FImage::from_raw(60, 2, all.clone()).unwrap();
        let raw = bytes(&all, f32::to_ne_bytes);
        let ours = picture((60, 2), ColorType::Rgb32F, raw).unwrap();
        let theirs = DynamicImage::ImageRgb32F(theirs).into_rgb8().into_raw();
        assert_eq!(flatten(ours), theirs);
    }

    #[test]
    fn transparency_over_white_does_not_depend_on_the_number_of_channels() {
        let pairs: Vec<u8> = (0..=255)
            .flat_map(|a| (0..=255).flat_map(move |v| [v, a]))
            .collect();
        let grey = ImageBuffer::<LumaA<u8>, _>::from_raw(256, 256, pairs.clone()).unwrap();
        let colour = pairs
            .chunks(2)
            .flat_map(|p| [p[0], p[0], p[0], p[1]])
            .collect();
        let colour = ImageBuffer::<Rgba<u8>, Vec<u8>>::from_raw(256, 256, colour).unwrap();
        let grey = flatten(DynamicImage::ImageLumaA8(grey));
        assert!(grey == flatten(DynamicImage::ImageRgba8(colour)));
        assert_eq!(grey[3 * (256 * 255 + 7)], 7, "opaque");
        assert_eq!(grey[3 * 7], 255, "clear");
    }
}
