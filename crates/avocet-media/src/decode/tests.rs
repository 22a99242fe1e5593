//! Every format and every odd way of storing pixels comes out as the same eight-bit RGB.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{DynamicImage, ExtendedColorType, ImageEncoder, RgbImage};

use super::*;

/// Four flat quarters of 16 x 16: red, green, blue, white.
fn quarters() -> RgbImage {
    RgbImage::from_fn(32, 32, |x, y| {
        image::Rgb(match (x < 16, y < 16) {
            (true, true) => [255, 0, 0],
            (false, true) => [0, 255, 0],
            (true, false) => [0, 0, 255],
            (false, false) => [255, 255, 255],
        })
    })
}

pub(super) fn encoded(format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    quarters().write_to(&mut file, format).unwrap();
    file.into_inner()
}

pub(super) const MADE_ELSEWHERE: [(&str, &[u8]); 8] = [
    ("cmyk.jpg", include_bytes!("../../testdata/cmyk.jpg")),
    ("cmyk.tif", include_bytes!("../../testdata/cmyk.tif")),
    (
        "progressive.jpg",
        include_bytes!("../../testdata/progressive.jpg"),
    ),
    ("lossy.webp", include_bytes!("../../testdata/lossy.webp")),
    ("palette.png", include_bytes!("../../testdata/palette.png")),
    ("frames.gif", include_bytes!("../../testdata/frames.gif")),
    ("turned.tif", include_bytes!("../../testdata/turned.tif")),
    ("bits.tif", include_bytes!("../../testdata/bits.tif")),
];

fn expect_quarters(picture: &Picture, name: &str, tolerance: u8) {
    assert_eq!((picture.width, picture.height), (32, 32), "{name}");
    for (x, y) in [(4, 4), (27, 4), (4, 27), (27, 27)] {
        let at = (y * 32 + x) * 3;
        let found = &picture.rgb[at..at + 3];
        let expected = quarters().get_pixel(x as u32, y as u32).0;
        let near = found
            .iter()
            .zip(expected)
            .all(|(&a, b)| a.abs_diff(b) <= tolerance);
        assert!(near, "{name} at {x},{y}: {found:?}, not {expected:?}");
    }
}

#[test]
fn every_format_is_told_by_content_and_decoded() {
    use ImageFormat::{Bmp, Gif, Jpeg, Png, Tiff, WebP};
    for (format, tolerance) in [
        (Png, 0),
        (Jpeg, 16),
        (WebP, 0),
        (Gif, 4),
        (Bmp, 0),
        (Tiff, 0),
    ] {
        let picture = decode(&encoded(format), &Limits::default()).unwrap();
        expect_quarters(&picture, &format!("{format:?}"), tolerance);
    }
}

#[test]
fn files_of_other_programs_decode_too() {
    for (name, bytes) in MADE_ELSEWHERE {
        let picture = decode(bytes, &Limits::default()).unwrap_or_else(|e| panic!("{name}: {e}"));
        if name != "bits.tif" {
            expect_quarters(&picture, name, 16);
        }
    }
}

/// An EXIF block that says nothing but the camera's turn.
fn exif(orientation: u8) -> Vec<u8> {
    let mut block = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    block.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    block
}

#[test]
fn all_eight_turns_of_a_camera_end_upright() {
    // What is stored for each turn so that undoing it gives the upright picture.
    let upright = DynamicImage::ImageRgb8(RgbImage::from_fn(32, 16, |x, y| {
        image::Rgb([
            if x < 16 { 255 } else { 0 },
            if y < 8 { 255 } else { 0 },
            40,
        ])
    }));
    for orientation in 1..=8u8 {
        let stored = match orientation {
            1 => upright.clone(),
            2 => upright.fliph(),
            3 => upright.rotate180(),
            4 => upright.flipv(),
            5 => upright.rotate90().fliph(),
            6 => upright.rotate270(),
            7 => upright.rotate270().fliph(),
            _ => upright.rotate90(),
        };
        let rgb = stored.to_rgb8();
        let (width, height) = rgb.dimensions();
        let kind = ExtendedColorType::Rgb8;
        let mut jpeg = Vec::new();
        let mut encoder = JpegEncoder::new_with_quality(&mut jpeg, 95);
        encoder.set_exif_metadata(exif(orientation)).unwrap();
        encoder.write_image(&rgb, width, height, kind).unwrap();
        let mut png = Vec::new();
        let mut encoder = PngEncoder::new(&mut png);
        encoder.set_exif_metadata(exif(orientation)).unwrap();
        encoder.write_image(&rgb, width, height, kind).unwrap();
        for (name, file) in [("JPEG", jpeg), ("PNG", png)] {
            let picture = decode(&file, &Limits::default()).unwrap();
            assert_eq!(
                (picture.width, picture.height),
                (32, 16),
                "{name} {orientation}"
            );
            for (x, y) in [(4, 3), (28, 3), (4, 12), (28, 12)] {
                let at = (y * 32 + x) * 3;
                let bright = |on: bool, value: u8| if on { value > 200 } else { value < 60 };
                assert!(
                    bright(x < 16, picture.rgb[at]) && bright(y < 8, picture.rgb[at + 1]),
                    "{name}, turn {orientation}, at {x},{y}: {:?}",
                    &picture.rgb[at..at + 3]
                );
            }
        }
    }
}

