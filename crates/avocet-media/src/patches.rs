//! A picture becomes square patches: aspect kept, never more than a budget.
//!
//! As in NaViT (arXiv:2307.06304) each picture keeps its own grid. A picture that fits keeps
//! every pixel; a larger one is shrunk by one factor for both sides, the largest that fits. The
//! edge is repeated up to the next whole patch.

use crate::Picture;
use crate::resize::resize;

/// The patches of one picture, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Patches {
    /// Patches down.
    pub rows: usize,
    /// Patches across.
    pub cols: usize,
    /// (rows * cols, 3 * p * p): channel-major within a patch, in [-1, 1].
    pub data: Vec<f32>,
}

/// Size of the pixels that are shown, and of the patch grid that holds them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fit {
    width: usize,
    height: usize,
    rows: usize,
    cols: usize,
}

/// Finds the largest scale, at most 1, at which the picture needs at most `max_patches`.
fn fit(width: usize, height: usize, patch_size: usize, max_patches: usize) -> Fit {
    let (p, budget) = (patch_size, max_patches);
    let whole = Fit {
        width,
        height,
        rows: height.div_ceil(p),
        cols: width.div_ceil(p),
    };
    if whole.rows.saturating_mul(whole.cols) <= budget {
        return whole;
    }
    let mut best = Fit {
        width: 1,
        height: 1,
        rows: 1,
        cols: 1,
    };
    let mut best_scale = 0.0;
    for rows in 1..=budget.min(whole.rows) {
        let cols = (budget / rows).min(whole.cols);
        let scale = ((rows * p) as f64 / height as f64).min((cols * p) as f64 / width as f64);
        if scale > best_scale {
            best_scale = scale;
            let height = ((height as f64 * scale).round() as usize).clamp(1, rows * p);
            let width = ((width as f64 * scale).round() as usize).clamp(1, cols * p);
            best = Fit {
                width,
                height,
                rows: height.div_ceil(p),
                cols: width.div_ceil(p),
            };
        }
    }
    best
}

/// The (rows, cols) that [`Picture::patches`] would give of a picture of `width` x `height`.
pub(crate) fn patch_grid(
    (width, height): (usize, usize),
    patch_size: usize,
    max_patches: usize,
) -> (usize, usize) {
    let fit = fit(width, height, patch_size.max(1), max_patches.max(1));
    (fit.rows, fit.cols)
}

impl Picture {
    /// The picture, each side `factor` times as long; at least 1, or nothing changes.
    pub fn enlarged(self, factor: f32) -> Self {
        let side = |side: usize| (side as f32 * factor.max(1.0)).round() as usize;
        let (width, height) = (side(self.width), side(self.height));
        if (width, height) == (self.width, self.height) {
            return self;
        }
        let rgb = resize(&self.rgb, (self.width, self.height), (width, height));
        let rgb = rgb
            .iter()
            .map(|value| value.round().clamp(0.0, 255.0) as u8);
        Self {
            width,
            height,
            rgb: rgb.collect(),
        }
    }

    /// Cuts the picture into at most `max_patches` patches of `patch_size` pixels a side.
    ///
    /// There is always at least one patch; a `patch_size` or `max_patches` of 0 counts as 1.
    pub fn patches(&self, patch_size: usize, max_patches: usize) -> Patches {
        let p = patch_size.max(1);
        let fit = fit(self.width, self.height, p, max_patches.max(1));
        let mut patches = Patches {
            rows: fit.rows,
            cols: fit.cols,
            data: vec![0.0; fit.rows * fit.cols * 3 * p * p],
        };
        if (fit.width, fit.height) == (self.width, self.height) {
            patches.fill(p, &fit, |i| f32::from(self.rgb[i]));
        } else {
            let rgb = resize(
                &self.rgb,
                (self.width, self.height),
                (fit.width, fit.height),
            );
            patches.fill(p, &fit, |i| rgb[i]);
        }
        patches
    }
}

