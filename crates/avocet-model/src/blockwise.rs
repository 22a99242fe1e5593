//! The decoder's way over packed texts, at once or block by block: for training that keeps only what
//! enters each block and computes the block again on the way back (arXiv:1604.06174).

use candle_core::{Result, Tensor};

use crate::cross_attention::{CrossAttentionCache, CrossAttentionMask};
use crate::input::{Latents, TextBatch};
use crate::model::VisionLanguageModel;
use crate::moe::RouterStats;
use crate::position::PositionInfo;

/// What the decoder makes of a batch.
#[derive(Debug, Clone)]
pub struct Decoded {
    /// A row a token (T, D), after the final norm; [`VisionLanguageModel::logits`] turns rows into logits.
    pub hidden: Tensor,
    /// What the router of each layer with experts did.
    pub routers: Vec<RouterStats>,
}

impl VisionLanguageModel {
    /// Runs the decoder over packed texts.
    ///
    /// Errors if a text is longer than the context, an id is outside the vocabulary, or a token
    /// names an image that `latents` does not hold.
    pub fn forward(&self, text: &TextBatch, latents: Option<&Latents>) -> Result<Decoded> {
        let keys = self.cross_keys(latents)?;
        BlockwiseForward::new(self, text, &keys)?.run(&keys)
    }
}

/// Where the tokens of some packed texts stand and what they see; the blocks to pass them through.
///
/// A block is a decoder layer and the cross-attention layer before it, if there is one.
pub struct BlockwiseForward<'a> {
    model: &'a VisionLanguageModel,
    at: PositionInfo<'a>,
    mask: CrossAttentionMask,
    ids: &'a [u32],
}

impl<'a> BlockwiseForward<'a> {
    /// The way of `text` with images whose keys are `keys`.
    ///
    /// Errors as [`VisionLanguageModel::forward`] does.
    pub fn new(
        model: &'a VisionLanguageModel,
        text: &'a TextBatch,
        keys: &CrossAttentionCache,
    ) -> Result<Self> {
        text.check(model.config().decoder.max_context, keys.num_images())?;
        Ok(Self {
            model,
            at: model.position_encoding.of_texts(text)?,
            mask: keys.mask(&text.visible_images, text.ids.len(), model.without_image)?,
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

    /// Passes `x` (T, D) through block `index`, which must be below [`BlockwiseForward::num_blocks`], and
    /// says what the router did, if there is one.
    pub fn block(
        &self,
        index: usize,
        x: Tensor,
        keys: &CrossAttentionCache,
    ) -> Result<(Tensor, Option<RouterStats>)> {
        let x = self
            .model
            .apply_cross_attention(index, x, keys, &self.mask)?;
        let layer = &self.model.decoder.layers[index];
        layer.forward(&x, self.at.positions(), &self.at.ranges)
    }

    /// What follows the last block: rows (T, D) after the final norm.
    pub fn finish(&self, x: Tensor, keys: &CrossAttentionCache) -> Result<Tensor> {
        let x = self
            .model
            .apply_cross_attention(self.num_blocks(), x, keys, &self.mask)?;
        self.model.decoder.finish(&x)
    }

    /// The whole way at once.
    pub fn run(&self, keys: &CrossAttentionCache) -> Result<Decoded> {
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
