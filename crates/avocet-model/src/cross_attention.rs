//! The gated layers through which text sees images.

use avocet_kernels::{KeyRanges, Precision, StepRows, attention, gated_add, paged_attention};
use candle_core::{Result, Tensor};

use crate::builder::Builder;
use crate::feed_forward::FeedForward;
use crate::image_keys::Sight;
use crate::init;
use crate::input::{Latents, check_images};
use crate::norm::Norm;
use crate::projection::Projection;
use avocet_config::{CrossAttentionConfig, NormKind, WithoutImage};

/// The latents' keys and values for one cross-attention layer, each (rows, KV, K).
#[derive(Debug, Clone)]
pub struct CrossKv {
    key: Tensor,
    value: Tensor,
}

/// The latents' keys and values for every cross-attention layer, as training reads them. The
/// default holds no image.
#[derive(Debug, Clone, Default)]
pub struct CrossAttentionCache {
    pub(crate) layers: Vec<CrossKv>,
    /// Where each image's rows begin, and the end of the last; padding lies behind it.
    offsets: Vec<usize>,
}

/// What every token of a batch sees of the images.
#[derive(Debug)]
pub(crate) struct CrossAttentionMask {
    ranges: KeyRanges,
    /// 1 for a token that sees an image and 0 for one that does not (T, 1), where that matters.
    has_image: Option<Tensor>,
    /// Whether the layers are passed by.
    pub skip: bool,
}

impl CrossAttentionCache {
    pub(crate) fn new(layers: &[GatedCrossAttention], latents: &Latents) -> Result<Self> {
        let keys = layers.iter().map(|layer| layer.keys(&latents.rows));
        Ok(Self {
            layers: keys.collect::<Result<_>>()?,
            offsets: latents.offsets.clone(),
        })
    }

    /// The keys and values themselves, layer by layer.
    pub fn tensors(&self) -> impl Iterator<Item = &Tensor> {
        self.layers
            .iter()
            .flat_map(|layer| [&layer.key, &layer.value])
    }

    /// The same with what `change` makes of each of [`CrossAttentionCache::tensors`].
    ///
    /// Errors if `change` does.
    pub fn map(&self, mut change: impl FnMut(&Tensor) -> Result<Tensor>) -> Result<Self> {
        let layer = |layer: &CrossKv| {
            Ok(CrossKv {
                key: change(&layer.key)?,
                value: change(&layer.value)?,
            })
        };
        Ok(Self {
            layers: self.layers.iter().map(layer).collect::<Result<_>>()?,
            offsets: self.offsets.clone(),
        })
    }

