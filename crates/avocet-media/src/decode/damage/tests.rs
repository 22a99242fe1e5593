//! Cut, closed, refilled and flipped files: what is missing is measured, and nothing is silent.

use std::io::Cursor;

use image::ImageFormat::{Bmp, Gif, Jpeg, Png, Tiff, WebP};
use image::{DynamicImage, RgbImage};

use super::super::tests::MADE_ELSEWHERE;
use super::super::{decode, decode_damaged};
use super::*;
use crate::Picture;

/// A picture of which every part takes about as many bytes as any other.
fn noise(side: u32) -> RgbImage {
    let mut state = 9_u32;
    RgbImage::from_fn(side, side, |_, _| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        image::Rgb([
            (state >> 24) as u8,
            (state >> 16) as u8 & 0xf0,
            (state >> 20) as u8,
        ])
    })
}

fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    image.into().write_to(&mut file, format).unwrap();
    file.into_inner()
}

/// Files of all formats and ways to store pixels, with the first byte of the pixels' data.
fn files() -> Vec<(String, Vec<u8>)> {
    let grey = || DynamicImage::from(noise(64)).into_luma8();
    let deep = || DynamicImage::from(noise(48)).into_rgba16();
    let mut files = vec![
        ("ours.jpg".to_owned(), encoded(noise(64), Jpeg)),
        ("grey.jpg".to_owned(), encoded(grey(), Jpeg)),
        ("ours.png".to_owned(), encoded(noise(64), Png)),
        ("grey.png".to_owned(), encoded(grey(), Png)),
        ("deep.png".to_owned(), encoded(deep(), Png)),
        ("ours.gif".to_owned(), encoded(noise(64), Gif)),
        ("ours.bmp".to_owned(), encoded(noise(64), Bmp)),
        ("ours.webp".to_owned(), encoded(noise(64), WebP)),
    ];
    let noisy = MADE_ELSEWHERE
        .iter()
        .filter(|(name, _)| name.starts_with("noise"));
    files.extend(noisy.map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())));
    assert_eq!(files.len(), 15);
    files
}

/// The share that is missing, 1 where the file is refused.
fn missing(bytes: &[u8], name: &str) -> f64 {
    match decode_damaged(bytes, &Limits::default()) {
        Ok(decoded) => match decoded.damage {
            None => 0.0,
            Some(Damage::Missing(share)) => share,
            Some(damage) => panic!("{name}: {damage}"),
        },
        Err(ImageError::Broken { reason, .. }) => {
            assert!(!reason.contains("gave up"), "{name}: {reason}");
            1.0
        }
        Err(error) => panic!("{name}: {error}"),
    }
}

#[test]
fn every_cut_is_noticed_and_a_shorter_file_never_lacks_less() {
    for (name, whole) in files() {
        let picture = decode(&whole, &Limits::default()).unwrap();
        let mut before = 0.0;
        let mut read = 0;
        for sixteenths in (1..16).rev() {
            let cut = &whole[..whole.len() * sixteenths / 16];
            let share = missing(cut, &name);
            let near = 1.0 - sixteenths as f64 / 16.0;
            assert!(share > 0.0, "{name} at {sixteenths}/16 is silent");
            assert!(
                share >= before,
                "{name} at {sixteenths}/16: {before} before, {share}"
            );
            before = share;
            if let Ok(decoded) = decode_damaged(cut, &Limits::default()) {
                read += 1;
                assert!((0.005..=0.5).contains(&share), "{name}: {share}");
                assert!(share > near / 3.0, "{name} at {sixteenths}/16: {share}");
                same_above(&picture, &decoded.picture, share, &name);
                let error = decode(cut, &Limits::default()).unwrap_err().to_string();
                assert!(
                    error.contains("% of the picture is missing"),
                    "{name}: {error}"
                );
            }
        }
        assert!(read >= 3, "{name}: read only {read} times");
    }
}

