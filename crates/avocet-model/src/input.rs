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
    /// Where each image's padding begins among the rows after those, and the end of the last;
    /// empty if no image has any. Padding is seen only where a family's layers attend to
    /// everything.
    pub padding: Vec<usize>,
}

impl Latents {
    /// Rows of images without padding.
    pub fn new(rows: Tensor, offsets: Vec<usize>) -> Self {
        Self {
            rows,
            offsets,
            padding: Vec::new(),
        }
    }

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
        let rows = self.rows.narrow(0, from, to - from)?;
        let offsets = vec![0, to - from];
        match self.padding.get(index..index.saturating_add(2)) {
            Some(&[first, last]) => {
                let padding = self.rows.narrow(0, first, last - first)?;
                Ok(Self {
                    rows: Tensor::cat(&[rows, padding], 0)?,
                    offsets,
                    padding: vec![to - from, to - from + last - first],
                })
            }
            _ => Ok(Self::new(rows, offsets)),
        }
    }
}

/// Texts, packed.
#[derive(Debug, Clone, Default)]
pub struct TextBatch {
    /// Token ids of all texts (T).
    pub ids: Vec<u32>,
    /// Where each text begins, and the end of the last.
    pub offsets: Vec<usize>,
    /// For each token the images that it sees, first and end, as indices into the latents'
    /// images; the latest one before it in its text ([`only`]), or a run. Equal ends see none.
    pub visible_images: Vec<(u32, u32)>,
}

/// A token's sight of one image, or of none.
pub fn only(image: Option<u32>) -> (u32, u32) {
    image.map_or((0, 0), |image| (image, image + 1))
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
        check_images(&self.visible_images, self.ids.len(), num_images)
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
    visible_images: &[(u32, u32)],
    num_tokens: usize,
    num_images: usize,
) -> Result<()> {
    if visible_images.len() != num_tokens {
        bail!(
            "visible_images has {} entries for {num_tokens} tokens",
            visible_images.len()
        );
    }
    let beyond = |&&(first, end): &&(u32, u32)| first > end || end as usize > num_images;
    if let Some((first, end)) = visible_images.iter().find(beyond) {
        bail!("visible_images names images {first} to {end}, but there are {num_images}");
    }
    Ok(())
}
