//! The image tower of a model, whichever it is.

use candle_core::Result;

use crate::builder::Builder;
use crate::clip::ClipEncoder;
use crate::efficient_net::EfficientNet;
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
    /// An EfficientNet-Lite.
    EfficientNet(Box<EfficientNet>),
}

impl Tower {
    /// Makes the tower that `config` has, if it has one.
    pub fn new(config: &ModelConfig, builder: &Builder) -> Result<Option<Self>> {
        let builder = builder.pp("vision");
        Ok(if let Some(own) = &config.vision {
            Some(Self::Native(Box::new(VisionEncoder::new(own, builder)?)))
        } else if let Some(clip) = &config.clip {
            Some(Self::Clip(Box::new(ClipEncoder::new(clip, builder)?)))
        } else if let Some(tiled) = &config.tiled_vision {
            Some(Self::Tiled(Box::new(TiledEncoder::new(tiled, builder)?)))
        } else if let Some(efficient) = &config.efficient_net {
            let tower = EfficientNet::tower(efficient, builder)?;
            Some(Self::EfficientNet(Box::new(tower)))
        } else {
            None
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
            Self::EfficientNet(tower) => tower.forward(images),
        }
    }
}