/// What is there is as it was; the last rows may be touched by a filter.
fn same_above(whole: &Picture, part: &Picture, missing: f64, name: &str) {
    assert_eq!(
        (part.width, part.height),
        (whole.width, whole.height),
        "{name}"
    );
    if name.contains("progressive") {
        return;
    }
    let rows = (whole.height as f64 * (1.0 - missing)) as usize;
    let row = 3 * whole.width;
    let near = rows.saturating_sub(17);
    match name.ends_with("bmp") {
        // Rows are stored from the lowest up.
        true => assert!(
            whole.rgb[row * (whole.height - near)..] == part.rgb[row * (whole.height - near)..],
            "{name}"
        ),
        false => assert!(whole.rgb[..row * near] == part.rgb[..row * near], "{name}"),
    }
}

#[test]
fn a_file_that_lacks_only_its_end_is_whole() {
    for (name, whole) in files() {
        let picture = decode(&whole, &Limits::default()).unwrap();
        let end = match name.rsplit('.').next() {
            Some("jpg") => 2,
            Some("png") => 12,
            Some("gif") => 1,
            _ => continue,
        };
        for left in [whole.len() - end, whole.len() - 1] {
            let decoded = decode(&whole[..left], &Limits::default());
            assert_eq!(decoded.as_ref(), Ok(&picture), "{name} up to {left}");
        }
        let more = [&whole[..], b"garbage \xff\xd8\xff behind the end"].concat();
        assert_eq!(
            decode(&more, &Limits::default()).as_ref(),
            Ok(&picture),
            "{name}"
        );
        let before = [b"\r\n", &whole[..]].concat();
        assert_eq!(
            decode(&before, &Limits::default()).as_ref(),
            Ok(&picture),
            "{name}"
        );
    }
}

#[test]
fn an_end_that_was_put_on_a_part_hides_nothing() {
    for (name, whole) in files() {
        let cut = &whole[..whole.len() * 5 / 8];
        let closed = match name.rsplit('.').next() {
            Some("jpg") => [cut, b"\xff\xd9"].concat(),
            Some("png") => [cut, b"\0\0\0\0IEND\xae\x42\x60\x82"].concat(),
            Some("gif") => [cut, b"\0;"].concat(),
            _ => continue,
        };
        assert!(missing(&closed, &name) > 0.1, "{name}");
    }
}

#[test]
fn room_that_a_download_never_filled_is_missing() {
    for (name, whole) in files() {
        // In pixels that are not packed, zeros are black.
        if name.ends_with("bmp") || name.ends_with("tif") {
            continue;
        }
        let mut file = whole.clone();
        let room = 5 * whole.len() / 8;
        file[room..].fill(0);
        assert!(missing(&file, &name) > 0.1, "{name}");
    }
}

/// The chunks of a PNG: where each begins, and its name.
fn chunks(png: &[u8]) -> Vec<(usize, [u8; 4])> {
    let mut found = Vec::new();
    let mut at = 8;
    while at + 12 <= png.len() {
        let length = u32::from_be_bytes(png[at..at + 4].try_into().unwrap()) as usize;
        found.push((at, png[at + 4..at + 8].try_into().unwrap()));
        at += 12 + length;
    }
    found
}

#[test]
fn a_wrong_checksum_alone_takes_nothing_from_a_png() {
    let whole = encoded(noise(64), Png);
    let picture = decode(&whole, &Limits::default()).unwrap();
    for (at, name) in chunks(&whole) {
        let length = u32::from_be_bytes(whole[at..at + 4].try_into().unwrap()) as usize;
        let mut file = whole.clone();
        file[at + 8 + length] ^= 0x55;
        let decoded = decode(&file, &Limits::default());
        assert_eq!(decoded.as_ref(), Ok(&picture), "{}", name.escape_ascii());
    }
}

