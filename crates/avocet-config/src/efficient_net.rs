//! Shape of EfficientNet-Lite, a convolutional classifier whose features can be a vision tower.

use serde::{Deserialize, Serialize};

use crate::check::{LARGEST_SIZE, layers, product, refuse, size};
use crate::error::ConfigError;

/// Largest factor by which a block widens its channels.
const LARGEST_EXPAND: usize = 16;

/// Shape of EfficientNet-Lite (arXiv:1905.11946; Lite leaves out squeeze-excite, has ReLU6 for swish,
/// and does not scale the stem and the head).
///
/// Sizes differ by their lists of stages alone, in which widths and depths are written out:
/// [`EfficientNetConfig::lite`] has those that were published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EfficientNetConfig {
    /// Side of a picture in pixels.
    pub image_size: usize,
    /// Channels after the first convolution, 3 x 3 of stride 2.
    pub stem_dim: usize,
    /// Width of a feature row, after the last convolution.
    pub head_dim: usize,
    /// Classes that the network tells apart.
    pub num_classes: usize,
    /// The stages, in order.
    pub stages: Vec<EfficientNetStage>,
}

/// Blocks of one width: 1 x 1 convolution to `expand` times as many channels, depthwise convolution,
/// 1 x 1 convolution to `dim` (inverted residuals, arXiv:1801.04381).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EfficientNetStage {
    /// Side of the depthwise kernels, 3 or 5.
    pub kernel: usize,
    /// Stride of the first block's depthwise convolution, 1 or 2; that of the others is 1.
    pub stride: usize,
    /// How many times wider than its input a block is inside; 1 has no convolution for it.
    pub expand: usize,
    /// Channels that a block gives.
    pub dim: usize,
    /// Number of blocks.
    pub num_blocks: usize,
}

/// One block of the network, as its stage makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EfficientNetBlock {
    /// Side of the depthwise kernel.
    pub kernel: usize,
    /// Stride of the depthwise convolution.
    pub stride: usize,
    /// Channels of the input.
    pub inputs: usize,
    /// Channels inside.
    pub inner: usize,
    /// Channels of the output.
    pub outputs: usize,
}

impl EfficientNetBlock {
    /// Whether the first convolution is there.
    pub fn expands(&self) -> bool {
        self.inner != self.inputs
    }

    /// Whether the input is added to the output.
    pub fn is_residual(&self) -> bool {
        self.stride == 1 && self.inputs == self.outputs
    }
}

impl EfficientNetConfig {
    /// The published EfficientNet-Lite of this number, 0 to 4.
    pub fn lite(number: usize) -> Option<Self> {
        const PUBLISHED: [&str; 5] = [
            include_str!("../../../assets/configs/efficient-net/lite0.toml"),
            include_str!("../../../assets/configs/efficient-net/lite1.toml"),
            include_str!("../../../assets/configs/efficient-net/lite2.toml"),
            include_str!("../../../assets/configs/efficient-net/lite3.toml"),
            include_str!("../../../assets/configs/efficient-net/lite4.toml"),
        ];
        let text = PUBLISHED.get(number)?;
        Some(Self::from_toml(text).expect("the presets are read by the tests"))
    }

