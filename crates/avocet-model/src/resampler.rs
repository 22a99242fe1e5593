//! Reduces each image to a fixed number of latents.

use avocet_kernels::{KeyRanges, attention, embedding, linear, rms_norm};
use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use crate::config::{ResamplerConfig, VisionConfig};
use crate::init;
use crate::input::Latents;
use crate::swiglu::SwiGlu;

/// One layer: the latents attend to their image's rows and to one another, then SwiGLU.
#[derive(Debug, Clone)]
struct ResamplerLayer {
    image_norm: Tensor,
    latent_norm: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    output: Tensor,
    ff_norm: Tensor,
    ff: SwiGlu,
}

/// Learned queries that gather an image of any size into `num_latents` rows.
///
/// Flamingo section 3.1.1, arXiv:2204.14198: keys are the image's rows and the latents
/// themselves. Departures: RMS norms and SwiGLU; no time embedding.
#[derive(Debug, Clone)]
pub struct PerceiverResampler {
    latents: Tensor,
    layers: Vec<ResamplerLayer>,
    norm: Tensor,
    num_heads: usize,
    eps: f64,
}

impl ResamplerLayer {
    fn new(dim: usize, config: &ResamplerConfig, vb: VarBuilder) -> Result<Self> {
        let num_writers = 2 * config.num_layers;
        Ok(Self {
            image_norm: init::norm(&vb, dim, "image_norm")?,
            latent_norm: init::norm(&vb, dim, "latent_norm")?,
            query: init::matrix(&vb, (dim, dim), "query")?,
            key: init::matrix(&vb, (dim, dim), "key")?,
            value: init::matrix(&vb, (dim, dim), "value")?,
            output: init::residual(&vb, (dim, dim), "output", num_writers)?,
            ff_norm: init::norm(&vb, dim, "ff_norm")?,
            ff: SwiGlu::new(dim, config.ff_dim, num_writers, vb.pp("ff"))?,
        })
    }
}

impl PerceiverResampler {
    /// Makes the resampler of a vision tower.
    pub fn new(config: &ResamplerConfig, vision: &VisionConfig, vb: VarBuilder) -> Result<Self> {
        let layers = vb.pp("layers");
        let layer = |index| ResamplerLayer::new(vision.dim, config, layers.pp(index));
        Ok(Self {
            latents: init::rows(&vb, config.num_latents, vision.dim, "latents")?,
            layers: (0..config.num_layers).map(layer).collect::<Result<_>>()?,
            norm: init::norm(&vb, vision.dim, "norm")?,
            num_heads: config.num_heads,
            eps: vision.norm_eps,
        })
    }

    /// Maps images of any number of rows to images of `num_latents` rows each.
    pub fn forward(&self, images: &Latents) -> Result<Latents> {
        let (num_latents, dim) = self.latents.dims2()?;
        let num_images = images.num_images();
        let plan = Plan::new(&images.offsets, num_latents);
        let repeated: Vec<u32> = (0..num_images)
            .flat_map(|_| 0..num_latents as u32)
            .collect();
        let mut x = embedding(&self.latents, &repeated)?; // (N * M, D_v)
        let heads = (self.num_heads, dim / self.num_heads);
        for layer in &self.layers {
            x = (&x + self.attend(layer, &x, &images.rows, &plan, heads)?)?;
            let fed = layer.ff.forward(&rms_norm(&x, &layer.ff_norm, self.eps)?)?;
            x = (x + fed)?;
        }
        let offsets = (0..=num_images).map(|image| image * num_latents).collect();
        Ok(Latents {
            rows: rms_norm(&x, &self.norm, self.eps)?,
            offsets,
        })
    }

    fn attend(
        &self,
        layer: &ResamplerLayer,
        x: &Tensor,
        image_rows: &Tensor,
        plan: &Plan,
        (num_heads, head_dim): (usize, usize),
    ) -> Result<Tensor> {
        let latents = rms_norm(x, &layer.latent_norm, self.eps)?; // (N * M, D_v)
        let rows = rms_norm(image_rows, &layer.image_norm, self.eps)?; // (P, D_v)
        let seen = embedding(&Tensor::cat(&[&rows, &latents], 0)?, &plan.order)?; // (P + N * M, D_v)
        let split = |t: Tensor| {
            let (rows, _) = t.dims2()?;
            t.reshape((rows, num_heads, head_dim))
        };
        let query = split(linear(&latents, &layer.query)?)?; // (N * M, H, K)
        let key = split(linear(&seen, &layer.key)?)?; // (P + N * M, H, K)
        let value = split(linear(&seen, &layer.value)?)?;
        let scale = (head_dim as f32).sqrt().recip();
        let mixed = attention(&query, &key, &value, &plan.ranges, scale)?; // (N * M, H, K)
        linear(&mixed.flatten_from(1)?, &layer.output) // (N * M, D_v)
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
