//! The towers of CLIP's kin: one square picture, learned positions.

use avocet_kernels::KeyRanges;
use candle_core::{Result, Tensor, bail};

use crate::builder::Builder;
use crate::init;
use crate::input::{Images, Latents};
use crate::learned_block::{BlockShape, LearnedBlock};
use crate::norm::Norm;
use crate::projection::Projection;
use avocet_config::{ClipConfig, NormKind};

const RGB: usize = 3;

/// A vision transformer over square pictures of one size.
///
/// ViT, arXiv:2010.11929; CLIP, arXiv:2103.00020, adds a norm before the first block; SigLIP,
/// arXiv:2303.15343, has no class row.
#[derive(Debug, Clone)]
pub struct ClipEncoder {
    patch: Projection,
    class_token: Option<Tensor>,
    positions: Tensor,
    pre_norm: Option<Norm>,
    blocks: Vec<LearnedBlock>,
    post_norm: Option<Norm>,
    keep_class: bool,
    side: usize,
}

impl ClipEncoder {
    /// Makes the tower.
    pub fn new(config: &ClipConfig, builder: Builder) -> Result<Self> {
        let inputs = RGB * config.patch_size * config.patch_size;
        let rows = config.num_patches() + usize::from(config.class_token);
        let shape = BlockShape {
            dim: config.dim,
            num_heads: config.num_heads,
            ff_dim: config.ff_dim,
            num_layers: config.num_layers,
            eps: config.norm_eps,
            ff: config.ff,
            attention_bias: true,
            gated: false,
        };
        let norm = |name| Norm::new(NormKind::Layer, config.dim, config.norm_eps, &builder, name);
        let class = || init::positions(&builder, (1, config.dim), "class_token");
        let blocks = builder.pp("blocks");
        let block = |index| LearnedBlock::new(&shape, blocks.pp(index));
        Ok(Self {
            patch: Projection::new((config.dim, inputs), config.patch_bias, &builder, "patch")?,
            class_token: config.class_token.then(class).transpose()?,
            positions: init::positions(&builder, (rows, config.dim), "positions")?,
            pre_norm: config.pre_norm.then(|| norm("pre_norm")).transpose()?,
            blocks: (0..config.num_layers).map(block).collect::<Result<_>>()?,
            post_norm: config.post_norm.then(|| norm("post_norm")).transpose()?,
            keep_class: config.keep_class,
            side: config.image_size / config.patch_size,
        })
    }

    /// Maps images to one row (D_v) a patch, after the class row if that is kept.
    ///
    /// Errors if an image is not of the tower's size.
    pub fn forward(&self, images: &Images) -> Result<Latents> {
        let side = self.side;
        if let Some((rows, cols)) = images.grids.iter().find(|grid| **grid != (side, side)) {
            bail!("an image of {rows} x {cols} patches, but the tower sees {side} x {side}");
        }
        let (num_images, num_patches) = (images.grids.len(), side * side);
        let patches = self.patch.forward(&images.patches)?; // (N * P, D_v)
        let (total, dim) = patches.dims2()?;
        if total != num_images * num_patches {
            bail!("{num_images} images of {num_patches} patches, but there are {total} patches");
        }
        let mut x = patches.reshape((num_images, num_patches, dim))?;
        if let Some(class) = &self.class_token {
            let class = class.unsqueeze(0)?.expand((num_images, 1, dim))?;
            x = Tensor::cat(&[class, x], 1)?;
        }
        let rows = x.dim(1)?;
        let mut x = x
            .broadcast_add(&self.positions)?
            .reshape((num_images * rows, dim))?; // (N * rows, D_v)
        if let Some(norm) = &self.pre_norm {
            x = norm.forward(&x)?;
        }
        let offsets: Vec<usize> = (0..=num_images).map(|image| image * rows).collect();
        let ranges = KeyRanges::within(&offsets);
        for block in &self.blocks {
            x = block.forward(&x, &ranges)?;
        }
        if let Some(norm) = &self.post_norm {
            x = norm.forward(&x)?;
        }
        if self.class_token.is_none() || self.keep_class {
            return Ok(Latents::new(x, offsets));
        }
        let x = x
            .reshape((num_images, rows, dim))?
            .narrow(1, 1, num_patches)?
            .reshape((num_images * num_patches, dim))?;
        let offsets = (0..=num_images).map(|image| image * num_patches).collect();
        Ok(Latents::new(x, offsets))
    }
}
