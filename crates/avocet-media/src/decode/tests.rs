//! Every format and every odd way of storing pixels comes out as the same eight-bit RGB.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{DynamicImage, ExtendedColorType, ImageEncoder, ImageFormat, RgbImage};

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

pub(super) const MADE_ELSEWHERE: [(&str, &[u8]); 15] = [
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
    (
        "noise-progressive.jpg",
        include_bytes!("../../testdata/noise-progressive.jpg"),
    ),
    (
        "noise-restarts.jpg",
        include_bytes!("../../testdata/noise-restarts.jpg"),
    ),
    (
        "noise-cmyk.jpg",
        include_bytes!("../../testdata/noise-cmyk.jpg"),
    ),
    (
        "noise-lossy.webp",
        include_bytes!("../../testdata/noise-lossy.webp"),
    ),
    (
        "noise-lossless.webp",
        include_bytes!("../../testdata/noise-lossless.webp"),
    ),
    ("noise.gif", include_bytes!("../../testdata/noise.gif")),
    ("noise.tif", include_bytes!("../../testdata/noise.tif")),
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
        if name != "bits.tif" && !name.starts_with("noise") {
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
fn a_turn_written_as_a_long_number_counts_in_every_format() {
    use image::codecs::webp::WebPEncoder;
    let mut long = exif(6);
    // The kind of the only entry, whose value begins with the same bytes.
    long[12] = 4;
    let rgb = RgbImage::from_fn(32, 16, |x, _| image::Rgb([if x < 16 { 255 } else { 0 }; 3]));
    let kind = ExtendedColorType::Rgb8;
    let mut files = [Vec::new(), Vec::new(), Vec::new()];
    let [jpeg, png, webp] = &mut files;
    let mut encoder = JpegEncoder::new_with_quality(jpeg, 95);
    encoder.set_exif_metadata(long.clone()).unwrap();
    encoder.write_image(&rgb, 32, 16, kind).unwrap();
    let mut encoder = PngEncoder::new(png);
    encoder.set_exif_metadata(long.clone()).unwrap();
    encoder.write_image(&rgb, 32, 16, kind).unwrap();
    let mut encoder = WebPEncoder::new_lossless(webp);
    encoder.set_exif_metadata(long).unwrap();
    encoder.write_image(&rgb, 32, 16, kind).unwrap();
    let mut tiff = include_bytes!("../../testdata/turned.tif").to_vec();
    let entry = tiff
        .windows(4)
        .position(|four| four == [18, 1, 3, 0])
        .unwrap();
    tiff[entry + 2] = 4;
    let upright = decode(&tiff, &Limits::default()).unwrap();
    expect_quarters(&upright, "TIFF", 0);
    for (index, file) in files.iter().enumerate() {
        let picture = decode(file, &Limits::default()).unwrap();
        assert_eq!((picture.width, picture.height), (16, 32), "{index}");
        let (first, last) = (picture.rgb[0], picture.rgb[picture.rgb.len() - 1]);
        assert!(first > 200 && last < 60, "{index}: {first}, {last}");
    }
}

/// A TIFF of one row of grey samples, of `bits` each and of a sample format.
fn row(bits: u16, format: u16, width: u16, little: bool, data: &[u8]) -> Vec<u8> {
    let two = |value: u16| {
        if little {
            value.to_le_bytes()
        } else {
            value.to_be_bytes()
        }
    };
    let four = |value: u32| {
        if little {
            value.to_le_bytes()
        } else {
            value.to_be_bytes()
        }
    };
    let entries: [(u16, u32); 10] = [
        (256, width.into()),
        (257, 1),
        (258, bits.into()),
        (259, 1),
        (262, 1),
        (273, 8 + 2 + 120 + 4),
        (277, 1),
        (278, 1),
        (279, data.len() as u32),
        (339, format.into()),
    ];
    let mut file = if little {
        b"II".to_vec()
    } else {
        b"MM".to_vec()
    };
    file.extend(two(42));
    file.extend(four(8));
    file.extend(two(10));
    for (tag, value) in entries {
        file.extend(two(tag));
        file.extend(two(4));
        file.extend(four(1));
        file.extend(four(value));
    }
    file.extend(four(0));
    file.extend(data);
    file
}

#[test]
fn tiffs_of_floats_and_of_odd_numbers_of_bits_are_read() {
    let grey = |file: &[u8]| -> Vec<u8> {
        let picture = decode(file, &Limits::default()).unwrap();
        picture.rgb.iter().step_by(3).copied().collect()
    };
    for little in [true, false] {
        let floats = [0.0_f32, 0.25, 0.5, 1.0, 1.5, -1.0, f32::NAN];
        let bytes = floats.map(|v| {
            if little {
                v.to_le_bytes()
            } else {
                v.to_be_bytes()
            }
        });
        let file = row(32, 3, 7, little, &bytes.concat());
        assert_eq!(grey(&file), [0, 64, 128, 255, 255, 0, 255]);
        let doubles = [0.0_f64, 0.75].map(|v| {
            if little {
                v.to_le_bytes()
            } else {
                v.to_be_bytes()
            }
        });
        assert_eq!(grey(&row(64, 3, 2, little, &doubles.concat())), [0, 191]);
        // Packed from the highest bit, whatever the order of bytes: 0, 0x800, 0xfff.
        let packed = [0x00, 0x08, 0x00, 0xff, 0xf0];
        assert_eq!(grey(&row(12, 1, 3, little, &packed)), [0, 128, 255]);
        assert_eq!(grey(&row(4, 1, 3, little, &[0x08, 0xf0])), [0, 136, 255]);
        assert_eq!(
            grey(&row(2, 1, 4, little, &[0b0001_1011])),
            [0, 85, 170, 255]
        );
    }
    let far = row(32, 3, 1, true, &200.0_f32.to_le_bytes());
    let error = decode(&far, &Limits::default()).unwrap_err().to_string();
    assert!(
        error.contains("200") && error.contains("0 (black) to 1"),
        "{error}"
    );
}

#[test]
fn the_number_of_channels_does_not_limit_the_pixels() {
    let limits = Limits {
        max_pixels: 64,
        ..Limits::default()
    };
    let sized = |side: u32| DynamicImage::from(RgbImage::new(side, side));
    for kind in ["L8", "La8", "Rgb8", "Rgba8", "Rgb16", "Rgba16"] {
        let of = |side: u32| match kind {
            "L8" => sized(side).into_luma8().into(),
            "La8" => sized(side).into_luma_alpha8().into(),
            "Rgba8" => sized(side).into_rgba8().into(),
            "Rgb16" => sized(side).into_rgb16().into(),
            "Rgba16" => sized(side).into_rgba16().into(),
            _ => sized(side),
        };
        let file = |image: DynamicImage| {
            let mut file = Cursor::new(Vec::new());
            image.write_to(&mut file, ImageFormat::Png).unwrap();
            file.into_inner()
        };
        assert!(decode(&file(of(8)), &limits).is_ok(), "{kind}");
        let error = decode(&file(of(9)), &limits);
        assert!(
            matches!(error, Err(ImageError::TooManyPixels { .. })),
            "{kind}"
        );
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
        b"<html/>",
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
