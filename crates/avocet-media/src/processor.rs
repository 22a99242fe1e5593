//! How a picture becomes the patches that a vision tower reads, one rule per family of models.
//!
//! The public families resize with Pillow and normalise in single precision; what comes out here
//! has the same bits, so that a tower sees what it was trained on.

mod canvas;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::patches::patch_grid;
use crate::pillow::{Window, resize};
use crate::{Filter, Patches, Picture};
use canvas::{canvas, fit_to_canvas};

/// Most pixels that a processor's square, or all its tiles together, may have: what they take as
/// patches, 12 bytes a pixel, then stays below 200 MB.
pub(crate) const MAX_CANVAS_PIXELS: usize = 1 << 24;

/// Most tiles that a canvas may have.
pub(crate) const MAX_TILES: usize = 64;

/// How a picture becomes patches for a vision tower.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ImageProcessor {
    /// The aspect is kept and the grid varies: [`Picture::patches`].
    Native {
        /// Side of a patch in pixels.
        patch_size: usize,
        /// Most patches of one picture.
        max_patches: usize,
    },
    /// Every picture becomes one square: CLIP, SigLIP, IDEFICS, OpenFlamingo.
    Square {
        /// Side of the square in pixels, a multiple of `patch_size`.
        side: usize,
        /// Side of a patch in pixels.
        patch_size: usize,
        /// What is done to pictures that are not square.
        fit: Fit,
        /// How pixels are resized.
        filter: Filter,
        /// Taken from red, green and blue in 0..=1.
        mean: [f32; 3],
        /// What they are divided by then; above 0.
        std: [f32; 3],
    },
    /// Every picture is put on a canvas of square tiles: Mllama.
    Tiles {
        /// Side of a tile in pixels, a multiple of `patch_size`.
        side: usize,
        /// Side of a patch in pixels.
        patch_size: usize,
        /// Most tiles of a canvas.
        max_tiles: usize,
        /// How pixels are resized.
        filter: Filter,
        /// Taken from red, green and blue in 0..=1.
        mean: [f32; 3],
        /// What they are divided by then; above 0.
        std: [f32; 3],
    },
}

/// How a picture that is not square becomes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// Both sides are stretched: IDEFICS, SigLIP.
    Stretch,
    /// The shorter side is fitted and the middle kept, as torchvision's `Resize` and `CenterCrop`
    /// do (open_clip, so OpenFlamingo): half a pixel of margin goes to the even number.
    ShortestEdgeThenCrop,
    /// The same, as `CLIPImageProcessor` of transformers does: half a pixel of margin is dropped.
    ShortestEdgeThenFloorCrop,
}

/// Why a processor cannot be.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ProcessorError {
    /// A size is 0.
    #[error("{field} is 0")]
    Zero {
        /// The field.
        field: &'static str,
    },
    /// Patches do not fill the side.
    #[error("side {side} is not a multiple of patch_size {patch_size}")]
    NotAMultiple {
        /// Side of the square or the tile.
        side: usize,
        /// Side of a patch.
        patch_size: usize,
    },
    /// A size is beyond what memory is meant for.
    #[error("{field} {found} is beyond the limit of {limit}")]
    TooLarge {
        /// The field, or what it leads to.
        field: &'static str,
        /// As given.
        found: usize,
        /// The most pixels of a canvas, or the most tiles of a picture.
        limit: usize,
    },
    /// A mean is no number, or a deviation not above 0.
    #[error("{field}[{channel}] is {found}")]
    Normalisation {
        /// `mean` or `std`.
        field: &'static str,
        /// 0 red, 1 green, 2 blue.
        channel: usize,
        /// As given.
        found: f32,
    },
}

impl ImageProcessor {
    /// Checks every field.
    ///
    /// Errors, naming the field, if a size is 0 or beyond its limit, if patches do not fill a
    /// side, or if the normalisation would give no numbers.
    pub fn validate(&self) -> Result<(), ProcessorError> {
        match *self {
            Self::Native {
                patch_size,
                max_patches,
            } => {
                non_zero("max_patches", max_patches)?;
                non_zero("patch_size", patch_size)?;
                let pixels = patch_size
                    .saturating_mul(patch_size)
                    .saturating_mul(max_patches);
                at_most("patch_size^2 * max_patches", pixels, MAX_CANVAS_PIXELS)
            }
            Self::Square {
                side,
                patch_size,
                ref mean,
                ref std,
                ..
            } => {
                sizes(side, patch_size, 1)?;
                normalisation(mean, std)
            }
            Self::Tiles {
                side,
                patch_size,
                max_tiles,
                ref mean,
                ref std,
                ..
            } => {
                non_zero("max_tiles", max_tiles)?;
                at_most("max_tiles", max_tiles, MAX_TILES)?;
                sizes(side, patch_size, max_tiles)?;
                normalisation(mean, std)
            }
        }
    }

