//! The whole model: both towers, joined.

use avocet_kernels::{KeyRanges, RopeAngles};
use candle_core::{Error, Result, Tensor, bail};
use candle_nn::VarBuilder;

use crate::cache::Cache;
use crate::config::ModelConfig;
use crate::cross_attention::{CrossKeys, GatedCrossAttention};
use crate::decoder::Decoder;
use crate::input::{Images, Latents, TextBatch};
use crate::moe::RouterStats;
use crate::resampler::PerceiverResampler;
use crate::vision::VisionEncoder;

/// What the decoder makes of a batch.
#[derive(Debug, Clone)]
pub struct Decoded {
    /// A row a token (T, D), after the final norm; [`Avocet::logits`] turns rows into logits.
    pub hidden: Tensor,
    /// What the router of each layer with experts did.
    pub routers: Vec<RouterStats>,
}

/// A decoder that sees images.
///
/// Flamingo, arXiv:2204.14198, around a mixture-of-experts decoder.
#[derive(Debug, Clone)]
pub struct Avocet {
    decoder: Decoder,
    cross_attention: Vec<GatedCrossAttention>,
    vision: Option<VisionEncoder>,
    resampler: Option<PerceiverResampler>,
    config: ModelConfig,
}

impl Avocet {
    /// Makes the model from tensors that `vb` hands out.
    ///
    /// Errors if the configuration is invalid, or a tensor is missing or of another shape.
    pub fn new(config: &ModelConfig, vb: VarBuilder) -> Result<Self> {
        config.validate().map_err(Error::wrap)?;
        let decoder = Decoder::new(&config.decoder, vb.pp("decoder"))?;
        let mut cross_attention = Vec::new();
        let (mut vision, mut resampler) = (None, None);
        if let Some(tower) = &config.vision {
            vision = Some(VisionEncoder::new(tower, vb.pp("vision"))?);
            if let Some(reduced) = &config.resampler {
                resampler = Some(PerceiverResampler::new(reduced, tower, vb.pp("resampler"))?);
            }
            if let Some(cross) = &config.cross_attention {
                let dims = (config.decoder.dim, tower.dim);
                let (count, eps) = (config.num_cross_layers(), config.decoder.norm_eps);
                let vb = vb.pp("cross_attention");
                let layer = |i| GatedCrossAttention::new(dims, cross, count, eps, vb.pp(i));
                cross_attention = (0..count).map(layer).collect::<Result<_>>()?;
            }
        }
        Ok(Self {
            decoder,
            cross_attention,
            vision,
            resampler,
            config: config.clone(),
        })
    }

    /// The shape it was made with.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The vision tower's rows for `images`, one a patch, before any resampling.
    ///
    /// Errors if the model has no vision tower, or the images do not fit it.
    pub fn encode_patches(&self, images: &Images) -> Result<Latents> {
        match &self.vision {
            Some(vision) => vision.forward(images),
            None => bail!(
                "{:?} has no vision tower, so it cannot see images",
                self.config.name
            ),
        }
    }

    /// What the decoder attends to of `images`.
    ///
    /// Errors if the model has no vision tower, or the images do not fit it.
    pub fn encode_images(&self, images: &Images) -> Result<Latents> {
        self.resample(self.encode_patches(images)?)
    }

    /// What the decoder attends to of images whose `patches` are encoded: themselves, if the model
    /// has no resampler.
    pub fn resample(&self, patches: Latents) -> Result<Latents> {
        match &self.resampler {
            Some(resampler) => resampler.forward(&patches),
            None => Ok(patches),
        }
    }

    /// Keys and values of `latents` for every cross-attention layer.
    pub fn cross_keys(&self, latents: Option<&Latents>) -> Result<CrossKeys> {
        match latents {
            Some(latents) => CrossKeys::new(&self.cross_attention, latents),
            None => Ok(CrossKeys::default()),
        }
    }

