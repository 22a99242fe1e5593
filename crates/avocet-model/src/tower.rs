//! The image tower of a model, whichever it is.

use candle_core::Result;

use crate::builder::Builder;
use crate::clip::ClipEncoder;
use crate::input::{Images, Latents};
use crate::tiled::TiledEncoder;
use crate::vision::VisionEncoder;
use avocet_config::ModelConfig;

/// What turns images into rows that text attends to.
#[derive(Debug, Clone)]
pub enum Tower {
    /// Our own.
    Native(Box<VisionEncoder>),
    /// One of CLIP's kin.
    Clip(Box<ClipEncoder>),
    /// Mllama's.
    Tiled(Box<TiledEncoder>),
}

impl Tower {
    /// Makes the tower that `config` has, if it has one.
    pub fn new(config: &ModelConfig, builder: &Builder) -> Result<Option<Self>> {
        let builder = builder.pp("vision");
        Ok(match (&config.vision, &config.clip, &config.tiled_vision) {
            (Some(own), ..) => Some(Self::Native(Box::new(VisionEncoder::new(own, builder)?))),
            (_, Some(clip), _) => Some(Self::Clip(Box::new(ClipEncoder::new(clip, builder)?))),
            (.., Some(tiled)) => Some(Self::Tiled(Box::new(TiledEncoder::new(tiled, builder)?))),
            (None, None, None) => None,
        })
    }

    /// Maps images to rows, image after image.
    ///
    /// Errors if an image does not fit the tower.
    pub fn forward(&self, images: &Images) -> Result<Latents> {
        match self {
            Self::Native(tower) => tower.forward(images),
            Self::Clip(tower) => tower.forward(images),
            Self::Tiled(tower) => tower.forward(images),
        }
    }
}
