//! How much a file may ask of us.

use crate::ImageError;

/// How much a file may ask of us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Most pixels of a picture, whatever their channels.
    pub max_pixels: u64,
    /// Most bytes of samples that decoding may hold at once.
    pub max_alloc: u64,
    /// Above [`Limits::FREE_EXPANSION_BYTES`], most bytes of pixels per byte of file. Deflate
    /// cannot honestly pass 1,032.
    pub max_expansion: u64,
    /// Longest file read from a disk.
    pub max_file_bytes: u64,
}

impl Limits {
    /// Pictures that decode to no more than this are never taken for bombs.
    pub const FREE_EXPANSION_BYTES: u64 = 32 << 20;

    /// Refuses a picture of `width` x `height` whose samples take `needed` bytes, in a file of
    /// `file_bytes`.
    pub(super) fn check(
        &self,
        file_bytes: u64,
        (width, height): (u32, u32),
        needed: u64,
    ) -> Result<(), ImageError> {
        let limit = self.max_pixels;
        if u64::from(width).saturating_mul(u64::from(height)) > limit {
            return Err(ImageError::TooManyPixels {
                width,
                height,
                limit,
            });
        }
        if needed > self.max_alloc {
            return Err(ImageError::TooLarge {
                width,
                height,
                needed,
                limit: self.max_alloc,
            });
        }
        let limit = self.max_expansion;
        if needed > Self::FREE_EXPANSION_BYTES && needed / limit.max(1) > file_bytes {
            return Err(ImageError::Bomb {
                width,
                height,
                file_bytes,
                needed,
                limit,
            });
        }
        Ok(())
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_pixels: 128 << 20,
            // Four channels of sixteen bits of as many pixels.
            max_alloc: 1 << 30,
            max_expansion: 1_200,
            max_file_bytes: 256 << 20,
        }
    }
}
