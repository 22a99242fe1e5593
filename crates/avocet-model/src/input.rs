//! What goes into the model: packed images, their latents, and packed text.

use candle_core::{Result, Tensor, bail};

/// Images cut into patches, packed.
#[derive(Debug, Clone)]
pub struct Images {
    /// All patches (P, 3 * p * p), image after image, row by row, each channel-major, in [-1, 1].
    pub patches: Tensor,
    /// Rows and columns of patches of each image.
    pub grids: Vec<(usize, usize)>,
}

/// What the decoder attends to: the vision tower's rows, packed image after image.
#[derive(Debug, Clone)]
pub struct Latents {
    /// Rows of all images (sum of M, D_v).
    pub rows: Tensor,
    /// Where each image's rows begin, and the end of the last.
    pub offsets: Vec<usize>,
}

impl Latents {
    /// Number of images.
    pub fn num_images(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// The latents of one image.
    ///
    /// Errors if there is no such image.
    pub fn image(&self, index: usize) -> Result<Self> {
        let Some(&[from, to]) = self.offsets.get(index..index.saturating_add(2)) else {
            bail!(
                "latents: image {index} asked for, but there are {}",
                self.num_images()
            );
        };
        Ok(Self {
            rows: self.rows.narrow(0, from, to - from)?,
            offsets: vec![0, to - from],
        })
    }

    /// Puts the images of several encodings one after another.
    ///
    /// Errors if there are none or their widths differ.
    pub fn concat(parts: &[&Self]) -> Result<Self> {
        let rows: Vec<&Tensor> = parts.iter().map(|part| &part.rows).collect();
        let offsets = joined_offsets(parts.iter().map(|part| part.offsets.as_slice()));
        Ok(Self {
            rows: Tensor::cat(&rows, 0)?,
            offsets,
        })
    }
}

/// Offsets of parts that are put one after another.
pub(crate) fn joined_offsets<'a>(parts: impl Iterator<Item = &'a [usize]>) -> Vec<usize> {
    let mut joined = vec![0];
    for offsets in parts {
        let start = joined[joined.len() - 1];
        joined.extend(offsets.iter().skip(1).map(|end| start + end));
    }
    joined
}

/// Texts, packed.
#[derive(Debug, Clone, Default)]
pub struct TextBatch {
    /// Token ids of all texts (T).
    pub ids: Vec<u32>,
    /// Where each text begins, and the end of the last.
    pub offsets: Vec<usize>,
    /// For each token the image it sees, as an index into the latents' images: the latest one
    /// before it in its text. None sees no image.
    pub latest_image: Vec<Option<u32>>,
}

impl TextBatch {
    /// Errors if the parts disagree in length, a text exceeds `max_context`, or a token's image
    /// is not below `num_images`.
    pub(crate) fn check(&self, max_context: usize, num_images: usize) -> Result<()> {
        let ends_fit = self.offsets.first() == Some(&0)
            && self.offsets.last() == Some(&self.ids.len())
            && self.offsets.is_sorted();
        if !ends_fit {
            bail!(
                "text batch: offsets do not rise from 0 to the {} ids",
                self.ids.len()
            );
        }
        for (index, span) in self.offsets.windows(2).enumerate() {
            let length = span[1] - span[0];
            if length > max_context {
                bail!("text {index} has {length} tokens, but the context holds {max_context}");
            }
        }
        check_images(&self.latest_image, self.ids.len(), num_images)
    }

    /// Position of every token in its own text.
    pub(crate) fn positions(&self) -> Vec<u32> {
        let spans = self.offsets.windows(2);
        spans
            .flat_map(|span| 0..(span[1] - span[0]) as u32)
            .collect()
    }
}

/// Errors unless there is one entry a token and every image named exists.
pub(crate) fn check_images(
    latest_image: &[Option<u32>],
    num_tokens: usize,
    num_images: usize,
) -> Result<()> {
    if latest_image.len() != num_tokens {
        bail!(
            "latest_image has {} entries for {num_tokens} tokens",
            latest_image.len()
        );
    }
    let beyond = |image: &&Option<u32>| image.is_some_and(|image| image as usize >= num_images);
    if let Some(Some(image)) = latest_image.iter().find(beyond) {
        bail!("latest_image names image {image}, but there are {num_images}");
    }
    Ok(())
}
