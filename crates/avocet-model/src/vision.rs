//! The image tower: stem, blocks with two-dimensional rotary positions, final norm.

use std::collections::HashMap;

use avocet_kernels::{KeyRanges, RopeAngles, depthwise_conv3, rms_norm};
use candle_core::{Device, Result, Tensor, bail};

use crate::builder::Builder;
use crate::feed_forward::FeedForward;
use crate::init;
use crate::input::{Images, Latents};
use crate::self_attention::{AttentionShape, Positions, SelfAttention};
use crate::stem::Stem;
use avocet_config::{FeedForwardKind, VisionConfig};

/// A depthwise 3 x 3 convolution over the patches of each image, after a norm.
#[derive(Debug, Clone)]
struct Depthwise {
    norm: Tensor,
    weight: Tensor,
}

/// A pre-norm block: attention within the image, then (if the config has it) a depthwise
/// convolution that sees the neighbouring patches, then SwiGLU.
#[derive(Debug, Clone)]
pub struct VisionBlock {
    attention_norm: Tensor,
    attention: SelfAttention,
    depthwise: Option<Depthwise>,
    ff_norm: Tensor,
    ff: FeedForward,
    eps: f64,
}

impl VisionBlock {
    /// Makes one block of the tower.
    pub fn new(config: &VisionConfig, builder: Builder) -> Result<Self> {
        let dim = config.dim;
        let num_residual_layers = config.num_layers * if config.depthwise { 3 } else { 2 };
        let shape = AttentionShape::plain(dim, config.num_heads, num_residual_layers);
        let depthwise = || {
            let builder = builder.pp("depthwise");
            Ok::<_, candle_core::Error>(Depthwise {
                norm: init::norm(&builder, dim, "norm")?,
                weight: init::depthwise(&builder, dim, "weight", num_residual_layers)?,
            })
        };
        Ok(Self {
            attention_norm: init::norm(&builder, dim, "attention_norm")?,
            attention: SelfAttention::new(&shape, builder.pp("attention"))?,
            depthwise: config.depthwise.then(depthwise).transpose()?,
            ff_norm: init::norm(&builder, dim, "ff_norm")?,
            ff: FeedForward::new(
                FeedForwardKind::SwiGlu,
                (dim, config.ff_dim),
                false,
                num_residual_layers,
                builder.pp("ff"),
            )?,
            eps: config.norm_eps,
        })
    }

    /// Maps packed patches `x` (P, D_v) to (P, D_v).
    pub fn forward(
        &self,
        x: &Tensor,
        angles: &RopeAngles,
        ranges: &KeyRanges,
        grids: &[(usize, usize)],
    ) -> Result<Tensor> {
        let normed = rms_norm(x, &self.attention_norm, self.eps)?;
        let positions = Positions::Rotary(angles);
        let mut x = (x + self.attention.forward(&normed, positions, ranges)?)?;
        if let Some(depthwise) = &self.depthwise {
            let normed = rms_norm(&x, &depthwise.norm, self.eps)?;
            x = (&x + depthwise_conv3(&normed, &depthwise.weight, grids)?)?;
        }
        let fed = self.ff.forward(&rms_norm(&x, &self.ff_norm, self.eps)?)?;
        x + fed
    }
}

/// A vision transformer over packed images of any shape (NaViT, arXiv:2307.06304), with rotary
/// positions by row and column, and fixed waves of both added to the patches: rotary positions
/// alone are relative, and a decoder that reads a line must know which letter comes first.
#[derive(Debug, Clone)]
pub struct VisionEncoder {
    stem: Stem,
    blocks: Vec<VisionBlock>,
    norm: Tensor,
    max_patches: usize,
    head_dim: usize,
    rope_theta: f64,
    eps: f64,
}

impl VisionEncoder {
    /// Makes the tower.
    pub fn new(config: &VisionConfig, builder: Builder) -> Result<Self> {
        let blocks = builder.pp("blocks");
        let block = |index| VisionBlock::new(config, blocks.pp(index));
        Ok(Self {
            stem: Stem::new(config, builder.pp("stem"))?,
            blocks: (0..config.num_layers).map(block).collect::<Result<_>>()?,
            norm: init::norm(&builder, config.dim, "norm")?,
            max_patches: config.max_patches,
            head_dim: config.head_dim(),
            rope_theta: config.rope_theta,
            eps: config.norm_eps,
        })
    }

    /// Maps images to one row (D_v) a patch.
    ///
    /// Errors if an image is empty or has more than `max_patches` patches, or the grids and the
    /// patches disagree.
    pub fn forward(&self, images: &Images) -> Result<Latents> {
        let (num_patches, _) = images.patches.dims2()?;
        let offsets = self.offsets(&images.grids, num_patches)?;
        let positions: Vec<(u32, u32)> = images
            .grids
            .iter()
            .flat_map(|&(rows, cols)| {
                (0..rows as u32).flat_map(move |r| (0..cols as u32).map(move |c| (r, c)))
            })
            .collect();
        let angles = RopeAngles::grid(&positions, self.head_dim, self.rope_theta)?;
        let ranges = KeyRanges::within(&offsets);
        let x = self.stem.forward(&images.patches, &images.grids)?; // (P, D_v)
        let mut x = (&x + grid_waves(&positions, x.dim(1)?, self.rope_theta, x.device())?)?;
        for block in &self.blocks {
            x = block.forward(&x, &angles, &ranges, &images.grids)?;
        }
        Ok(Latents::new(rms_norm(&x, &self.norm, self.eps)?, offsets))
    }

    fn offsets(&self, grids: &[(usize, usize)], num_patches: usize) -> Result<Vec<usize>> {
        let mut offsets = vec![0];
        let mut end = 0usize;
        for (index, &(rows, cols)) in grids.iter().enumerate() {
            let patches = rows.saturating_mul(cols);
            if patches == 0 || patches > self.max_patches {
                bail!(
                    "image {index} has {rows} x {cols} patches, must be 1 to {} in all",
                    self.max_patches
                );
            }
            end += patches;
            offsets.push(end);
        }
        if end != num_patches {
            bail!("the grids hold {end} patches, but there are {num_patches}");
        }
        Ok(offsets)
    }
}

/// Fixed positions of patches (P, D_v): sine and cosine of the row in the first half of the
/// width, of the column in the second (arXiv:2104.02057, section 4); 4 divides the width.
fn grid_waves(positions: &[(u32, u32)], dim: usize, theta: f64, device: &Device) -> Result<Tensor> {
    let num_waves = dim / 4;
    let frequency = |wave| theta.powf(-(wave as f64) / num_waves as f64);
    let frequencies: Vec<f64> = (0..num_waves).map(frequency).collect();
    let mut known: HashMap<u32, Vec<f32>> = HashMap::new();
    let mut rows = Vec::with_capacity(positions.len() * dim);
    for at in positions.iter().flat_map(|&(row, column)| [row, column]) {
        let waves = known.entry(at).or_insert_with(|| {
            let angles = || frequencies.iter().map(|f| f64::from(at) * f);
            let sines = angles().map(|angle| angle.sin() as f32);
            sines.chain(angles().map(|a| a.cos() as f32)).collect()
        });
        rows.extend_from_slice(waves);
    }
    Tensor::from_vec(rows, (positions.len(), dim), device)
}
