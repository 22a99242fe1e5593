//! From pixels to one vector a patch.

use avocet_kernels::{Weight, conv2d, patches_to_pixels, rms_norm};
use candle_core::{Result, Tensor};

use crate::builder::Builder;
use crate::init;
use avocet_config::{StemConfig, VisionConfig};

/// Kernel side of the convolutions.
const KERNEL: usize = 3;
const STRIDE: usize = 2;
const RGB: usize = 3;

/// Turns patches of pixels into one vector a patch.
///
/// Either ViT's linear map of each patch (arXiv:2010.11929, section 3.1), or 3 x 3 convolutions
/// of stride 2 over the whole image, each but the last followed by RMS norm and SiLU
/// (arXiv:2106.14881). The latter learns to read from far fewer samples.
#[derive(Debug, Clone)]
pub enum Stem {
    /// One linear map.
    Linear {
        /// (D_v, 3 * p * p)
        weight: Weight,
        /// (D_v)
        bias: Tensor,
    },
    /// Convolutions.
    Conv {
        /// In order, the last giving D_v channels.
        convs: Vec<StemConv>,
        /// Pixels along a patch's side.
        patch_size: usize,
        /// Added to the mean square inside the norms.
        eps: f64,
    },
}

/// One convolution of the stem, with the norm that follows all but the last.
#[derive(Debug, Clone)]
pub struct StemConv {
    weight: Weight,
    bias: Tensor,
    norm: Option<Tensor>,
}

impl Stem {
    /// Makes the stem of a vision tower.
    pub fn new(config: &VisionConfig, builder: Builder) -> Result<Self> {
        let patch_size = config.patch_size;
        let channels = match &config.stem {
            StemConfig::Linear => {
                let shape = (config.dim, RGB * patch_size * patch_size);
                return Ok(Self::Linear {
                    weight: init::convolution(&builder, shape, "weight")?,
                    bias: init::bias(&builder, config.dim, "bias")?,
                });
            }
            StemConfig::Conv { channels } => channels,
        };
        let builder = builder.pp("convs");
        let inputs = [RGB].into_iter().chain(channels.iter().copied());
        let conv = |(index, (inputs, &outputs)): (usize, (usize, &usize))| {
            let builder = builder.pp(index);
            let inner = index + 1 < channels.len();
            Ok(StemConv {
                weight: init::convolution(&builder, (outputs, KERNEL * KERNEL * inputs), "weight")?,
                bias: init::bias(&builder, outputs, "bias")?,
                norm: inner
                    .then(|| init::norm(&builder, outputs, "norm"))
                    .transpose()?,
            })
        };
        let convs = inputs
            .zip(channels)
            .enumerate()
            .map(conv)
            .collect::<Result<_>>()?;
        Ok(Self::Conv {
            convs,
            patch_size,
            eps: config.norm_eps,
        })
    }

    /// Maps packed `patches` (P, 3 * p * p), in [-1, 1], of images with these `grids` of patches
    /// to (P, D_v).
    pub fn forward(&self, patches: &Tensor, grids: &[(usize, usize)]) -> Result<Tensor> {
        let (convs, patch_size, eps) = match self {
            Self::Linear { weight, bias } => return weight.linear_bias(patches, bias),
            Self::Conv {
                convs,
                patch_size,
                eps,
            } => (convs, *patch_size, *eps),
        };
        let mut x = patches_to_pixels(patches, grids, patch_size)?; // (P * p * p, 3)
        let mut side = patch_size;
        for conv in convs {
            let pixels: Vec<_> = grids.iter().map(|(r, c)| (r * side, c * side)).collect();
            x = conv2d(&x, &conv.weight, &conv.bias, &pixels, KERNEL, STRIDE)?; // (pixels / 4, C)
            if let Some(norm) = &conv.norm {
                x = rms_norm(&x, norm, eps)?.silu()?;
            }
            side /= STRIDE;
        }
        Ok(x) // (P, D_v)
    }
}