    /// Number of images.
    pub fn num_images(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// What tokens that see `visible_images` see of the rows.
    ///
    /// Errors if there is not one entry a token, or an image does not exist.
    pub(crate) fn mask(
        &self,
        visible_images: &[(u32, u32)],
        num_tokens: usize,
        rule: WithoutImage,
    ) -> Result<CrossAttentionMask> {
        check_images(visible_images, num_tokens, self.num_images())?;
        let all = match self.layers.first() {
            Some(layer) => layer.key.dim(0)? as u32,
            None => 0,
        };
        let range = |&(first, end): &(u32, u32)| match (first == end, rule) {
            (false, _) => (
                self.offsets[first as usize] as u32,
                self.offsets[end as usize] as u32,
            ),
            (true, WithoutImage::Everything) => (0, all),
            (true, WithoutImage::FeedForward | WithoutImage::Nothing) => (0, 0),
        };
        let blind = visible_images.iter().any(|(first, end)| first == end);
        let has_image = match (&self.layers[..], rule) {
            ([layer, ..], WithoutImage::Nothing | WithoutImage::Everything) if blind => {
                let has_image = visible_images
                    .iter()
                    .map(|(first, end)| f32::from(first != end));
                let has_image: Vec<f32> = has_image.collect();
                let device = layer.key.device();
                Some(Tensor::from_vec(has_image, (num_tokens, 1), device)?)
            }
            _ => None,
        };
        Ok(CrossAttentionMask {
            ranges: KeyRanges::new(visible_images.iter().map(range).collect()),
            has_image,
            skip: self.num_images() == 0 && rule != WithoutImage::FeedForward,
        })
    }
}

/// Text attends to the latents of the images it sees, then a feed-forward block; each is added
/// through a tanh gate. With both gates at 0 the layer changes nothing.
///
/// Flamingo section 3.1.2, arXiv:2204.14198. The defaults of [`CrossAttentionConfig`] depart from
/// it by RMS norms, one on the latents too, SwiGLU and grouped key/value heads; its other values
/// make the layers of IDEFICS, OpenFlamingo and Mllama.
#[derive(Debug, Clone)]
pub struct GatedCrossAttention {
    norm: Norm,
    latent_norm: Option<Norm>,
    query: Projection,
    key: Projection,
    value: Projection,
    output: Projection,
    qk_norm: Option<(Norm, Norm)>,
    attention_gate: Tensor,
    ff_norm: Norm,
    ff: FeedForward,
    ff_gate: Tensor,
    num_heads: usize,
    num_kv_heads: usize,
    head_dim: usize,
    precision: Precision,
}

impl GatedCrossAttention {
    /// Makes one of `num_layers` layers between text of width `dim` and latents of width
    /// `latent_dim`; `eps` is the decoder's.
    pub fn new(
        (dim, latent_dim): (usize, usize),
        config: &CrossAttentionConfig,
        num_layers: usize,
        eps: f64,
        builder: Builder,
    ) -> Result<Self> {
        let (q_dim, kv_dim) = (
            config.num_heads * config.head_dim,
            config.num_kv_heads * config.head_dim,
        );
        let num_residual_layers = 2 * num_layers;
        let eps = config.norm_eps.unwrap_or(eps);
        let gate_dim = if config.vector_gates { dim } else { 1 };
        let norm = |dim, name| Norm::new(config.norm, dim, eps, &builder, name);
        let gate = |name| init::gate(&builder, gate_dim, config.initial_gate, name);
        let of_heads = |name| Norm::new(NormKind::Rms, config.head_dim, eps, &builder, name);
        let qk_norm =
            || Ok::<_, candle_core::Error>((of_heads("query_norm")?, of_heads("key_norm")?));
        let latent_norm = || norm(latent_dim, "latent_norm");
        let widths = (dim, config.ff_dim);
        let ff = builder.pp("ff");
        Ok(Self {
            norm: norm(dim, "norm")?,
            latent_norm: config.latent_norm.then(latent_norm).transpose()?,
            query: Projection::new((q_dim, dim), false, &builder, "query")?,
            key: Projection::new((kv_dim, latent_dim), false, &builder, "key")?,
            value: Projection::new((kv_dim, latent_dim), false, &builder, "value")?,
            output: Projection::residual(
                (dim, q_dim),
                false,
                num_residual_layers,
                &builder,
                "output",
            )?,
            qk_norm: config.qk_norm.then(qk_norm).transpose()?,
            attention_gate: gate("attention_gate")?,
            ff_norm: norm(dim, "ff_norm")?,
            ff: FeedForward::new(config.ff, widths, false, num_residual_layers, ff)?,
            ff_gate: gate("ff_gate")?,
            num_heads: config.num_heads,
            num_kv_heads: config.num_kv_heads,
            head_dim: config.head_dim,
            precision: builder.precision(),
        })
    }

    /// Keys and values of `latents` (rows, D_v).
    pub fn keys(&self, latents: &Tensor) -> Result<CrossKv> {
        let (key, value) = self.key_value(latents)?;
        Ok(CrossKv { key, value })
    }

