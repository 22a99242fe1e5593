//! What a model's frozen recogniser makes of a picture, before the network is asked about it.

use avocet_checkpoint::Concepts;
use avocet_config::EfficientNetConfig;
use avocet_media::{ImageProcessor, Picture, Recognition};
use avocet_model::{Glance, Recogniser, VisionLanguageModel};
use candle_core::{Result, Tensor};

/// Looks at pictures with a model's recogniser, and says what of it the decoder is shown.
#[derive(Debug, Clone)]
pub struct Onlooker {
    recogniser: Recogniser,
    concepts: Concepts,
    processor: ImageProcessor,
    shape: EfficientNetConfig,
}

impl Onlooker {
    /// The onlooker of `model`, whose classes are `concepts`; none if it recognises nothing.
    pub fn new(model: &VisionLanguageModel, concepts: Option<Concepts>) -> Option<Self> {
        let shape = model.config().efficient_net.clone()?;
        Some(Self {
            recogniser: model.recogniser()?.clone(),
            concepts: concepts?,
            processor: ImageProcessor::efficient_net(shape.image_size),
            shape,
        })
    }

    /// What the classes are called.
    pub fn concepts(&self) -> &Concepts {
        &self.concepts
    }

    /// The recogniser itself.
    pub fn recogniser(&self) -> &Recogniser {
        &self.recogniser
    }

    /// Windows that features are pooled over, the whole counted.
    pub fn num_windows(&self) -> usize {
        self.recogniser.num_windows()
    }

    /// What it makes of the square in the middle of a picture.
    pub fn recognise(&self, picture: &Picture) -> Result<Recognition> {
        let side = self.shape.image_size;
        let planes = self.processor.patches(picture).data; // a plane a channel
        let mut pixels = Vec::with_capacity(planes.len());
        for at in 0..side * side {
            pixels.extend((0..3).map(|channel| planes[channel * side * side + at]));
        }
        let device = self.recogniser.device();
        let pixels = Tensor::from_vec(pixels, (1, side, side, 3), &device)?;
        let (features, logits) = self.recogniser.recognise(&pixels)?;
        let logits: Vec<f32> = logits.squeeze(0)?.to_vec1()?;
        Ok(Recognition::of_logits(
            features.flatten_all()?.to_vec1()?,
            &logits,
        ))
    }

    /// Logits of each of `rows` of features (n, F) that are pooled over a whole picture.
    ///
    /// Errors if the rows have another width.
    pub fn classify(&self, rows: &[f32]) -> Result<Vec<Vec<f32>>> {
        let width = self.shape.head_dim;
        let shape = (rows.len() / width, width);
        let pooled = Tensor::from_slice(rows, shape, &self.recogniser.device())?;
        self.recogniser.classify(&pooled)?.to_vec2()
    }

    /// What the decoder is shown of a recognition.
    pub fn glance(&self, recognition: &Recognition) -> Glance {
        self.concepts.glance(recognition)
    }
}