#[test]
fn changed_pixels_of_a_png_are_doubted_or_missing() {
    // Stored without packing, a flipped bit breaks nothing but the checksums.
    let mut stored = Vec::new();
    use image::codecs::png::{CompressionType, FilterType, PngEncoder};
    let encoder = PngEncoder::new_with_quality(
        &mut stored,
        CompressionType::Uncompressed,
        FilterType::NoFilter,
    );
    noise(64).write_with_encoder(encoder).unwrap();
    let data = chunks(&stored)
        .iter()
        .find(|(_, name)| name == b"IDAT")
        .unwrap()
        .0;
    stored[data + 1000] ^= 4;
    let decoded = decode_damaged(&stored, &Limits::default()).unwrap();
    assert_eq!(decoded.damage, Some(Damage::Doubtful));
    let error = decode(&stored, &Limits::default()).unwrap_err().to_string();
    assert!(error.contains("checksum"), "{error}");

    let mut packed = encoded(noise(64), Png);
    let length = packed.len();
    packed[length / 2] ^= 0x10;
    let decoded = decode_damaged(&packed, &Limits::default());
    assert!(decoded.is_err() || decoded.is_ok_and(|decoded| decoded.damage.is_some()));
}

#[test]
fn the_share_is_said_in_words() {
    let words = |share| Damage::Missing(share).to_string();
    assert_eq!(words(0.42), "42 % of the picture is missing");
    assert_eq!(words(0.006), "1 % of the picture is missing");
    assert_eq!(words(0.999), "99 % of the picture is missing");
    assert_eq!(words(1.0), "the whole picture is missing");
}

#[test]
fn a_header_alone_is_refused() {
    for (name, whole) in files() {
        for length in [20, 40, 60] {
            let share = missing(&whole[..length], &name);
            assert_eq!(share, 1.0, "{name} up to {length}");
        }
    }
}

#[test]
fn strips_behind_the_end_are_grey() {
    let rows = |rows: u32| -> Vec<u8> {
        // Grey, 8 x 8, strips of two rows, the directory first.
        let entry = |tag: u16, kind: u16, count: u32, value: u32| {
            let mut entry = Vec::new();
            entry.extend(tag.to_le_bytes());
            entry.extend(kind.to_le_bytes());
            entry.extend(count.to_le_bytes());
            entry.extend(value.to_le_bytes());
            entry
        };
        let data = 8 + 2 + 9 * 12 + 4 + 32;
        let mut file = b"II*\0\x08\0\0\0\x09\0".to_vec();
        for (tag, kind, count, value) in [
            (256, 3, 1, 8),
            (257, 3, 1, 8),
            (258, 3, 1, 8),
            (259, 3, 1, 1),
            (262, 3, 1, 1),
            (273, 4, 4, data - 32),
            (277, 3, 1, 1),
            (278, 3, 1, 2),
            (279, 4, 4, data - 16),
        ] {
            file.extend(entry(tag, kind, count, value));
        }
        file.extend([0; 4]);
        for strip in 0..4_u32 {
            file.extend((data + 16 * strip).to_le_bytes());
        }
        for _ in 0..4 {
            file.extend(16_u32.to_le_bytes());
        }
        file.extend((0..8 * rows).map(|at| at as u8));
        file
    };
    assert_eq!(
        decode(&rows(8), &Limits::default()).unwrap().rgb[3 * 63],
        63
    );
    let decoded = decode_damaged(&rows(5), &Limits::default()).unwrap();
    assert_eq!(decoded.damage, Some(Damage::Missing(0.375)));
    assert_eq!(decoded.picture.rgb[3 * 39], 39);
    assert_eq!(decoded.picture.rgb[3 * 40..3 * 40 + 3], [128; 3]);
    assert!(decode_damaged(&rows(3), &Limits::default()).is_err());
    let one = encoded(noise(9), Tiff);
    assert!(
        decode_damaged(&one[..one.len() / 2], &Limits::default()).is_err(),
        "no directory"
    );
}
