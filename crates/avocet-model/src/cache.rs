//! The key/value cache: what is kept of the tokens that the decoder has read of a text.

use avocet_config::DecoderConfig;
use avocet_kernels::KvPages;

/// Keys and values of one text for every decoder layer, in pages: it grows without a copy, and
/// texts of any lengths go through a step together, each beside its own.
#[derive(Debug)]
pub struct KvCache {
    pub(crate) layers: Vec<KvPages>,
    max_context: usize,
}

impl KvCache {
    pub(crate) fn new(config: &DecoderConfig) -> Self {
        let layer = KvPages::new(config.num_kv_heads, config.head_dim);
        Self {
            layers: vec![layer; config.num_layers],
            max_context: config.max_context,
        }
    }

    /// Tokens held.
    pub fn len(&self) -> usize {
        self.layers.first().map_or(0, KvPages::len)
    }

    /// Whether no token is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Tokens that can still be added before the context is full.
    pub fn room(&self) -> usize {
        self.max_context - self.len()
    }

    /// Forgets all but the first `len` tokens and gives back the pages of the others. More than
    /// are held changes nothing.
    pub fn truncate(&mut self, len: usize) {
        self.layers.iter_mut().for_each(|pages| pages.truncate(len));
    }

    /// Bytes the keys and values occupy.
    pub fn num_bytes(&self) -> usize {
        self.layers.iter().map(KvPages::num_bytes).sum()
    }

    /// Bytes that `tokens` tokens of a text occupy with a decoder of this shape.
    pub fn bytes(config: &DecoderConfig, tokens: usize) -> usize {
        let layer = KvPages::bytes(config.num_kv_heads, config.head_dim, tokens);
        layer.saturating_mul(config.num_layers)
    }
}