    /// Runs the decoder over packed texts.
    ///
    /// Errors if a text is longer than the context, an id is outside the vocabulary, or a token
    /// names an image that `latents` does not hold.
    pub fn forward(&self, text: &TextBatch, latents: Option<&Latents>) -> Result<Decoded> {
        self.forward_with_keys(text, &self.cross_keys(latents)?)
    }

    /// As [`Avocet::forward`], with the latents' keys and values computed before.
    pub fn forward_with_keys(&self, text: &TextBatch, keys: &CrossKeys) -> Result<Decoded> {
        let config = &self.config.decoder;
        text.check(config.max_context, keys.num_images())?;
        let angles = RopeAngles::text(&text.positions(), config.head_dim, config.rope_theta)?;
        let ranges = KeyRanges::causal(&text.offsets);
        let seen = keys.ranges(&text.latest_image, text.ids.len())?;
        let mut x = self.decoder.embed(&text.ids)?; // (T, D)
        let mut routers = Vec::with_capacity(config.num_layers);
        for (index, layer) in self.decoder.layers.iter().enumerate() {
            if let Some((cross, which)) = self.cross_before(index) {
                x = cross.forward(&x, keys.layers.get(which), &seen)?;
            }
            let stats;
            (x, stats) = layer.forward(&x, &angles, &ranges)?;
            routers.extend(stats);
        }
        Ok(Decoded {
            hidden: self.decoder.finish(&x)?,
            routers,
        })
    }

    /// Runs the decoder over the tokens `ids` that follow those in `cache`, and adds them to it;
    /// gives rows (n, D) after the final norm. Experts drop no token here, whatever the capacity
    /// factor.
    ///
    /// Errors as [`Avocet::forward`] does; the cache then holds what it held before.
    pub fn forward_cached(
        &self,
        ids: &[u32],
        latest_image: &[Option<u32>],
        keys: &CrossKeys,
        cache: &mut Cache,
    ) -> Result<Tensor> {
        let config = &self.config.decoder;
        let (past, n) = (cache.len(), ids.len());
        let seen = keys.ranges(latest_image, n)?;
        cache.reserve(n)?;
        let positions: Vec<u32> = (past as u32..(past + n) as u32).collect();
        let angles = RopeAngles::text(&positions, config.head_dim, config.rope_theta)?;
        let ranges = KeyRanges::causal_after(past, n);
        let mut x = self.decoder.embed(ids)?; // (n, D)
        for (index, layer) in self.decoder.layers.iter().enumerate() {
            if let Some((cross, which)) = self.cross_before(index) {
                x = cross.forward(&x, keys.layers.get(which), &seen)?;
            }
            x = layer.forward_cached(&x, &angles, &ranges, &mut cache.layers[index], past)?;
        }
        cache.advance(n);
        self.decoder.finish(&x)
    }

    /// An empty cache with room for `capacity` tokens before it first grows.
    pub fn new_cache(&self, capacity: usize) -> Result<Cache> {
        Cache::new(&self.config.decoder, capacity, self.head().device())
    }

    /// The output head (V, D).
    pub fn head(&self) -> &Tensor {
        self.decoder.head()
    }

    /// Logits (T, V) of rows `hidden` (T, D).
    pub fn logits(&self, hidden: &Tensor) -> Result<Tensor> {
        self.decoder.logits(hidden)
    }

    /// Openings, after tanh, of each cross-attention layer's attention and feed-forward gates.
    pub fn gates(&self) -> Result<Vec<(f32, f32)>> {
        self.cross_attention
            .iter()
            .map(GatedCrossAttention::gates)
            .collect()
    }

    /// The cross-attention layer that precedes decoder layer `index`, with its own index: one
    /// before the last of every `every` layers.
    fn cross_before(&self, index: usize) -> Option<(&GatedCrossAttention, usize)> {
        let every = self.config.cross_attention.as_ref()?.every;
        let which = index / every;
        let here = index % every == every - 1;
        here.then(|| self.cross_attention.get(which).map(|layer| (layer, which)))
            .flatten()
    }
}

#[cfg(test)]
mod tests;