    /// Reads and validates the shape of a network by itself.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text)?;
        config.validate()?;
        Ok(config)
    }

    /// Writes the shape so that [`EfficientNetConfig::from_toml`] reads the same.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("the structs hold nothing that TOML cannot write")
    }

    /// Every block, in order.
    pub fn blocks(&self) -> Vec<EfficientNetBlock> {
        let mut inputs = self.stem_dim;
        let mut blocks = Vec::new();
        for stage in &self.stages {
            for index in 0..stage.num_blocks {
                blocks.push(EfficientNetBlock {
                    kernel: stage.kernel,
                    stride: if index == 0 { stage.stride } else { 1 },
                    inputs,
                    inner: inputs * stage.expand,
                    outputs: stage.dim,
                });
                inputs = stage.dim;
            }
        }
        blocks
    }

    /// Channels of the last block, which the head's convolution widens to `head_dim`.
    pub fn last_dim(&self) -> usize {
        self.stages.last().map_or(self.stem_dim, |stage| stage.dim)
    }

    /// Rows and columns of features: each stride halves the side, rounded up.
    pub fn side(&self) -> usize {
        let stem = self.image_size.div_ceil(2);
        let strides = self.stages.iter().map(|stage| stage.stride.max(1));
        strides.fold(stem, |side, stride| side.div_ceil(stride))
    }

    /// Feature rows of a picture.
    pub fn num_rows(&self) -> usize {
        self.side() * self.side()
    }

    /// Numbers that a picture takes at most at once: its pixels as patch and as rows, or what goes
    /// into a convolution and what comes out.
    pub fn largest_activations(&self) -> usize {
        let mut side = self.image_size.div_ceil(2);
        let mut most = self.image_size * self.image_size * 6 + side * side * self.stem_dim;
        for block in self.blocks() {
            let wide = side * side * block.inner;
            let expanded = side * side * block.inputs + wide;
            side = side.div_ceil(block.stride);
            // The input of a residual block is kept.
            let kept = expanded - wide;
            most = most.max(kept + wide + side * side * block.inner);
        }
        most.max(side * side * (self.last_dim() + self.head_dim))
    }

    /// Forward work of a picture's features: two for each multiplication.
    pub(crate) fn flops(&self) -> f64 {
        let mut side = self.image_size.div_ceil(2);
        let pixels = |side: usize| (side * side) as f64;
        let mut sum = pixels(side) * (27 * self.stem_dim) as f64;
        for block in self.blocks() {
            if block.expands() {
                sum += pixels(side) * (block.inputs * block.inner) as f64;
            }
            side = side.div_ceil(block.stride);
            let taps = block.kernel * block.kernel;
            sum += pixels(side) * (block.inner * (taps + block.outputs)) as f64;
        }
        2.0 * (sum + pixels(side) * (self.last_dim() * self.head_dim) as f64)
    }

    /// Errors if a field is out of range; the error names it.
    pub fn validate(&self) -> Result<(), ConfigError> {
        size("efficient_net.image_size", self.image_size)?;
        size("efficient_net.stem_dim", self.stem_dim)?;
        size("efficient_net.head_dim", self.head_dim)?;
        size("efficient_net.num_classes", self.num_classes)?;
        layers("efficient_net.stages", self.stages.len())?;
        for stage in &self.stages {
            if !matches!(stage.kernel, 3 | 5) {
                let reason = format!("is {}, must be 3 or 5", stage.kernel);
                return refuse("efficient_net.stages.kernel", reason);
            }
            if !matches!(stage.stride, 1 | 2) {
                let reason = format!("is {}, must be 1 or 2", stage.stride);
                return refuse("efficient_net.stages.stride", reason);
            }
            if stage.expand == 0 || stage.expand > LARGEST_EXPAND {
                let reason = format!("is {}, must be 1 to {LARGEST_EXPAND}", stage.expand);
                return refuse("efficient_net.stages.expand", reason);
            }
            size("efficient_net.stages.dim", stage.dim)?;
            layers("efficient_net.stages.num_blocks", stage.num_blocks)?;
        }
        let depth = self.stages.iter().map(|stage| stage.num_blocks).sum();
        layers("efficient_net.stages.num_blocks, together", depth)?;
        const FIELD: &str = "efficient_net.image_size";
        let mut side = self.image_size.div_ceil(2);
        product(FIELD, &[side, side, self.stem_dim], LARGEST_SIZE)?;
        for block in self.blocks() {
            product(FIELD, &[side, side, block.inner], LARGEST_SIZE)?;
            side = side.div_ceil(block.stride);
            product(FIELD, &[side, side, block.outputs], LARGEST_SIZE)?;
        }
        product(FIELD, &[side, side, self.head_dim], LARGEST_SIZE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The stages of size 0, and how the others are made of them.
    fn scaled(width: f64, depth: f64, image_size: usize) -> EfficientNetConfig {
        let mut config = EfficientNetConfig::lite(0).unwrap();
        config.image_size = image_size;
        let last = config.stages.len() - 1;
        for (index, stage) in config.stages.iter_mut().enumerate() {
            let exact = stage.dim as f64 * width;
            let mut dim = ((exact + 4.0) as usize / 8 * 8).max(8);
            if (dim as f64) < 0.9 * exact {
                dim += 8;
            }
            stage.dim = dim;
            if index != 0 && index != last {
                stage.num_blocks = (stage.num_blocks as f64 * depth).ceil() as usize;
            }
        }
        config
    }

    #[test]
    fn published_sizes_are_the_first_with_the_multipliers_applied() {
        let published = [
            (1.0, 1.0, 224),
            (1.0, 1.1, 240),
            (1.1, 1.2, 260),
            (1.2, 1.4, 280),
            (1.4, 1.8, 300),
        ];
        for (number, (width, depth, image_size)) in published.into_iter().enumerate() {
            let lite = EfficientNetConfig::lite(number).unwrap();
            assert_eq!(lite, scaled(width, depth, image_size), "lite{number}");
            assert_eq!(
                EfficientNetConfig::from_toml(&lite.to_toml()).unwrap(),
                lite
            );
        }
        assert_eq!(EfficientNetConfig::lite(5), None);
    }

    #[test]
    fn lite0_has_the_published_features_and_work() {
        let lite = EfficientNetConfig::lite(0).unwrap();
        assert_eq!(
            (lite.num_rows(), lite.head_dim, lite.blocks().len()),
            (49, 1280, 16)
        );
        // 407 million multiplications by the authors' table, with those of 1.28 million by the
        // classifier and of what norms and pooling take.
        let millions = lite.flops() / 2e6;
        assert!((370.0..407.0).contains(&millions), "{millions}");
    }

    #[test]
    fn what_cannot_work_is_refused_by_the_name_of_its_field() {
        type Change = fn(&mut EfficientNetConfig);
        let wrong: [(&str, Change); 6] = [
            ("image_size", |c| c.image_size = 0),
            ("image_size", |c| c.image_size = 1 << 20),
            ("kernel", |c| c.stages[1].kernel = 4),
            ("stride", |c| c.stages[1].stride = 3),
            ("expand", |c| c.stages[1].expand = 0),
            ("num_blocks", |c| c.stages[1].num_blocks = 1 << 40),
        ];
        for (field, change) in wrong {
            let mut config = EfficientNetConfig::lite(0).unwrap();
            change(&mut config);
            let error = config.validate().unwrap_err().to_string();
            assert!(error.contains(field), "{error}");
        }
    }
}
