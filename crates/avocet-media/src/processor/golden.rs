//! Every resize and every processor against what Pillow, transformers and open_clip made
//! (`tests/golden/make_processors.py`), bit for bit.

use std::path::Path;

use safetensors::SafeTensors;
use sha2::{Digest, Sha256};

use crate::pillow::{Window, resize};
use crate::{Filter, Fit, ImageProcessor, Picture};

const MEAN: [f32; 3] = [0.48145466, 0.4578275, 0.40821073];
const STD: [f32; 3] = [0.26862954, 0.261_302_6, 0.275_777_1];

/// Which values are stored beside the hash.
const STRIDE: usize = 211;
const MAX_VALUES: usize = 100;

/// The picture of that size, by the formula of `make_processors.py`.
fn picture(width: usize, height: usize) -> Picture {
    let mut rgb = Vec::with_capacity(width * height * 3);
    for y in 0..height as u32 {
        for x in 0..width as u32 {
            for c in 0..3u32 {
                let mixed = x.wrapping_mul(73_856_093)
                    ^ y.wrapping_mul(19_349_663)
                    ^ c.wrapping_mul(83_492_791);
                let noise = mixed.wrapping_mul(2_654_435_761) >> 16;
                rgb.push(match (x / 5 + y / 7) % 3 {
                    0 => noise as u8,
                    1 => (x * 3 + y * 2 + c * 85) as u8,
                    _ => (noise & 1) as u8 * 255,
                });
            }
        }
    }
    Picture::from_rgb(width, height, rgb).unwrap()
}

fn size(text: &str) -> (usize, usize) {
    let (width, height) = text.split_once('x').unwrap();
    (width.parse().unwrap(), height.parse().unwrap())
}

fn with_file(check: impl Fn(&SafeTensors<'_>)) {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/processors.safetensors");
    let bytes = std::fs::read(path).unwrap();
    check(&SafeTensors::deserialize(&bytes).unwrap());
}

/// Compares little-endian values of `width` bytes each; the stored ones first, as they say where.
fn compare(file: &SafeTensors<'_>, name: &str, found: &[u8], width: usize) {
    let stored = file.tensor(&format!("{name}.values")).unwrap();
    let few = found.chunks_exact(width).step_by(STRIDE).take(MAX_VALUES);
    for (index, (found, stored)) in few.zip(stored.data().chunks_exact(width)).enumerate() {
        assert_eq!(found, stored, "{name}: value {}", index * STRIDE);
    }
    let hash = file.tensor(&format!("{name}.sha256")).unwrap();
    assert_eq!(Sha256::digest(found).as_slice(), hash.data(), "{name}");
}

fn names(file: &SafeTensors<'_>, start: &str) -> Vec<String> {
    let mut names: Vec<String> = file
        .names()
        .into_iter()
        .filter_map(|name| name.strip_suffix(".sha256"))
        .filter(|name| name.starts_with(start))
        .map(str::to_owned)
        .collect();
    names.sort();
    names
}

#[test]
fn resizing_equals_pillow_in_every_byte() {
    with_file(|file| {
        let names = names(file, "resize.");
        assert_eq!(names.len(), 66);
        for name in names {
            let parts: Vec<&str> = name.split('.').collect();
            let filter = match parts[1] {
                "bicubic" => Filter::Bicubic,
                _ => Filter::Bilinear,
            };
            let (from, to) = (size(parts[2]), size(parts[3]));
            let window = Window {
                left: 0,
                top: 0,
                width: to.0,
                height: to.1,
            };
            compare(
                file,
                &name,
                &resize(&picture(from.0, from.1), to, window, filter),
                1,
            );
        }
    });
}

fn processor(family: &str, side: usize, patch_size: usize) -> ImageProcessor {
    let square = |fit, mean, std| ImageProcessor::Square {
        side,
        patch_size,
        fit,
        filter: Filter::Bicubic,
        mean,
        std,
    };
    match family {
        "idefics" => square(Fit::Stretch, MEAN, STD),
        "siglip" => square(Fit::Stretch, [0.5; 3], [0.5; 3]),
        "clip" => square(Fit::ShortestEdgeThenFloorCrop, MEAN, STD),
        "open_clip" => square(Fit::ShortestEdgeThenCrop, MEAN, STD),
        _ => ImageProcessor::Tiles {
            side,
            patch_size,
            max_tiles: 4,
            filter: Filter::Bilinear,
            mean: MEAN,
            std: STD,
        },
    }
}

fn every_patch_of(family: &str, cases: usize) {
    with_file(|file| {
        let names = names(file, &format!("patches.{family}."));
        assert_eq!(names.len(), cases, "{family}");
        for name in names {
            let parts: Vec<&str> = name.split('.').collect();
            let processor = processor(family, parts[2].parse().unwrap(), parts[3].parse().unwrap());
            processor.validate().unwrap();
            let (width, height) = size(parts[4]);
            let picture = picture(width, height);
            let patches = processor.patches(&picture);
            let grid = [patches.rows as u64, patches.cols as u64]
                .map(u64::to_le_bytes)
                .concat();
            let stored = file.tensor(&format!("{name}.grid")).unwrap();
            assert_eq!(grid, stored.data(), "{name}: rows and cols");
            assert_eq!(
                (patches.rows, patches.cols),
                processor.grid((width, height)),
                "{name}"
            );
            let bytes: Vec<u8> = patches.data.iter().flat_map(|v| v.to_le_bytes()).collect();
            compare(file, &name, &bytes, 4);
        }
    });
}

#[test]
fn idefics_patches_equal_the_reference_in_every_bit() {
    every_patch_of("idefics", 22);
}

#[test]
fn siglip_patches_equal_the_reference_in_every_bit() {
    every_patch_of("siglip", 24);
}

#[test]
fn clip_patches_equal_the_reference_in_every_bit() {
    every_patch_of("clip", 22);
}

#[test]
fn open_clip_patches_equal_the_reference_in_every_bit() {
    every_patch_of("open_clip", 22);
}

#[test]
fn mllama_patches_equal_the_reference_in_every_bit() {
    every_patch_of("mllama", 24);
}
