//! A step of inference: new tokens of several texts at once, each behind what is cached of it.
//!
//! Everything but attention takes the tokens of all texts as rows of one product, those of prompts
//! before those of answers. A token's row has the same bits whatever other texts are in the step
//! and however its own text was cut into steps: products and attention compute each row by itself,
//! and experts drop none.

use std::ops::Range;

use candle_core::{Result, Tensor, bail};

use crate::cache::KvCache;
use crate::image_keys::{ImageKeys, Sight};
use crate::input::check_images;
use crate::model::VisionLanguageModel;
use crate::position::Stretch;
use avocet_kernels::StepRows;

/// New tokens of one text, and what they follow.
#[derive(Debug)]
pub struct TextStep<'a> {
    /// Their ids.
    pub ids: &'a [u32],
    /// For each the images that it sees, first and end, as indices into `images`; equal ends see
    /// none.
    pub visible_images: &'a [(u32, u32)],
    /// The text's images.
    pub images: Vec<&'a ImageKeys>,
    /// Keys and values of the tokens before, to which those of the new ones are added.
    pub cache: &'a mut KvCache,
    /// Tokens of the text's prompt, or all that are known if it has none: some rotary embeddings
    /// turn by the length of the text, and tokens behind the prompt are read by another kernel.
    pub prompt: usize,
}

impl VisionLanguageModel {
    /// Runs the decoder over the new tokens of `texts` and adds them to their caches; gives for
    /// each text its rows (n, D) after the final norm.
    ///
    /// Errors if a text does not fit the context or goes on beyond its prompt in the same step, an
    /// id is outside the vocabulary, or a token names an image that its text does not have; the
    /// caches then hold what they held before.
    pub fn step(&self, texts: &mut [TextStep<'_>]) -> Result<Vec<Tensor>> {
        for (index, text) in texts.iter().enumerate() {
            let (new, held, room) = (text.ids.len(), text.cache.len(), text.cache.room());
            if new > room {
                bail!(
                    "text {index}: {new} tokens after {held} do not fit the context, which holds \
                     {}",
                    held + room
                );
            }
            if held < text.prompt && held + new > text.prompt {
                bail!(
                    "text {index}: {new} tokens after {held} go beyond the prompt of {}",
                    text.prompt
                );
            }
            check_images(text.visible_images, new, text.images.len())?;
        }
        let held: Vec<usize> = texts.iter().map(|text| text.cache.len()).collect();
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|&index| held[index] >= texts[index].prompt);
        let mut spans = vec![0..0; texts.len()];
        let mut rows = StepRows::prompt(0);
        for &index in &order {
            let new = texts[index].ids.len();
            spans[index] = rows.all()..rows.all() + new;
            if held[index] < texts[index].prompt {
                rows.prompt += new;
            } else {
                rows.answer += new;
            }
        }
        match self.run(texts, &order, &spans, rows) {
            Ok(all) => {
                let own = spans.into_iter();
                own.map(|span| all.narrow(0, span.start, span.len()))
                    .collect()
            }
            Err(error) => {
                for (text, held) in texts.iter_mut().zip(held) {
                    text.cache.truncate(held);
                }
                Err(error)
            }
        }
    }

    /// Rows (T, D) of all texts, where each has those of its span; spans rise in `order`.
    fn run(
        &self,
        texts: &mut [TextStep<'_>],
        order: &[usize],
        spans: &[Range<usize>],
        rows: StepRows,
    ) -> Result<Tensor> {
        let in_order = || order.iter().map(|&index| &texts[index]);
        let ids: Vec<u32> = in_order().flat_map(|text| text.ids).copied().collect();
        let at = self
            .position_encoding
            .of_stretches(in_order().map(|text| Stretch {
                past: text.cache.len(),
                new: text.ids.len(),
                known: text.prompt,
            }))?;
        let mut x = self.decoder.embed(&ids)?; // (T, D)
        let sees = in_order().map(|text| (text.images.clone(), text.visible_images));
        let sight = Sight::new(sees, rows, self.without_image, x.device())?;
        for (index, layer) in self.decoder.layers.iter().enumerate() {
            x = self.look(index, x, &sight, rows)?;
            let pages = texts.iter_mut().map(|text| &mut text.cache.layers[index]);
            let mut pages: Vec<_> = pages.zip(spans).collect();
            pages.sort_by_key(|(_, span)| (span.start, span.end));
            let ranges = at.ranges.as_slice();
            x = layer.step(&x, at.positions(), ranges, &mut pages, rows)?;
        }
        x = self.look(self.decoder.layers.len(), x, &sight, rows)?;
        self.decoder.finish(&x)
    }

    /// Passes `x` (T, D) through the cross-attention layer before decoder layer `index`, if there
    /// is one.
    fn look(&self, index: usize, x: Tensor, sight: &Sight<'_>, rows: StepRows) -> Result<Tensor> {
        match self.cross_layer(index) {
            Some((which, cross)) => cross.step(&x, which, sight, rows),
            None => Ok(x),
        }
    }
}

#[cfg(test)]
mod tests;