#[test]
fn transparency_is_laid_over_white() {
    let image = image::RgbaImage::from_fn(4, 1, |x, _| {
        image::Rgba(
            [
                [0, 0, 0, 0],
                [0, 0, 0, 255],
                [200, 100, 0, 128],
                [9, 9, 9, 1],
            ][x as usize],
        )
    });
    let mut file = Cursor::new(Vec::new());
    image.write_to(&mut file, ImageFormat::Png).unwrap();
    let picture = decode(file.get_ref(), &Limits::default()).unwrap();
    assert_eq!(
        picture.rgb,
        [255, 255, 255, 0, 0, 0, 227, 177, 127, 254, 254, 254]
    );
}

#[test]
fn sixteen_bits_grey_and_grey_with_alpha_become_eight_bit_rgb() {
    let luma =
        image::ImageBuffer::from_fn(3, 1, |x, _| image::Luma([[0u16, 32896, 65535][x as usize]]));
    let luma_alpha = image::ImageBuffer::from_fn(3, 1, |x, _| {
        image::LumaA([[0u16, 0], [32896, 65535], [65535, 65535]][x as usize])
    });
    let rgb = image::ImageBuffer::from_fn(3, 1, |x, _| {
        image::Rgb([[0u16; 3], [32896; 3], [65535; 3]][x as usize])
    });
    for (image, first) in [
        (DynamicImage::ImageLuma16(luma), 0),
        (DynamicImage::ImageLumaA16(luma_alpha), 255),
        (DynamicImage::ImageRgb16(rgb), 0),
    ] {
        let mut file = Cursor::new(Vec::new());
        image.write_to(&mut file, ImageFormat::Png).unwrap();
        let picture = decode(file.get_ref(), &Limits::default()).unwrap();
        let expected: Vec<u8> = [first, 128, 255].iter().flat_map(|&v| [v; 3]).collect();
        assert_eq!(picture.rgb, expected);
    }
}

#[test]
fn what_is_no_image_is_said_in_one_line() {
    assert_eq!(decode(b"", &Limits::default()), Err(ImageError::Empty));
    for bytes in [
        &b"hello\nworld, this is text"[..],
        b"<svg/>",
        b"\0\0\0",
        b"RIFF1234AVI ",
    ] {
        let error = decode(bytes, &Limits::default()).unwrap_err().to_string();
        assert!(
            error.contains("not an image") && !error.contains('\n'),
            "{error}"
        );
    }
    let whole = encoded(ImageFormat::Png);
    let error = decode(&whole[..whole.len() / 2], &Limits::default())
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("broken PNG image") && !error.contains('\n'),
        "{error}"
    );
}

#[test]
fn errors_of_files_name_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("no picture.png");
    let error = read(&path, &Limits::default()).unwrap_err().to_string();
    assert!(error.contains("no picture.png"), "{error}");
    std::fs::write(&path, b"text").unwrap();
    let error = read(&path, &Limits::default()).unwrap_err().to_string();
    assert!(
        error.contains("no picture.png") && error.contains("not an image"),
        "{error}"
    );
    let error = read(dir.path(), &Limits::default())
        .unwrap_err()
        .to_string();
    assert!(error.contains(&dir.path().display().to_string()), "{error}");
    let limits = Limits {
        max_file_bytes: 3,
        ..Limits::default()
    };
    let error = read(&path, &limits).unwrap_err().to_string();
    assert!(
        error.contains("4 bytes") && error.contains("3 bytes"),
        "{error}"
    );
}
