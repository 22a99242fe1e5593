//! Images as a step of inference sees them: each one's keys and values, and which token sees which.

use candle_core::{Device, Result, Tensor};

use crate::input::Latents;
use avocet_config::WithoutImage;
use avocet_kernels::{KvPages, PagedText, StepRows};

/// Keys and values of one image for every cross-attention layer: computed once, and read where
/// they lie by every step of every text that sees the image.
#[derive(Debug)]
pub struct ImageKeys {
    layers: Vec<ImagePages>,
}

/// Keys and values of an image for one layer.
#[derive(Debug)]
struct ImagePages {
    seen: KvPages,
    /// Of the rows that are seen only where a family's layers attend to everything.
    padding: KvPages,
}

impl ImageKeys {
    /// Pages of what `layers` make of the rows of `latents`, those of one image: keys and values
    /// (rows, KV, K).
    pub(crate) fn new(
        latents: &Latents,
        layers: impl Iterator<Item = Result<(Tensor, Tensor)>>,
    ) -> Result<Self> {
        let seen = latents.offsets.last().copied().unwrap_or(0);
        let layer = |made: Result<(Tensor, Tensor)>| {
            let (key, value) = made?;
            let (all, num_kv_heads, head_dim) = key.dims3()?;
            let pages = |rows| {
                let mut pages = KvPages::new(num_kv_heads, head_dim);
                pages.append(&key, &value, rows)?;
                Ok::<_, candle_core::Error>(pages)
            };
            Ok(ImagePages {
                seen: pages(0..seen)?,
                padding: pages(seen..all)?,
            })
        };
        Ok(Self {
            layers: layers.map(layer).collect::<Result<_>>()?,
        })
    }

    /// Bytes the keys and values occupy.
    pub fn num_bytes(&self) -> usize {
        let bytes = |layer: &ImagePages| layer.seen.num_bytes() + layer.padding.num_bytes();
        self.layers.iter().map(bytes).sum()
    }
}

/// What the tokens of a step see of their texts' images.
pub(crate) struct Sight<'a> {
    texts: Vec<SeeingText<'a>>,
    /// How many rows texts with images have.
    pub rows: StepRows,
    /// Which rows those are, and for each row of all where it lies behind those: in x,
    /// or in what was made of them. Absent if all texts have images.
    places: Option<(Tensor, Tensor)>,
    /// For rows of texts with images 1 if they see one and 0 if not (rows, 1), where that matters.
    has_image: Option<Tensor>,
    /// Whether rows of texts without images pass the feed-forward block.
    pub feeds_all: bool,
}

/// A text with images, and the slots of all their pages that each of its tokens sees.
struct SeeingText<'a> {
    images: Vec<&'a ImageKeys>,
    ranges: Vec<(u32, u32)>,
}

impl<'a> Sight<'a> {
    /// What the tokens of texts see that have these images, each token those of its range; those
    /// of `all_rows` that are of prompts come first.
    pub fn new<'b>(
        texts: impl Iterator<Item = (Vec<&'a ImageKeys>, &'b [(u32, u32)])>,
        all_rows: StepRows,
        rule: WithoutImage,
        device: &Device,
    ) -> Result<Self> {
        let (mut seeing, mut has_image) = (Vec::new(), Vec::new());
        let (mut chosen, mut merged, mut all) = (Vec::new(), Vec::new(), 0u32);
        for (images, visible) in texts {
            let count = visible.len() as u32;
            if images.is_empty() {
                merged.extend((all..all + count).map(|row| (row, false)));
            } else {
                let first = chosen.len() as u32;
                merged.extend((first..first + count).map(|row| (row, true)));
                chosen.extend(all..all + count);
                has_image.extend(visible.iter().map(|(first, end)| f32::from(first != end)));
                let ranges = slots(&images, visible, rule);
                seeing.push(SeeingText { images, ranges });
            }
            all += count;
        }
        let prompt = chosen.partition_point(|&row| (row as usize) < all_rows.prompt);
        let rows = StepRows {
            prompt,
            answer: chosen.len() - prompt,
        };
        let places = if chosen.len() as u32 == all {
            None
        } else {
            let merged = merged.into_iter();
            let merged = merged.map(|(row, sees)| if sees { all + row } else { row });
            let index = |rows: Vec<u32>| {
                let count = rows.len();
                Tensor::from_vec(rows, count, device)
            };
            Some((index(chosen)?, index(merged.collect())?))
        };
        let feeds_all = rule == WithoutImage::FeedForward;
        let blind = has_image.contains(&0.0) && !feeds_all;
        let count = has_image.len();
        let mask = || Tensor::from_vec(has_image, (count, 1), device);
        Ok(Self {
            texts: seeing,
            rows,
            places,
            has_image: blind.then(mask).transpose()?,
            feeds_all,
        })
    }

    /// The texts with images as layer `which` reads them.
    pub fn texts(&self, which: usize) -> Vec<PagedText<'_>> {
        let paged = self.texts.iter().map(|text| {
            let layers = || {
                text.images
                    .iter()
                    .filter_map(|image| image.layers.get(which))
            };
            let padding = layers().map(|layer| &layer.padding);
            PagedText {
                pages: layers().map(|layer| &layer.seen).chain(padding).collect(),
                ranges: &text.ranges,
            }
        });
        paged.collect()
    }

    /// `x` (T, D) with what `change` makes of the rows of texts with images in their place.
    pub fn on_seeing(
        &self,
        x: &Tensor,
        change: impl FnOnce(&Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        match &self.places {
            _ if self.texts.is_empty() => Ok(x.clone()),
            None => change(x),
            Some((places, merged)) => {
                let changed = change(&x.index_select(places, 0)?)?;
                Tensor::cat(&[x, &changed], 0)?.index_select(merged, 0)
            }
        }
    }

    /// `fed` with nothing in the rows that see no image, where the layers pass those by.
    pub fn masked(&self, fed: Tensor) -> Result<Tensor> {
        match &self.has_image {
            Some(has_image) => fed.broadcast_mul(has_image),
            None => Ok(fed),
        }
    }
}

/// The slots that tokens see which see the images `visible`.
fn slots(images: &[&ImageKeys], visible: &[(u32, u32)], rule: WithoutImage) -> Vec<(u32, u32)> {
    let (mut starts, mut padding) = (vec![0], 0);
    for image in images {
        let layer = image.layers.first();
        let seen = layer.map_or(0, |layer| layer.seen.num_slots() as u32);
        starts.push(starts[starts.len() - 1] + seen);
        padding += layer.map_or(0, |layer| layer.padding.num_slots() as u32);
    }
    let all = starts[images.len()] + padding;
    let range = |&(first, end): &(u32, u32)| match (first == end, rule) {
        (false, _) => (starts[first as usize], starts[end as usize]),
        (true, WithoutImage::Everything) => (0, all),
        (true, WithoutImage::FeedForward | WithoutImage::Nothing) => (0, 0),
    };
    visible.iter().map(range).collect()
}
