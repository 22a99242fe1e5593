//! Reduces each image to a fixed number of latents.

use crate::builder::Builder;
use avocet_kernels::{KeyRanges, Precision, attention, embedding};
use candle_core::{Result, Tensor};

use crate::feed_forward::FeedForward;
use crate::init;
use crate::input::Latents;
use crate::norm::Norm;
use crate::projection::Projection;
use avocet_config::ResamplerConfig;

/// One layer: the latents attend to their image's rows and to one another, then a feed-forward.
#[derive(Debug, Clone)]
struct ResamplerLayer {
    image_norm: Norm,
    latent_norm: Norm,
    query: Projection,
    key: Projection,
    value: Projection,
    output: Projection,
    qk_norm: Option<(Norm, Norm)>,
    ff_norm: Norm,
    ff: FeedForward,
}

/// Learned queries that gather an image of any size into `num_latents` rows.
///
/// Flamingo section 3.1.1, arXiv:2204.14198: keys are the image's rows and the latents
/// themselves; no time embedding. The defaults of [`ResamplerConfig`] depart from it by RMS norms
/// and SwiGLU; its other values make the resamplers of IDEFICS and OpenFlamingo.
#[derive(Debug, Clone)]
pub struct PerceiverResampler {
    latents: Tensor,
    layers: Vec<ResamplerLayer>,
    norm: Norm,
    num_heads: usize,
    head_dim: usize,
    precision: Precision,
}

impl ResamplerLayer {
    fn new(
        dim: usize,
        head_dim: usize,
        eps: f64,
        config: &ResamplerConfig,
        builder: Builder,
    ) -> Result<Self> {
        let num_residual_layers = 2 * config.num_layers;
        let width = config.num_heads * head_dim;
        let norm = |dim, name| Norm::new(config.norm, dim, eps, &builder, name);
        let qk_norm = || {
            Ok::<_, candle_core::Error>((
                norm(head_dim, "query_norm")?,
                norm(head_dim, "key_norm")?,
            ))
        };
        let inwards = |name| Projection::new((width, dim), false, &builder, name);
        let ff = builder.pp("ff");
        Ok(Self {
            image_norm: norm(dim, "image_norm")?,
            latent_norm: norm(dim, "latent_norm")?,
            query: inwards("query")?,
            key: inwards("key")?,
            value: inwards("value")?,
            output: Projection::residual(
                (dim, width),
                false,
                num_residual_layers,
                &builder,
                "output",
            )?,
            qk_norm: config.qk_norm.then(qk_norm).transpose()?,
            ff_norm: norm(dim, "ff_norm")?,
            ff: FeedForward::new(
                config.ff,
                (dim, config.ff_dim),
                false,
                num_residual_layers,
                ff,
            )?,
        })
    }
}

impl PerceiverResampler {
    /// Makes the resampler of a vision tower of width `dim`, whose norms add `eps`.
    pub fn new(config: &ResamplerConfig, dim: usize, eps: f64, builder: Builder) -> Result<Self> {
        let head_dim = config.head_dim.unwrap_or(dim / config.num_heads);
        let eps = config.norm_eps.unwrap_or(eps);
        let layers = builder.pp("layers");
        let layer = |index| ResamplerLayer::new(dim, head_dim, eps, config, layers.pp(index));
        Ok(Self {
            latents: init::rows(&builder, config.num_latents, dim, "latents")?,
            layers: (0..config.num_layers).map(layer).collect::<Result<_>>()?,
            norm: Norm::new(config.norm, dim, eps, &builder, "norm")?,
            num_heads: config.num_heads,
            head_dim,
            precision: builder.precision(),
        })
    }

    /// Maps images of any number of rows to images of `num_latents` rows each.
    pub fn forward(&self, images: &Latents) -> Result<Latents> {
        let (num_latents, _) = self.latents.dims2()?;
        let num_images = images.num_images();
        let plan = Plan::new(&images.offsets, num_latents);
        let repeated: Vec<u32> = (0..num_images)
            .flat_map(|_| 0..num_latents as u32)
            .collect();
        let mut x = embedding(&self.latents, &repeated)?; // (N * M, D_v)
        for layer in &self.layers {
            x = (&x + self.attend(layer, &x, &images.rows, &plan)?)?;
            let fed = layer.ff.forward(&layer.ff_norm.forward(&x)?)?;
            x = (x + fed)?;
        }
        let offsets = (0..=num_images).map(|image| image * num_latents).collect();
        Ok(Latents::new(self.norm.forward(&x)?, offsets))
    }

    fn attend(
        &self,
        layer: &ResamplerLayer,
        x: &Tensor,
        image_rows: &Tensor,
        plan: &Plan,
    ) -> Result<Tensor> {
        let latents = layer.latent_norm.forward(x)?; // (N * M, D_v)
        let rows = layer.image_norm.forward(image_rows)?; // (P, D_v)
        let seen = embedding(&Tensor::cat(&[&rows, &latents], 0)?, &plan.order)?; // (P + N * M, D_v)
        let split = |t: Tensor| {
            let (rows, _) = t.dims2()?;
            t.reshape((rows, self.num_heads, self.head_dim))
        };
        let mut query = split(layer.query.forward(&latents)?)?; // (N * M, H, K)
        let mut key = split(layer.key.forward(&seen)?)?; // (P + N * M, H, K)
        let value = split(layer.value.forward(&seen)?)?;
        if let Some((query_norm, key_norm)) = &layer.qk_norm {
            (query, key) = (query_norm.forward(&query)?, key_norm.forward(&key)?);
        }
        let scale = (self.head_dim as f32).sqrt().recip();
        let mixed = attention(&query, &key, &value, &plan.ranges, scale, self.precision)?; // (N * M, H, K)
        layer.output.forward(&mixed.flatten_from(1)?) // (N * M, D_v)
    }
}

/// Order in which image rows and latents lie as keys (each image's rows, then its latents), and
/// what each latent sees of them.
struct Plan {
    order: Vec<u32>,
    ranges: KeyRanges,
}

impl Plan {
    fn new(offsets: &[usize], num_latents: usize) -> Self {
        let num_rows = offsets.last().copied().unwrap_or(0);
        let mut order = Vec::new();
        let mut ranges = Vec::new();
        for (image, span) in offsets.windows(2).enumerate() {
            let from = order.len() as u32;
            order.extend(span[0] as u32..span[1] as u32);
            let first = num_rows + image * num_latents;
            order.extend(first as u32..(first + num_latents) as u32);
            ranges.extend((0..num_latents).map(|_| (from, order.len() as u32)));
        }
        Self {
            order,
            ranges: KeyRanges::new(ranges),
        }
    }
}
