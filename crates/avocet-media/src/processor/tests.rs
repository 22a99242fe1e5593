//! Limits, orders and files of processors; their numbers are proved against the references.

use super::*;

fn grey(width: usize, height: usize) -> Picture {
    Picture::from_rgb(width, height, vec![128; width * height * 3]).unwrap()
}

fn tiles(side: usize, patch_size: usize, max_tiles: usize) -> ImageProcessor {
    ImageProcessor::Tiles {
        side,
        patch_size,
        max_tiles,
        filter: Filter::Bilinear,
        mean: [0.0; 3],
        std: [1.0; 3],
    }
}

fn square(side: usize, patch_size: usize, fit: Fit) -> ImageProcessor {
    ImageProcessor::Square {
        side,
        patch_size,
        fit,
        filter: Filter::Bicubic,
        mean: [0.0; 3],
        std: [1.0; 3],
    }
}

#[test]
fn tiles_lie_one_after_the_other_and_padding_is_black() {
    // 20 x 8 pixels keep their size on a canvas of one row of three tiles of 8 x 8.
    let mut picture = grey(20, 8);
    for (index, pixel) in picture.rgb.chunks_exact_mut(3).enumerate() {
        pixel.fill((index % 20 + index / 20 * 20 + 1) as u8);
    }
    let patches = tiles(8, 4, 4).patches(&picture);
    assert_eq!((patches.rows, patches.cols), (2, 6));
    for (tile, patch, y, x) in [(0, 0, 0, 0), (0, 3, 3, 3), (1, 2, 1, 2), (2, 0, 0, 3)] {
        let (row, column) = (patch / 2 * 4 + y, tile * 8 + patch % 2 * 4 + x);
        let value = patches.data[(tile * 4 + patch) * 48 + y * 4 + x];
        assert_eq!(
            value,
            (row * 20 + column + 1) as f32 / 255.0,
            "tile {tile}, patch {patch}"
        );
    }
    let beyond = &patches.data[(2 * 4 + 1) * 48..(2 * 4 + 2) * 48];
    assert!(beyond.iter().all(|&value| value == 0.0));
}

#[test]
fn native_is_the_picture_cut_as_it_is() {
    let picture = grey(30, 20);
    let (patch_size, max_patches) = (8, 9);
    let native = ImageProcessor::Native {
        patch_size,
        max_patches,
    };
    let patches = picture.patches(8, 9);
    assert_eq!(native.patches(&picture), patches);
    assert_eq!(native.grid((30, 20)), (patches.rows, patches.cols));
    assert_eq!(native.tiles((30, 20)), (1, 1));
}

#[test]
fn extreme_pictures_need_no_more_than_their_square() {
    // Resized whole, the shorter side at 224, this picture would take 13 GB.
    let picture = grey(1, 100_000);
    for fit in [
        Fit::Stretch,
        Fit::ShortestEdgeThenCrop,
        Fit::ShortestEdgeThenFloorCrop,
    ] {
        for picture in [&picture, &grey(100_000, 1)] {
            let patches = square(224, 14, fit).patches(picture);
            assert_eq!((patches.rows, patches.cols), (16, 16));
            assert!(patches.data.iter().all(|&value| value == 128.0 / 255.0));
        }
    }
    assert_eq!(tiles(28, 14, 4).tiles((1, 100_000)), (4, 1));
    assert_eq!(
        tiles(28, 14, 4).patches(&picture).data.len(),
        4 * 28 * 28 * 3
    );
}

#[test]
fn an_impossible_size_is_refused_by_name_and_still_gives_patches() {
    let native = |patch_size, max_patches| ImageProcessor::Native {
        patch_size,
        max_patches,
    };
    for (wrong, words) in [
        (native(0, 4), "patch_size is 0"),
        (native(4, 0), "max_patches is 0"),
        (native(usize::MAX, 1), "beyond the limit of 16777216"),
        (square(0, 14, Fit::Stretch), "side is 0"),
        (square(28, 0, Fit::Stretch), "patch_size is 0"),
        (
            square(30, 14, Fit::Stretch),
            "side 30 is not a multiple of patch_size 14",
        ),
        (
            square(28, 56, Fit::Stretch),
            "side 28 is not a multiple of patch_size 56",
        ),
        (
            square(8192, 4096, Fit::Stretch),
            "side^2 67108864 is beyond the limit of 16777216",
        ),
        (tiles(28, 14, 0), "max_tiles is 0"),
        (tiles(28, 14, 65), "max_tiles 65 is beyond the limit of 64"),
        (
            tiles(2800, 14, 4),
            "side^2 * max_tiles 31360000 is beyond the limit of 16777216",
        ),
    ] {
        let error = wrong.validate().unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
        if wrong.patch_size() < 100 {
            let patches = wrong.patches(&grey(3, 2));
            assert!(patches.rows > 0 && patches.cols > 0, "{wrong:?}");
        }
    }
}

#[test]
fn a_normalisation_that_gives_no_numbers_is_refused() {
    for (mean, std, words) in [
        ([0.5; 3], [0.5, 0.0, 0.5], "std[1] is 0"),
        ([0.5; 3], [0.5, 0.5, -1.0], "std[2] is -1"),
        ([f32::NAN, 0.5, 0.5], [0.5; 3], "mean[0] is NaN"),
    ] {
        let (side, patch_size, fit, filter) = (28, 14, Fit::Stretch, Filter::Bicubic);
        let wrong = ImageProcessor::Square {
            side,
            patch_size,
            fit,
            filter,
            mean,
            std,
        };
        assert_eq!(wrong.validate().unwrap_err().to_string(), words);
    }
}

#[test]
fn a_processor_is_a_table_in_a_file_without_unknown_fields() {
    let text = "[tiles]\nside = 560\npatch_size = 14\nmax_tiles = 4\nfilter = \"bilinear\"\n\
                mean = [0.0, 0.0, 0.0]\nstd = [1.0, 1.0, 1.0]\n";
    let read: ImageProcessor = toml::from_str(text).unwrap();
    assert_eq!(read, tiles(560, 14, 4));
    let again = toml::to_string(&read).unwrap();
    assert_eq!(toml::from_str::<ImageProcessor>(&again).unwrap(), read);
    let error = toml::from_str::<ImageProcessor>(&format!("{text}extra = 1\n")).unwrap_err();
    assert!(error.to_string().contains("extra"), "{error}");
}
