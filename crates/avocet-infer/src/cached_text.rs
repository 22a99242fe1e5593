//! A text and what the decoder keeps of the part that it has read.

use avocet_model::{KvCache, TextStep};
use candle_core::Tensor;

use crate::engine::Engine;
use crate::error::InferError;
use crate::images::Image;

/// A text that the decoder reads step by step.
#[derive(Debug)]
pub(crate) struct CachedText {
    ids: Vec<u32>,
    /// How many of them were given at first.
    prompt: usize,
    /// The images that each token sees, first and end.
    visible_images: Vec<(u32, u32)>,
    images: Vec<Image>,
    /// Keys and values of the first of `ids`.
    cache: KvCache,
}

impl CachedText {
    /// Tokens that were read.
    pub fn num_read(&self) -> usize {
        self.cache.len()
    }

    /// Tokens that are still to be read.
    pub fn num_pending(&self) -> usize {
        self.ids.len() - self.cache.len()
    }

    /// Puts `id` behind the text; it sees what the token before it sees.
    pub fn push(&mut self, id: u32) {
        self.ids.push(id);
        let last = self.visible_images.last().copied();
        self.visible_images.push(last.unwrap_or((0, 0)));
    }

    /// Makes the token that was read last one that is still to be read.
    pub fn unread_last(&mut self) {
        self.cache.truncate(self.cache.len().saturating_sub(1));
    }

    /// Bytes of the keys and values that are kept.
    pub fn cache_bytes(&self) -> usize {
        self.cache.num_bytes()
    }

    /// Forgets everything: nothing of the text will be read any more.
    pub fn clear(&mut self) {
        self.cache.truncate(0);
        self.ids.clear();
        self.visible_images.clear();
        self.images.clear();
    }

    /// The next `count` tokens, which must be pending.
    fn next_step(&mut self, count: usize) -> TextStep<'_> {
        let new = self.cache.len()..self.cache.len() + count;
        TextStep {
            ids: &self.ids[new.clone()],
            visible_images: &self.visible_images[new],
            images: self.images.iter().filter_map(Image::keys).collect(),
            cache: &mut self.cache,
            prompt: self.prompt,
        }
    }
}

impl Engine {
    /// A text of `ids` (T), of which nothing is read yet. Its images are encoded now.
    pub(crate) fn text(&self, ids: Vec<u32>, images: &[Image]) -> Result<CachedText, InferError> {
        self.encode(images)?;
        Ok(CachedText {
            visible_images: self.tokenizer().visible_images(&ids),
            prompt: ids.len(),
            ids,
            images: images.to_vec(),
            cache: self.model().new_cache(),
        })
    }

    /// Reads the next tokens of each text, so many as stand beside it: rows (n, D) of each.
    pub(crate) fn read<'a>(
        &self,
        texts: impl IntoIterator<Item = (&'a mut CachedText, usize)>,
    ) -> Result<Vec<Tensor>, InferError> {
        let texts = texts.into_iter();
        let mut steps: Vec<TextStep<'_>> = texts.map(|(text, n)| text.next_step(n)).collect();
        Ok(self.model().step(&mut steps)?)
    }
}