    /// That of EfficientNet-Lite: the square in the middle, resized to `side`, as one patch;
    /// (level - 127) / 128 of each of 256 levels.
    pub fn efficient_net(side: usize) -> Self {
        Self::Square {
            side,
            patch_size: side,
            fit: Fit::ShortestEdgeThenFloorCrop,
            filter: Filter::Bicubic,
            mean: [127.0 / 255.0; 3],
            std: [128.0 / 255.0; 3],
        }
    }

    /// Side of a patch in pixels.
    pub fn patch_size(&self) -> usize {
        match *self {
            Self::Native { patch_size, .. }
            | Self::Square { patch_size, .. }
            | Self::Tiles { patch_size, .. } => patch_size,
        }
    }

    /// Tiles (down, across) of the canvas that a picture of this size (width, height) is put on;
    /// (1, 1) where there are none.
    pub fn tiles(&self, size: (usize, usize)) -> (usize, usize) {
        match *self {
            Self::Tiles {
                side, max_tiles, ..
            } => {
                let side = possible(side, 1).0;
                canvas(size, side, clamp_tiles(side, max_tiles))
            }
            _ => (1, 1),
        }
    }

    /// The (rows, cols) that [`ImageProcessor::patches`] would give of a picture of this size
    /// (width, height).
    pub fn grid(&self, size: (usize, usize)) -> (usize, usize) {
        match *self {
            Self::Native {
                patch_size,
                max_patches,
            } => patch_grid(size, patch_size, max_patches),
            Self::Square {
                side, patch_size, ..
            }
            | Self::Tiles {
                side, patch_size, ..
            } => {
                let (side, patch_size) = possible(side, patch_size);
                let count = side / patch_size;
                let (down, across) = self.tiles(size);
                (down * count, across * count)
            }
        }
    }

    /// Makes the patches of `picture`, each channel-major.
    ///
    /// `rows` and `cols` count the patches of the whole square or canvas. Patches lie row by row,
    /// but those of [`ImageProcessor::Tiles`] lie tile after tile: the tiles row by row, and the
    /// patches row by row within each, so that a tile is one run of `data`. A canvas of 1 x 2
    /// tiles of 40 x 40 patches has 40 rows and 80 cols, and its first 1,600 patches are the left
    /// tile. Tiles that a smaller canvas lacks are not stored. What the picture leaves free of a
    /// canvas, at the right and at the bottom, is black.
    ///
    /// Never fails: a size that [`ImageProcessor::validate`] refuses is replaced by the nearest
    /// that is possible.
    pub fn patches(&self, picture: &Picture) -> Patches {
        let size = (picture.width, picture.height);
        let (rows, cols) = self.grid(size);
        match *self {
            Self::Native {
                patch_size,
                max_patches,
            } => picture.patches(patch_size, max_patches),
            Self::Square { .. } => self.cut_fitted(&self.fitted(picture)),
            Self::Tiles {
                side,
                patch_size,
                filter,
                ref mean,
                ref std,
                ..
            } => {
                let (side, patch_size) = possible(side, patch_size);
                let (down, across) = self.tiles(size);
                let width = across * side;
                let to = fit_to_canvas(size, (width, down * side), side);
                let window = Window {
                    left: 0,
                    top: 0,
                    width: to.0,
                    height: to.1,
                };
                let resized = resize(picture, to, window, filter);
                let mut rgb = vec![0u8; width * down * side * 3];
                for (into, row) in rgb
                    .chunks_exact_mut(width * 3)
                    .zip(resized.chunks_exact(to.0 * 3))
                {
                    into[..row.len()].copy_from_slice(row);
                }
                let mut data = Vec::with_capacity(rows * cols * 3 * patch_size * patch_size);
                let levels = levels(mean, std);
                for tile in 0..down * across {
                    let corner = (tile / across * side, tile % across * side);
                    cut(&rgb, width, corner, (side, patch_size), &levels, &mut data);
                }
                Patches { rows, cols, data }
            }
        }
    }
}

impl ImageProcessor {
    /// Whether a picture needs no resizing to become the square.
    pub(crate) fn keeps_size(&self, picture: &Picture) -> bool {
        match *self {
            Self::Square {
                side,
                patch_size,
                fit,
                ..
            } => {
                let (side, _) = possible(side, patch_size);
                square(picture, side, fit).0 == (picture.width, picture.height)
            }
            Self::Native { .. } | Self::Tiles { .. } => false,
        }
    }

    /// The square that a picture becomes; itself where there is no square.
    pub(crate) fn fitted(&self, picture: &Picture) -> Picture {
        let Self::Square {
            side,
            patch_size,
            fit,
            filter,
            ..
        } = *self
        else {
            return picture.clone();
        };
        let (side, _) = possible(side, patch_size);
        let (to, window) = square(picture, side, fit);
        Picture {
            width: side,
            height: side,
            rgb: resize(picture, to, window, filter),
        }
    }

