//! Shapes of the vision towers: our own, and those of public models.

use serde::{Deserialize, Serialize};

use crate::check::{
    LARGEST_SIZE, below, divides, is_default, layers, multiple, positive, product, refuse, size,
};
use crate::error::ConfigError;
use crate::kinds::FeedForwardKind;

/// Shape of the vision encoder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VisionConfig {
    /// Patch side in pixels.
    pub patch_size: usize,
    /// Most patches an image is cut into.
    pub max_patches: usize,
    /// Width of a patch's vector.
    pub dim: usize,
    /// Number of transformer blocks.
    pub num_layers: usize,
    /// Attention heads, of `dim / num_heads` each, a multiple of 4.
    pub num_heads: usize,
    /// Hidden width of a block's SwiGLU feed-forward.
    pub ff_dim: usize,
    /// Base of the two-dimensional rotary frequencies.
    pub rope_theta: f64,
    /// Added to the mean square inside every RMS norm.
    pub norm_eps: f64,
    /// Whether each block also has a 3 x 3 depthwise convolution over the patches.
    pub depthwise: bool,
    /// What turns pixels into one vector a patch.
    pub stem: StemConfig,
}

/// What turns pixels into one vector a patch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum StemConfig {
    /// One linear map of the patch's pixels.
    Linear,
    /// 3 x 3 convolutions of stride 2; 2 to the power of their number is the patch size.
    Conv {
        /// Channels after each convolution; the last is the tower's `dim`.
        channels: Vec<usize>,
    },
}

/// Shape of a vision transformer over square pictures of one size, with learned positions: CLIP
/// (arXiv:2103.00020), SigLIP (arXiv:2303.15343), and the towers of IDEFICS and OpenFlamingo.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClipConfig {
    /// Side of a picture in pixels.
    pub image_size: usize,
    /// Side of a patch in pixels; must divide `image_size`.
    pub patch_size: usize,
    /// Width of a patch's vector.
    pub dim: usize,
    /// Number of transformer blocks.
    pub num_layers: usize,
    /// Attention heads, of `dim / num_heads` each.
    pub num_heads: usize,
    /// Hidden width of a block's feed-forward.
    pub ff_dim: usize,
    /// Added to the variance inside every layer norm.
    pub norm_eps: f64,
    /// The kind of the feed-forward.
    pub ff: FeedForwardKind,
    /// Whether the patches' linear map has a bias.
    #[serde(default, skip_serializing_if = "is_default")]
    pub patch_bias: bool,
    /// Whether a learned row stands before the patches.
    #[serde(default, skip_serializing_if = "is_default")]
    pub class_token: bool,
    /// Whether that row is handed on with the patches.
    #[serde(default, skip_serializing_if = "is_default")]
    pub keep_class: bool,
    /// Whether the rows are normalised before the first block.
    #[serde(default, skip_serializing_if = "is_default")]
    pub pre_norm: bool,
    /// Whether the rows are normalised after the last block.
    #[serde(default, skip_serializing_if = "is_default")]
    pub post_norm: bool,
}

/// Shape of Mllama's vision tower: a picture is cut into square tiles that see one another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TiledVisionConfig {
    /// Side of a tile in pixels.
    pub image_size: usize,
    /// Side of a patch in pixels; must divide `image_size`.
    pub patch_size: usize,
    /// Most tiles of a picture; all are computed, those a picture lacks as blank ones.
    pub max_tiles: usize,
    /// Width of a patch's vector.
    pub dim: usize,
    /// Number of local blocks.
    pub num_layers: usize,
    /// Number of gated blocks after them.
    pub num_global_layers: usize,
    /// Attention heads, of `dim / num_heads` each.
    pub num_heads: usize,
    /// Hidden width of a block's feed-forward.
    pub ff_dim: usize,
    /// Added to the variance inside every layer norm.
    pub norm_eps: f64,
    /// The kind of the feed-forward.
    pub ff: FeedForwardKind,
    /// Local blocks whose input is handed on beside the tower's output.
    pub intermediate_layers: Vec<usize>,
    /// Shapes that tiles are laid in, (down, across); the place of one, counted from 1, is its id.
    pub arrangements: Vec<(usize, usize)>,
    /// Width of the rows handed on, after a linear map with a bias.
    pub output_dim: usize,
}

