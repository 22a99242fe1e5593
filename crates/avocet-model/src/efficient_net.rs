//! EfficientNet-Lite: a convolutional classifier, whose features can be a vision tower.

use avocet_kernels::{
    Activation, Weight, activate, conv2d_same, depthwise_conv2d_relu6, patches_to_pixels,
};
use candle_core::{DType, Result, Tensor, bail};

use crate::builder::Builder;
use crate::init;
use crate::input::{Images, Latents};
use avocet_config::{EfficientNetBlock, EfficientNetConfig};

const RGB: usize = 3;
/// Kernel side and stride of the first convolution.
const STEM: (usize, usize) = (3, 2);

/// EfficientNet-Lite (EfficientNet, arXiv:1905.11946, without squeeze-excite and with ReLU6).
///
/// The norms behind its convolutions are part of their weights and biases, as they are when it
/// only infers; who trains it trains those.
#[derive(Debug, Clone)]
pub struct EfficientNet {
    /// (stem_dim, 3 * 3 * 3)
    stem: Weight,
    stem_bias: Tensor,
    blocks: Vec<InvertedResidual>,
    head: Pointwise,
    classifier: Option<Pointwise>,
    side: usize,
    rows: usize,
}

/// A 1 x 1 convolution: a linear map of each pixel.
#[derive(Debug, Clone)]
struct Pointwise {
    /// (out, in)
    weight: Weight,
    bias: Tensor,
}

/// A block that is wide inside (MobileNetV2, arXiv:1801.04381, section 3.4).
#[derive(Debug, Clone)]
struct InvertedResidual {
    shape: EfficientNetBlock,
    expand: Option<Pointwise>,
    depthwise: Taps,
    depthwise_bias: Tensor,
    project: Pointwise,
}