    /// As [`GatedCrossAttention::keys`], each (rows, KV, K).
    pub(crate) fn key_value(&self, latents: &Tensor) -> Result<(Tensor, Tensor)> {
        let (rows, _) = latents.dims2()?;
        let shape = (rows, self.num_kv_heads, self.head_dim);
        let normed = match &self.latent_norm {
            Some(norm) => norm.forward(latents)?,
            None => latents.clone(),
        };
        let mut key = self.key.forward(&normed)?.reshape(shape)?; // (rows, KV, K)
        if let Some((_, norm)) = &self.qk_norm {
            key = norm.forward(&key)?;
        }
        let value = self.value.forward(&normed)?.reshape(shape)?;
        Ok((key, value))
    }

    /// Maps packed `x` (T, D) to (T, D). Without keys, no token sees any.
    pub(crate) fn forward(
        &self,
        x: &Tensor,
        keys: Option<&CrossKv>,
        mask: &CrossAttentionMask,
    ) -> Result<Tensor> {
        if mask.skip {
            return Ok(x.clone());
        }
        let x = match keys {
            Some(keys) => {
                let attended = self.attend(x, keys, &mask.ranges)?;
                &gated_add(x, &attended, &self.attention_gate)?
            }
            None => x,
        };
        let mut fed = self.ff.forward(&self.ff_norm.forward(x)?)?;
        if let Some(has_image) = &mask.has_image {
            fed = fed.broadcast_mul(has_image)?;
        }
        gated_add(x, &fed, &self.ff_gate)
    }

    /// Maps `x` (T, D), rows of several texts, to (T, D): this is cross-attention layer `which`.
    pub(crate) fn step(
        &self,
        x: &Tensor,
        which: usize,
        sight: &Sight<'_>,
        rows: StepRows,
    ) -> Result<Tensor> {
        let attended = |x: &Tensor| {
            let query = self.query.infer(&self.norm.forward(x)?, sight.rows)?;
            let mixed =
                paged_attention(&self.heads(query)?, &sight.texts(which), self.scale(), None)?;
            let attended = self.output.infer(&mixed.flatten_from(1)?, sight.rows)?; // (T, D)
            gated_add(x, &attended, &self.attention_gate)
        };
        let fed = |x: &Tensor, rows| {
            let fed = sight.masked(self.ff.infer(&self.ff_norm.forward(x)?, rows)?)?;
            gated_add(x, &fed, &self.ff_gate)
        };
        if sight.feeds_all {
            fed(&sight.on_seeing(x, attended)?, rows)
        } else {
            sight.on_seeing(x, |x| fed(&attended(x)?, sight.rows))
        }
    }

    /// Current openings of the attention gate and the feed-forward gate, after tanh; the mean
    /// magnitude of gates that have one a channel.
    pub fn gates(&self) -> Result<(f32, f32)> {
        let opening = |gate: &Tensor| {
            let open = gate.tanh()?;
            match open.elem_count() {
                1 => open.squeeze(0)?.to_scalar::<f32>(),
                _ => open.abs()?.mean_all()?.to_scalar::<f32>(),
            }
        };
        Ok((opening(&self.attention_gate)?, opening(&self.ff_gate)?))
    }

    fn attend(&self, x: &Tensor, keys: &CrossKv, ranges: &KeyRanges) -> Result<Tensor> {
        let query = self.heads(self.query.forward(&self.norm.forward(x)?)?)?;
        let (key, value) = (&keys.key, &keys.value);
        let mixed = attention(&query, key, value, ranges, self.scale(), self.precision)?; // (T, H, K)
        self.output.forward(&mixed.flatten_from(1)?) // (T, D)
    }

    /// Projected queries (T, H * K) by heads (T, H, K).
    fn heads(&self, query: Tensor) -> Result<Tensor> {
        let (rows, _) = query.dims2()?;
        let query = query.reshape((rows, self.num_heads, self.head_dim))?;
        match &self.qk_norm {
            Some((norm, _)) => norm.forward(&query),
            None => Ok(query),
        }
    }

    fn scale(&self) -> f32 {
        (self.head_dim as f32).sqrt().recip()
    }
}