impl VisionConfig {
    /// Width of one attention head.
    pub fn head_dim(&self) -> usize {
        self.dim / self.num_heads
    }

    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        size("vision.patch_size", self.patch_size)?;
        size("vision.max_patches", self.max_patches)?;
        size("vision.dim", self.dim)?;
        layers("vision.num_layers", self.num_layers)?;
        divides("vision.num_heads", self.num_heads, "vision.dim", self.dim)?;
        if !self.head_dim().is_multiple_of(4) {
            let reason = format!(
                "makes heads {} wide; rows and columns need a multiple of 4",
                self.head_dim()
            );
            return refuse("vision.num_heads", reason);
        }
        size("vision.ff_dim", self.ff_dim)?;
        positive("vision.rope_theta", self.rope_theta)?;
        positive("vision.norm_eps", self.norm_eps)?;
        let StemConfig::Conv { channels } = &self.stem else {
            return Ok(());
        };
        const FIELD: &str = "vision.stem.conv.channels";
        for &count in channels {
            size(FIELD, count)?;
        }
        let reach = u32::try_from(channels.len())
            .ok()
            .and_then(|n| 2usize.checked_pow(n));
        if reach != Some(self.patch_size) {
            let reason = format!(
                "{} convolutions of stride 2 do not make one row of a patch {} pixels wide",
                channels.len(),
                self.patch_size
            );
            return refuse(FIELD, reason);
        }
        match channels.last() {
            Some(&last) if last != self.dim => refuse(
                FIELD,
                format!("the last is {last}, but vision.dim is {}", self.dim),
            ),
            Some(_) => Ok(()),
            None => refuse(FIELD, "is empty".into()),
        }
    }
}

impl ClipConfig {
    /// Patches of a picture.
    pub fn num_patches(&self) -> usize {
        let side = self.image_size / self.patch_size;
        side * side
    }

    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        multiple("clip.image_size", self.image_size, self.patch_size.max(1))?;
        size("clip.patch_size", self.patch_size)?;
        let pixels = [self.image_size, self.image_size];
        product("clip.image_size", &pixels, LARGEST_SIZE)?;
        size("clip.dim", self.dim)?;
        layers("clip.num_layers", self.num_layers)?;
        divides("clip.num_heads", self.num_heads, "clip.dim", self.dim)?;
        size("clip.ff_dim", self.ff_dim)?;
        positive("clip.norm_eps", self.norm_eps)?;
        if self.keep_class && !self.class_token {
            return refuse("clip.keep_class", "is set without class_token".into());
        }
        Ok(())
    }
}

impl TiledVisionConfig {
    /// Patches of a tile.
    pub fn num_patches(&self) -> usize {
        let side = self.image_size / self.patch_size;
        side * side
    }

    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        multiple(
            "tiled_vision.image_size",
            self.image_size,
            self.patch_size.max(1),
        )?;
        size("tiled_vision.patch_size", self.patch_size)?;
        layers("tiled_vision.max_tiles", self.max_tiles)?;
        product(
            "tiled_vision.max_tiles * image_size * image_size",
            &[self.max_tiles, self.image_size, self.image_size],
            LARGEST_SIZE,
        )?;
        size("tiled_vision.dim", self.dim)?;
        layers("tiled_vision.num_layers", self.num_layers)?;
        layers("tiled_vision.num_global_layers", self.num_global_layers)?;
        divides(
            "tiled_vision.num_heads",
            self.num_heads,
            "tiled_vision.dim",
            self.dim,
        )?;
        size("tiled_vision.ff_dim", self.ff_dim)?;
        positive("tiled_vision.norm_eps", self.norm_eps)?;
        size("tiled_vision.output_dim", self.output_dim)?;
        below(
            "tiled_vision.intermediate_layers",
            &self.intermediate_layers,
            self.num_layers,
        )?;
        const FIELD: &str = "tiled_vision.arrangements";
        for &(down, across) in &self.arrangements {
            let tiles = down.saturating_mul(across);
            if tiles == 0 || tiles > self.max_tiles {
                let reason = format!("{down} x {across} tiles, must be 1 to {}", self.max_tiles);
                return refuse(FIELD, reason);
            }
        }
        layers(FIELD, self.arrangements.len())
    }
}
