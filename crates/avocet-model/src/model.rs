//! The whole model: both towers, joined.

use avocet_kernels::{StepRows, Weight};
use candle_core::{Device, Error, Result, Tensor, bail};

use crate::builder::Builder;
use crate::cache::KvCache;
use crate::concepts::{ConceptRows, Glance};
use crate::cross_attention::{CrossAttentionCache, CrossAttentionMask, GatedCrossAttention};
use crate::decoder::Decoder;
use crate::image_keys::ImageKeys;
use crate::input::{Images, Latents};
use crate::position::PositionEncoding;
use crate::recogniser::Recogniser;
use crate::resampler::PerceiverResampler;
use crate::tower::Tower;
use avocet_config::{ModelConfig, WithoutImage};

/// A decoder that sees images.
///
/// Flamingo, arXiv:2204.14198, around a mixture-of-experts decoder.
#[derive(Debug, Clone)]
pub struct VisionLanguageModel {
    pub(crate) decoder: Decoder,
    cross_attention: Vec<GatedCrossAttention>,
    /// The decoder layer that each cross-attention layer stands before.
    cross_attention_layers: Vec<usize>,
    pub(crate) without_image: WithoutImage,
    tower: Option<Tower>,
    resampler: Option<PerceiverResampler>,
    recogniser: Option<Recogniser>,
    concepts: Option<ConceptRows>,
    pub(crate) position_encoding: PositionEncoding,
    config: ModelConfig,
}

impl VisionLanguageModel {
    /// Makes the model from the parameters that `builder` hands out.
    ///
    /// Errors if the configuration is invalid, or a parameter is missing or of another shape.
    pub fn new(config: &ModelConfig, builder: Builder) -> Result<Self> {
        config.validate().map_err(Error::wrap)?;
        let decoder = Decoder::new(&config.decoder, builder.pp("decoder"))?;
        let tower = Tower::new(config, &builder)?;
        let latent_dim = config.latent_dim().unwrap_or(0);
        let resampler = config.resampler.as_ref().map(|reduced| {
            let builder = builder.pp("resampler");
            PerceiverResampler::new(reduced, latent_dim, config.vision_eps(), builder)
        });
        let recogniser = match (&config.concepts, &config.efficient_net) {
            (Some(concepts), Some(tower)) => Some(Recogniser::new(tower, concepts, &builder)?),
            _ => None,
        };
        let concepts = ConceptRows::new(config, &builder)?;
        let mut cross_attention = Vec::new();
        let (mut cross_attention_layers, mut without_image) = (Vec::new(), WithoutImage::default());
        if let Some(cross) = &config.cross_attention {
            let dims = (config.decoder.dim, latent_dim);
            (cross_attention_layers, without_image) =
                (cross.places(config.decoder.num_layers), cross.without_image);
            let (count, eps) = (cross_attention_layers.len(), config.decoder.norm_eps);
            let builder = builder.pp("cross_attention");
            let layer = |i| GatedCrossAttention::new(dims, cross, count, eps, builder.pp(i));
            cross_attention = (0..count).map(layer).collect::<Result<_>>()?;
        }
        Ok(Self {
            decoder,
            cross_attention,
            cross_attention_layers,
            without_image,
            tower,
            resampler: resampler.transpose()?,
            recogniser,
            concepts,
            position_encoding: PositionEncoding::new(&config.decoder)?,
            config: config.clone(),
        })
    }

    /// The shape it was made with.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The vision tower's rows for `images`, one a patch, before any resampling.
    ///
    /// The patches may be anywhere: they are brought to where the model is.
    ///
    /// Errors if the model has no vision tower, or the images do not fit it.
    pub fn encode_patches(&self, images: &Images) -> Result<Latents> {
        match &self.tower {
            Some(tower) => tower.forward(&Images {
                patches: images.patches.to_device(&self.device())?,
                grids: images.grids.clone(),
            }),
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

    /// What is run over pictures before they are encoded, if the model recognises things.
    pub fn recogniser(&self) -> Option<&Recogniser> {
        self.recogniser.as_ref()
    }

    /// `latents` with the rows of what was recognised behind those of each image; themselves, if
    /// the model recognises nothing.
    ///
    /// Errors if there is not one glance an image, or one is not of this model's recogniser.
    pub fn with_glances(&self, latents: Latents, glances: &[&Glance]) -> Result<Latents> {
        let (Some(rows), Some(recogniser)) = (&self.concepts, &self.recogniser) else {
            return Ok(latents);
        };
        rows.beside(&latents, glances, recogniser, self.decoder.table())
    }

    /// Keys and values of `latents` for every cross-attention layer.
    pub fn cross_keys(&self, latents: Option<&Latents>) -> Result<CrossAttentionCache> {
        match latents {
            Some(latents) => CrossAttentionCache::new(&self.cross_attention, latents),
            None => Ok(CrossAttentionCache::default()),
        }
    }

    /// Keys and values of `latents`, which are those of one image, as inference reads them.
    pub fn image_keys(&self, latents: &Latents) -> Result<ImageKeys> {
        let layers = self.cross_attention.iter();
        ImageKeys::new(latents, layers.map(|layer| layer.key_value(&latents.rows)))
    }

    /// An empty cache for a text.
    pub fn new_cache(&self) -> KvCache {
        KvCache::new(&self.config.decoder)
    }

    /// The output head (V, D).
    pub fn head(&self) -> &Weight {
        self.decoder.head()
    }

    /// Where it computes.
    pub fn device(&self) -> Device {
        self.head().device()
    }

    /// Logits (T, V) of rows `hidden` (T, D).
    pub fn logits(&self, hidden: &Tensor) -> Result<Tensor> {
        self.decoder.logits(hidden)
    }

    /// As [`VisionLanguageModel::logits`], for inference: a row has the same bits alone and among
    /// any others.
    pub fn infer_logits(&self, hidden: &Tensor, rows: StepRows) -> Result<Tensor> {
        self.decoder.infer_logits(hidden, rows)
    }

    /// Openings, after tanh, of each cross-attention layer's attention and feed-forward gates.
    pub fn gates(&self) -> Result<Vec<(f32, f32)>> {
        self.cross_attention
            .iter()
            .map(GatedCrossAttention::gates)
            .collect()
    }

    /// Passes `x` (T, D) through the cross-attention layer before decoder layer `index`, if there
    /// is one.
    pub(crate) fn apply_cross_attention(
        &self,
        index: usize,
        x: Tensor,
        keys: &CrossAttentionCache,
        mask: &CrossAttentionMask,
    ) -> Result<Tensor> {
        match self.cross_layer(index) {
            Some((which, cross)) => cross.forward(&x, keys.layers.get(which), mask),
            None => Ok(x),
        }
    }

    /// The cross-attention layer before decoder layer `index`, and which one it is.
    pub(crate) fn cross_layer(&self, index: usize) -> Option<(usize, &GatedCrossAttention)> {
        let which = self.cross_attention_layers.binary_search(&index).ok()?;
        Some((which, self.cross_attention.get(which)?))
    }
}

#[cfg(test)]
pub(crate) mod family_tests;
#[cfg(test)]
mod tests;
