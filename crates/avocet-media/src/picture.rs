//! A decoded picture: eight-bit RGB rows, nothing else.

use sha2::{Digest, Sha256};

use crate::ImageError;

/// Eight-bit RGB pixels, row by row from the top left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Pixels across, at least 1.
    pub width: usize,
    /// Pixels down, at least 1.
    pub height: usize,
    /// `3 * width * height` bytes.
    pub rgb: Vec<u8>,
}

impl Picture {
    /// Wraps pixels made elsewhere.
    ///
    /// Errors if a side is zero or `rgb` is not `3 * width * height` long.
    pub fn from_rgb(width: usize, height: usize, rgb: Vec<u8>) -> Result<Self, ImageError> {
        if width == 0 || height == 0 {
            return Err(ImageError::Empty);
        }
        let expected = width.saturating_mul(height).saturating_mul(3);
        if rgb.len() != expected {
            return Err(ImageError::WrongLength {
                width,
                height,
                expected,
                found: rgb.len(),
            });
        }
        Ok(Self { width, height, rgb })
    }

    /// The part between `[left, top, right, bottom]`, in pixels, as a picture of its own; none if
    /// it is empty or reaches over the edge.
    pub fn part(&self, [left, top, right, bottom]: [usize; 4]) -> Option<Self> {
        if left >= right || top >= bottom || right > self.width || bottom > self.height {
            return None;
        }
        let row = |y: usize| &self.rgb[3 * (y * self.width + left)..3 * (y * self.width + right)];
        Some(Self {
            width: right - left,
            height: bottom - top,
            rgb: (top..bottom).flat_map(row).copied().collect(),
        })
    }

    /// Names the picture by what it shows: SHA-256 over its size and pixels, so two files with
    /// the same pixels share one hash.
    pub fn content_hash(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update((self.width as u64).to_le_bytes());
        hasher.update((self.height as u64).to_le_bytes());
        hasher.update(&self.rgb);
        hasher.finalize().into()
    }

    /// Encodes the picture as a PNG file, for datasets and pages that show it.
    ///
    /// Errors if a side does not fit the format.
    pub fn to_png(&self) -> Result<Vec<u8>, ImageError> {
        use image::codecs::png::{CompressionType, FilterType, PngEncoder};
        use image::{ExtendedColorType, ImageEncoder};

        let broken = |reason: String| ImageError::Broken {
            format: "PNG",
            reason,
        };
        let width = u32::try_from(self.width).map_err(|e| broken(e.to_string()))?;
        let height = u32::try_from(self.height).map_err(|e| broken(e.to_string()))?;
        let mut file = Vec::new();
        PngEncoder::new_with_quality(&mut file, CompressionType::Default, FilterType::Adaptive)
            .write_image(&self.rgb, width, height, ExtendedColorType::Rgb8)
            .map_err(|e| broken(e.to_string()))?;
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_depends_on_pixels_and_shape_only() {
        let wide = Picture::from_rgb(2, 1, vec![1, 2, 3, 4, 5, 6]).unwrap();
        let tall = Picture::from_rgb(1, 2, vec![1, 2, 3, 4, 5, 6]).unwrap();
        assert_eq!(wide.content_hash(), wide.clone().content_hash());
        assert_ne!(wide.content_hash(), tall.content_hash());
    }

    #[test]
    fn a_wrong_number_of_bytes_is_refused_with_both_numbers() {
        let error = Picture::from_rgb(2, 2, vec![0; 11])
            .unwrap_err()
            .to_string();
        assert!(error.contains("12") && error.contains("11"), "{error}");
        assert_eq!(Picture::from_rgb(0, 2, vec![]), Err(ImageError::Empty));
    }

    #[test]
    fn a_part_has_the_pixels_of_its_place() {
        let whole = Picture::from_rgb(3, 2, (0..18).collect()).unwrap();
        let part = whole.part([1, 0, 3, 2]).unwrap();
        let wanted = vec![3, 4, 5, 6, 7, 8, 12, 13, 14, 15, 16, 17];
        assert_eq!(part, Picture::from_rgb(2, 2, wanted).unwrap());
        for outside in [[1, 0, 4, 2], [1, 0, 1, 2], [2, 0, 1, 2], [0, 0, 3, 3]] {
            assert_eq!(whole.part(outside), None, "{outside:?}");
        }
    }

    #[test]
    fn png_keeps_every_pixel() {
        let rgb: Vec<u8> = (0..5 * 7 * 3).map(|i| (i * 37 % 251) as u8).collect();
        let picture = Picture::from_rgb(5, 7, rgb).unwrap();
        let file = picture.to_png().unwrap();
        assert_eq!(
            crate::decode(&file, &crate::Limits::default()).unwrap(),
            picture
        );
    }
}
