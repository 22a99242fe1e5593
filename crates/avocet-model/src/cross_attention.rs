//! The gated layers through which text sees images.

use avocet_kernels::{KeyRanges, attention, gated_add, linear, rms_norm};
use candle_core::{Result, Tensor, bail};
use candle_nn::VarBuilder;

use crate::config::CrossAttentionConfig;
use crate::init;
use crate::input::{Latents, check_images, joined_offsets};
use crate::swiglu::SwiGlu;

/// The latents' keys and values for one cross-attention layer, each (sum of M, KV, K).
#[derive(Debug, Clone)]
pub struct LayerKeys {
    key: Tensor,
    value: Tensor,
}

/// The latents' keys and values for every cross-attention layer: computed once, and shared by
/// every step and text that sees the images. The default holds no image.
#[derive(Debug, Clone, Default)]
pub struct CrossKeys {
    pub(crate) layers: Vec<LayerKeys>,
    offsets: Vec<usize>,
}

impl CrossKeys {
    pub(crate) fn new(layers: &[GatedCrossAttention], latents: &Latents) -> Result<Self> {
        let keys = layers.iter().map(|layer| layer.keys(&latents.rows));
        Ok(Self {
            layers: keys.collect::<Result<_>>()?,
            offsets: latents.offsets.clone(),
        })
    }

    /// Number of images.
    pub fn num_images(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Puts the images of several sets one after another; sets without images are skipped.
    ///
    /// Errors if the sets come from models of different shape.
    pub fn concat(parts: &[&Self]) -> Result<Self> {
        let parts: Vec<&Self> = parts
            .iter()
            .copied()
            .filter(|p| p.num_images() > 0)
            .collect();
        let Some(first) = parts.first() else {
            return Ok(Self::default());
        };
        if let Some(other) = parts.iter().find(|p| p.layers.len() != first.layers.len()) {
            bail!(
                "keys of {} layers beside keys of {}",
                first.layers.len(),
                other.layers.len()
            );
        }
        let joined = |index: usize, part_of: fn(&LayerKeys) -> &Tensor| {
            let tensors: Vec<_> = parts.iter().map(|p| part_of(&p.layers[index])).collect();
            Tensor::cat(&tensors, 0)
        };
        let layer = |index| {
            Ok(LayerKeys {
                key: joined(index, |k| &k.key)?,
                value: joined(index, |k| &k.value)?,
            })
        };
        Ok(Self {
            layers: (0..first.layers.len()).map(layer).collect::<Result<_>>()?,
            offsets: joined_offsets(parts.iter().map(|p| p.offsets.as_slice())),
        })
    }

    /// Bytes the keys and values occupy.
    pub fn num_bytes(&self) -> usize {
        let bytes = |t: &Tensor| t.elem_count() * t.dtype().size_in_bytes();
        self.layers
            .iter()
            .map(|layer| bytes(&layer.key) + bytes(&layer.value))
            .sum()
    }

    /// The latest-image mask: for each token the rows of the image it sees, or none.
    ///
    /// Errors if there is not one entry a token, or an image does not exist.
    pub(crate) fn ranges(
        &self,
        latest_image: &[Option<u32>],
        num_tokens: usize,
    ) -> Result<KeyRanges> {
        check_images(latest_image, num_tokens, self.num_images())?;
        let range = |image: &Option<u32>| {
            image.map_or((0, 0), |image| {
                let image = image as usize;
                (self.offsets[image] as u32, self.offsets[image + 1] as u32)
            })
        };
        Ok(KeyRanges::new(latest_image.iter().map(range).collect()))
    }
}

/// Text attends to the latents of its latest image, then a feed-forward block; each is added
/// through a tanh gate. With both gates at 0 the layer changes nothing.
///
/// Flamingo section 3.1.2, arXiv:2204.14198. Departures: RMS norms, one on the latents too;
/// SwiGLU; grouped key/value heads. A token without an image passes the feed-forward block only.
#[derive(Debug, Clone)]
pub struct GatedCrossAttention {
    norm: Tensor,
    latent_norm: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    output: Tensor,
    attention_gate: Tensor,
    ff_norm: Tensor,
    ff: SwiGlu,
    ff_gate: Tensor,
    num_heads: usize,
    num_kv_heads: usize,
    head_dim: usize,
    eps: f64,
}

impl GatedCrossAttention {
    /// Makes one of `num_layers` layers between text of width `dim` and latents of width
    /// `latent_dim`.
    pub fn new(
        (dim, latent_dim): (usize, usize),
        config: &CrossAttentionConfig,
        num_layers: usize,
        eps: f64,
        vb: VarBuilder,
    ) -> Result<Self> {
        let (q_dim, kv_dim) = (
            config.num_heads * config.head_dim,
            config.num_kv_heads * config.head_dim,
        );
        let num_writers = 2 * num_layers;
        Ok(Self {
            norm: init::norm(&vb, dim, "norm")?,
            latent_norm: init::norm(&vb, latent_dim, "latent_norm")?,
            query: init::matrix(&vb, (q_dim, dim), "query")?,
            key: init::matrix(&vb, (kv_dim, latent_dim), "key")?,
            value: init::matrix(&vb, (kv_dim, latent_dim), "value")?,
            output: init::residual(&vb, (dim, q_dim), "output", num_writers)?,
            attention_gate: init::gate(&vb, config.initial_gate, "attention_gate")?,
            ff_norm: init::norm(&vb, dim, "ff_norm")?,
            ff: SwiGlu::new(dim, config.ff_dim, num_writers, vb.pp("ff"))?,
            ff_gate: init::gate(&vb, config.initial_gate, "ff_gate")?,
            num_heads: config.num_heads,
            num_kv_heads: config.num_kv_heads,
            head_dim: config.head_dim,
            eps,
        })
    }