impl Pointwise {
    fn new(builder: &Builder, (inputs, outputs): (usize, usize), name: &str) -> Result<Self> {
        Ok(Self {
            weight: init::large_convolution(builder, (outputs, inputs), name)?,
            bias: init::bias(builder, outputs, &format!("{name}_bias"))?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.weight.linear_bias(x, &self.bias)
    }

    fn forward_relu6(&self, x: &Tensor) -> Result<Tensor> {
        self.weight.linear_bias_relu6(x, &self.bias)
    }
}

/// Depthwise kernels (C, k * k), one channel's taps a row.
#[derive(Debug, Clone)]
enum Taps {
    /// As they learn.
    Learned(Tensor),
    /// Turned once to (k * k, C), as they are computed with.
    Turned(Tensor),
}

impl Taps {
    fn new(builder: &Builder, shape: (usize, usize), name: &str) -> Result<Self> {
        let weight = in_memory(init::large_convolution(builder, shape, name)?)?;
        let taps = weight.tensor()?;
        if taps.is_variable() {
            return Ok(Self::Learned(taps.clone()));
        }
        Ok(Self::Turned(taps.to_dtype(DType::F32)?.t()?.contiguous()?))
    }

    fn turned(&self) -> Result<Tensor> {
        match self {
            Self::Learned(taps) => taps.t()?.contiguous(),
            Self::Turned(taps) => Ok(taps.clone()),
        }
    }
}

/// The weight as numbers in memory: what is small costs little, and a window's taps are no rows that
/// a product reads.
fn in_memory(weight: Weight) -> Result<Weight> {
    if weight.is_stored() {
        let precision = weight.precision();
        return Ok(Weight::from(weight.to_tensor()?).with_precision(precision));
    }
    Ok(weight)
}

impl InvertedResidual {
    fn new(shape: EfficientNetBlock, builder: &Builder) -> Result<Self> {
        let (inputs, inner, outputs) = (shape.inputs, shape.inner, shape.outputs);
        let expand = || Pointwise::new(builder, (inputs, inner), "expand");
        Ok(Self {
            expand: shape.expands().then(expand).transpose()?,
            depthwise: Taps::new(builder, (inner, shape.kernel * shape.kernel), "depthwise")?,
            depthwise_bias: init::bias(builder, inner, "depthwise_bias")?,
            project: Pointwise::new(builder, (inner, outputs), "project")?,
            shape,
        })
    }

    /// Maps the pixels `x` (N * side * side, inputs) of N squares.
    fn forward(&self, x: &Tensor, grids: &[(usize, usize)]) -> Result<Tensor> {
        let expanded = match &self.expand {
            Some(expand) => &expand.forward_relu6(x)?, // (N * side * side, inner)
            None => x,
        };
        let inner = depthwise_conv2d_relu6(
            expanded,
            &self.depthwise.turned()?,
            &self.depthwise_bias,
            grids,
            self.shape.kernel,
            self.shape.stride,
        )?; // (N * side' * side', inner)
        let y = self.project.forward(&inner)?; // (N * side' * side', outputs)
        if self.shape.is_residual() {
            return x + y;
        }
        Ok(y)
    }
}

impl EfficientNet {
    /// Makes the whole network: features and classifier.
    pub fn new(config: &EfficientNetConfig, builder: Builder) -> Result<Self> {
        let shape = (config.head_dim, config.num_classes);
        let classifier = Pointwise::new(&builder, shape, "classifier")?;
        Ok(Self {
            classifier: Some(classifier),
            ..Self::tower(config, builder)?
        })
    }

    /// Makes the features alone, as a vision tower needs them.
    pub fn tower(config: &EfficientNetConfig, builder: Builder) -> Result<Self> {
        let window = STEM.0 * STEM.0 * RGB;
        let blocks = builder.pp("blocks");
        let shapes = config.blocks().into_iter().enumerate();
        let block = |(index, shape)| InvertedResidual::new(shape, &blocks.pp(index));
        Ok(Self {
            stem: in_memory(init::large_convolution(
                &builder,
                (config.stem_dim, window),
                "stem",
            )?)?,
            stem_bias: init::bias(&builder, config.stem_dim, "stem_bias")?,
            blocks: shapes.map(block).collect::<Result<_>>()?,
            head: Pointwise::new(&builder, (config.last_dim(), config.head_dim), "head")?,
            classifier: None,
            side: config.image_size,
            rows: config.num_rows(),
        })
    }

    /// Feature rows of a picture.
    pub fn num_rows(&self) -> usize {
        self.rows
    }

    /// The features of `pixels` (N, S, S, 3), normalised, of N pictures: (N * rows, head_dim), row
    /// by row of each picture, behind the last ReLU6.
    ///
    /// Errors if the pictures have another size.
    pub fn features(&self, pixels: &Tensor) -> Result<Tensor> {
        let (num_images, height, width, channels) = pixels.dims4()?;
        if (height, width, channels) != (self.side, self.side, RGB) {
            bail!(
                "pictures of {height} x {width} x {channels}, but the network sees {0} x {0} x 3",
                self.side
            );
        }
        self.features_of(
            &pixels.reshape((num_images * height * width, RGB))?,
            num_images,
        )
    }

    /// The same of packed pixels (N * S * S, 3).
    fn features_of(&self, pixels: &Tensor, num_images: usize) -> Result<Tensor> {
        let (kernel, stride) = STEM;
        let mut side = self.side;
        let grids = |side| vec![(side, side); num_images];
        let x = conv2d_same(
            pixels,
            &self.stem,
            &self.stem_bias,
            &grids(side),
            kernel,
            stride,
        )?;
        let mut x = activate(&x, Activation::Relu6)?; // (N * S / 2 * S / 2, stem_dim)
        side = side.div_ceil(stride);
        for block in &self.blocks {
            x = block.forward(&x, &grids(side))?;
            side = side.div_ceil(block.shape.stride);
        }
        self.head.forward_relu6(&x) // (N * rows, head_dim)
    }

    /// The mean of each picture's features (N * rows, head_dim): (N, head_dim).
    ///
    /// Errors if they are not whole pictures'.
    pub fn pooled(&self, features: &Tensor) -> Result<Tensor> {
        let (rows, dim) = features.dims2()?;
        if !rows.is_multiple_of(self.rows) {
            bail!(
                "{rows} rows of features are not pictures of {} each",
                self.rows
            );
        }
        features
            .reshape((rows / self.rows, self.rows, dim))?
            .mean(1)
    }

    /// Logits (n, num_classes) of pooled features (n, head_dim).
    ///
    /// Errors if the network was made as a tower, without a classifier.
    pub fn classify(&self, pooled: &Tensor) -> Result<Tensor> {
        match &self.classifier {
            Some(classifier) => classifier.forward(pooled),
            None => bail!("a tower has no classifier"),
        }
    }

    /// Maps images to their feature rows; each image is one patch, the whole square.
    ///
    /// Errors if an image is not of the network's size.
    pub fn forward(&self, images: &Images) -> Result<Latents> {
        if let Some((rows, cols)) = images.grids.iter().find(|grid| **grid != (1, 1)) {
            bail!("an image of {rows} x {cols} patches, but the tower sees a square as one patch");
        }
        let num_images = images.grids.len();
        let pixels = patches_to_pixels(&images.patches, &images.grids, self.side)?;
        let rows = self.features_of(&pixels, num_images)?;
        let offsets = (0..=num_images).map(|image| image * self.rows).collect();
        Ok(Latents::new(rows, offsets))
    }
}
