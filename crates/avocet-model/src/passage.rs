//! The decoder's way over packed texts, at once or block by block: for training that keeps only what
//! enters each block and computes the block again on the way back (arXiv:1604.06174).

use candle_core::{Result, Tensor};

use crate::cross_attention::{CrossKeys, Sight};
use crate::input::{Latents, TextBatch};
use crate::model::Avocet;
use crate::moe::RouterStats;
use crate::places::Whereabouts;

/// What the decoder makes of a batch.
#[derive(Debug, Clone)]
pub struct Decoded {
    /// A row a token (T, D), after the final norm; [`Avocet::logits`] turns rows into logits.
    pub hidden: Tensor,
    /// What the router of each layer with experts did.
    pub routers: Vec<RouterStats>,
}

impl Avocet {
    /// Runs the decoder over packed texts.
    ///
    /// Errors if a text is longer than the context, an id is outside the vocabulary, or a token
    /// names an image that `latents` does not hold.
    pub fn forward(&self, text: &TextBatch, latents: Option<&Latents>) -> Result<Decoded> {
        self.forward_with_keys(text, &self.cross_keys(latents)?)
    }

    /// As [`Avocet::forward`], with the latents' keys and values computed before.
    pub fn forward_with_keys(&self, text: &TextBatch, keys: &CrossKeys) -> Result<Decoded> {
        Passage::new(self, text, keys)?.run(keys)
    }
}

/// Where the tokens of some packed texts stand and what they see; the blocks to pass them through.
///
/// A block is a decoder layer and the cross-attention layer before it, if there is one.
pub struct Passage<'a> {
    model: &'a Avocet,
    at: Whereabouts<'a>,
    sight: Sight,
    ids: &'a [u32],
}

impl<'a> Passage<'a> {
    /// The way of `text` with images whose keys are `keys`.
    ///
    /// Errors as [`Avocet::forward`] does.
    pub fn new(model: &'a Avocet, text: &'a TextBatch, keys: &CrossKeys) -> Result<Self> {
        text.check(model.config().decoder.max_context, keys.num_images())?;
        Ok(Self {
            model,
            at: model.places.of_texts(text)?,
            sight: keys.sight(&text.seen_images, text.ids.len(), model.without_image)?,
            ids: &text.ids,
        })
    }

    /// Number of blocks.
    pub fn num_blocks(&self) -> usize {
        self.model.decoder.layers.len()
    }

    /// What enters the first block (T, D).
    pub fn embed(&self) -> Result<Tensor> {
        self.model.decoder.embed(self.ids)
    }

    /// Passes `x` (T, D) through block `index`, which must be below [`Passage::num_blocks`], and
    /// says what the router did, if there is one.
    pub fn block(
        &self,
        index: usize,
        x: Tensor,
        keys: &CrossKeys,
    ) -> Result<(Tensor, Option<RouterStats>)> {
        let x = self.model.look(index, x, keys, &self.sight)?;
        let layer = &self.model.decoder.layers[index];
        layer.forward(&x, self.at.positions(), &self.at.ranges)
    }

    /// What follows the last block: rows (T, D) after the final norm.
    pub fn finish(&self, x: Tensor, keys: &CrossKeys) -> Result<Tensor> {
        let x = self.model.look(self.num_blocks(), x, keys, &self.sight)?;
        self.model.decoder.finish(&x)
    }

    /// The whole way at once.
    pub fn run(&self, keys: &CrossKeys) -> Result<Decoded> {
        let mut x = self.embed()?;
        let mut routers = Vec::with_capacity(self.num_blocks());
        for index in 0..self.num_blocks() {
            let stats;
            (x, stats) = self.block(index, x, keys)?;
            routers.extend(stats);
        }
        Ok(Decoded {
            hidden: self.finish(x, keys)?,
            routers,
        })
    }
}