    /// Keys and values of `latents` (sum of M, D_v).
    pub fn keys(&self, latents: &Tensor) -> Result<LayerKeys> {
        let (rows, _) = latents.dims2()?;
        let shape = (rows, self.num_kv_heads, self.head_dim);
        let normed = rms_norm(latents, &self.latent_norm, self.eps)?;
        Ok(LayerKeys {
            key: linear(&normed, &self.key)?.reshape(shape)?, // (sum of M, KV, K)
            value: linear(&normed, &self.value)?.reshape(shape)?,
        })
    }

    /// Maps packed `x` (T, D) to (T, D); token i sees the latents of `ranges`. Without keys, no
    /// token sees any.
    pub fn forward(
        &self,
        x: &Tensor,
        keys: Option<&LayerKeys>,
        ranges: &KeyRanges,
    ) -> Result<Tensor> {
        let x = match keys {
            Some(keys) => &gated_add(x, &self.attend(x, keys, ranges)?, &self.attention_gate)?,
            None => x,
        };
        let fed = self.ff.forward(&rms_norm(x, &self.ff_norm, self.eps)?)?;
        gated_add(x, &fed, &self.ff_gate)
    }

    /// Current openings of the attention gate and the feed-forward gate, after tanh.
    pub fn gates(&self) -> Result<(f32, f32)> {
        let opening = |gate: &Tensor| gate.tanh()?.squeeze(0)?.to_scalar::<f32>();
        Ok((opening(&self.attention_gate)?, opening(&self.ff_gate)?))
    }

    fn attend(&self, x: &Tensor, keys: &LayerKeys, ranges: &KeyRanges) -> Result<Tensor> {
        let (rows, _) = x.dims2()?;
        let normed = rms_norm(x, &self.norm, self.eps)?;
        let query = linear(&normed, &self.query)?.reshape((rows, self.num_heads, self.head_dim))?; // (T, H, K)
        let scale = (self.head_dim as f32).sqrt().recip();
        let mixed = attention(&query, &keys.key, &keys.value, ranges, scale)?; // (T, H, K)
        linear(&mixed.flatten_from(1)?, &self.output) // (T, D)
    }
}