impl Patches {
    /// Copies pixels into patch order; `value` reads channel `i % 3` of the shown pixels.
    fn fill(&mut self, p: usize, fit: &Fit, value: impl Fn(usize) -> f32) {
        let plane = p * p;
        for (index, patch) in self.data.chunks_exact_mut(3 * plane).enumerate() {
            let (top, left) = (index / fit.cols * p, index % fit.cols * p);
            for y in 0..p {
                let row = (top + y).min(fit.height - 1) * fit.width;
                for x in 0..p {
                    let pixel = (row + (left + x).min(fit.width - 1)) * 3;
                    for channel in 0..3 {
                        patch[channel * plane + y * p + x] =
                            value(pixel + channel) * (2.0 / 255.0) - 1.0;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gradient(width: usize, height: usize) -> Picture {
        let rgb = (0..height)
            .flat_map(|y| (0..width).flat_map(move |x| [x as u8, y as u8, (x ^ y) as u8]))
            .collect();
        Picture::from_rgb(width, height, rgb).unwrap()
    }

    #[test]
    fn a_picture_that_fits_keeps_every_pixel_in_its_place() {
        let picture = gradient(24, 16);
        let patches = picture.patches(8, 144);
        assert_eq!((patches.rows, patches.cols), (2, 3));
        for (y, x) in [(0, 0), (7, 8), (9, 23), (15, 15)] {
            let patch = (y / 8) * 3 + x / 8;
            for channel in 0..3 {
                let at = patch * 192 + channel * 64 + (y % 8) * 8 + x % 8;
                let byte = (patches.data[at] + 1.0) * 127.5;
                let expected = f32::from(picture.rgb[(y * 24 + x) * 3 + channel]);
                assert!((byte - expected).abs() < 1e-3, "{byte} {expected}");
            }
        }
    }

    #[test]
    fn every_budget_is_respected_and_nearly_used() {
        for (width, height) in [(640, 480), (333, 1000), (97, 89), (1000, 1000)] {
            for budget in 1..=144 {
                let (rows, cols) = patch_grid((width, height), 8, budget);
                let used = rows * cols;
                assert!((1..=budget).contains(&used));
                assert!(
                    used * 3 >= budget * 2 || budget < 36,
                    "{width}x{height} {budget}: {used}"
                );
            }
        }
    }

    #[test]
    fn aspect_is_kept_to_within_a_pixel() {
        for (width, height) in [
            (640, 480),
            (480, 640),
            (1920, 1080),
            (500, 400),
            (3000, 700),
        ] {
            let fit = fit(width, height, 8, 144);
            let ideal = fit.width as f64 * height as f64 / width as f64;
            let other = fit.height as f64 * width as f64 / height as f64;
            assert!(
                (ideal - fit.height as f64).abs() <= 1.0 || (other - fit.width as f64).abs() <= 1.0,
                "{width}x{height} became {fit:?}"
            );
        }
    }

    #[test]
    fn lines_and_columns_use_the_whole_budget_along_their_length() {
        assert_eq!(patch_grid((1152, 8), 8, 144), (1, 144));
        assert_eq!(patch_grid((2304, 16), 8, 144), (1, 144));
        assert_eq!(patch_grid((8, 1152), 8, 144), (144, 1));
        assert_eq!(patch_grid((5000, 3), 8, 144), (1, 144));
    }

    #[test]
    fn small_pictures_are_never_enlarged() {
        for (width, height, grid) in [
            (1, 1, (1, 1)),
            (9, 3, (1, 2)),
            (3, 9, (2, 1)),
            (96, 96, (12, 12)),
            (50, 20, (3, 7)),
        ] {
            let fit = fit(width, height, 8, 144);
            assert_eq!((fit.width, fit.height), (width, height));
            assert_eq!((fit.rows, fit.cols), grid);
        }
    }

    #[test]
    fn the_edge_is_repeated_up_to_a_whole_patch() {
        let picture = Picture::from_rgb(1, 1, vec![255, 0, 51]).unwrap();
        let patches = picture.patches(4, 10);
        let expected: Vec<f32> = [1.0, -1.0, -0.6].iter().flat_map(|&v| [v; 16]).collect();
        for (a, b) in patches.data.iter().zip(&expected) {
            assert!((a - b).abs() < 1e-6);
        }
    }

    #[test]
    fn values_stay_within_minus_one_and_one() {
        let rgb = (0..300 * 200 * 3)
            .map(|i| if i % 7 < 3 { 0 } else { 255 })
            .collect();
        let patches = Picture::from_rgb(300, 200, rgb).unwrap().patches(8, 40);
        assert!(patches.data.iter().all(|v| (-1.0..=1.0).contains(v)));
    }

    #[test]
    fn zero_sizes_count_as_one() {
        let patches = gradient(5, 5).patches(0, 0);
        assert_eq!((patches.rows, patches.cols, patches.data.len()), (1, 1, 3));
    }
}