    /// The patches of a square that [`ImageProcessor::fitted`] made.
    pub(crate) fn cut_fitted(&self, square: &Picture) -> Patches {
        let Self::Square {
            side,
            patch_size,
            ref mean,
            ref std,
            ..
        } = *self
        else {
            return self.patches(square);
        };
        let (side, patch_size) = possible(side, patch_size);
        let count = side / patch_size;
        let mut data = Vec::with_capacity(count * count * 3 * patch_size * patch_size);
        let levels = levels(mean, std);
        cut(
            &square.rgb,
            side,
            (0, 0),
            (side, patch_size),
            &levels,
            &mut data,
        );
        Patches {
            rows: count,
            cols: count,
            data,
        }
    }
}

/// Appends the patches of the square of `side` at `corner` (top, left) in rows of `width` pixels.
fn cut(
    rgb: &[u8],
    width: usize,
    (top, left): (usize, usize),
    (side, p): (usize, usize),
    levels: &[[f32; 256]; 3],
    data: &mut Vec<f32>,
) {
    let count = side / p;
    for patch in 0..count * count {
        let (top, left) = (top + patch / count * p, left + patch % count * p);
        for (channel, levels) in levels.iter().enumerate() {
            for y in top..top + p {
                let row = &rgb[(y * width + left) * 3..(y * width + left + p) * 3];
                data.extend(
                    row.chunks_exact(3)
                        .map(|pixel| levels[usize::from(pixel[channel])]),
                );
            }
        }
    }
}

/// The normalised value of every level of every channel.
///
/// transformers scales in double precision and rounds, torchvision divides in single; the two
/// agree on all 256 levels, while a product in single precision differs on 126 of them.
fn levels(mean: &[f32; 3], std: &[f32; 3]) -> [[f32; 256]; 3] {
    std::array::from_fn(|channel| {
        std::array::from_fn(|level| (level as f32 / 255.0 - mean[channel]) / std[channel])
    })
}

/// Size of the resized picture, and the part of it that is the square.
fn square(picture: &Picture, side: usize, fit: Fit) -> ((usize, usize), Window) {
    let (width, height) = (picture.width, picture.height);
    let short = width.min(height).max(1);
    let long = |length: usize| (side as u128 * length as u128 / short as u128) as usize;
    let to = match fit {
        Fit::Stretch => (side, side),
        _ => (long(width).max(side), long(height).max(side)),
    };
    let margin = |length: usize| {
        let half = (length - side) / 2;
        let odd = (length - side) % 2 == 1;
        match fit {
            Fit::ShortestEdgeThenCrop if odd => half + half % 2,
            _ => half,
        }
    };
    let window = Window {
        left: margin(to.0),
        top: margin(to.1),
        width: side,
        height: side,
    };
    (to, window)
}

/// The nearest possible sides of a square and of a patch in it.
fn possible(side: usize, patch_size: usize) -> (usize, usize) {
    let side = side.clamp(1, MAX_CANVAS_PIXELS.isqrt());
    (side, patch_size.clamp(1, side))
}

fn clamp_tiles(side: usize, max_tiles: usize) -> usize {
    let room = (MAX_CANVAS_PIXELS / (side * side)).min(MAX_TILES);
    max_tiles.clamp(1, room)
}

fn non_zero(field: &'static str, found: usize) -> Result<(), ProcessorError> {
    if found == 0 {
        return Err(ProcessorError::Zero { field });
    }
    Ok(())
}

fn at_most(field: &'static str, found: usize, limit: usize) -> Result<(), ProcessorError> {
    if found > limit {
        return Err(ProcessorError::TooLarge {
            field,
            found,
            limit,
        });
    }
    Ok(())
}

fn sizes(side: usize, patch_size: usize, max_tiles: usize) -> Result<(), ProcessorError> {
    non_zero("side", side)?;
    non_zero("patch_size", patch_size)?;
    if !side.is_multiple_of(patch_size) {
        return Err(ProcessorError::NotAMultiple { side, patch_size });
    }
    let pixels = side.saturating_mul(side).saturating_mul(max_tiles);
    let field = if max_tiles == 1 {
        "side^2"
    } else {
        "side^2 * max_tiles"
    };
    at_most(field, pixels, MAX_CANVAS_PIXELS)
}

fn normalisation(mean: &[f32; 3], std: &[f32; 3]) -> Result<(), ProcessorError> {
    for (channel, (&mean, &std)) in mean.iter().zip(std).enumerate() {
        if !mean.is_finite() {
            let (field, found) = ("mean", mean);
            return Err(ProcessorError::Normalisation {
                field,
                channel,
                found,
            });
        }
        if !(std.is_finite() && std > 0.0) {
            let (field, found) = ("std", std);
            return Err(ProcessorError::Normalisation {
                field,
                channel,
                found,
            });
        }
    }
    Ok(())
}
