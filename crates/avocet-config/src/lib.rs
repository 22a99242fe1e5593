//! Shapes of models as types: widths, counts and kinds, read from TOML and checked.
//!
//! Knows no tensor and opens no file, so that a planner, a trainer and a reader of checkpoints can
//! all speak of a model without building one.
//!
//! - [`ModelConfig`]: a whole model, one struct a tower, nested.
//! - [`preset`], [`family`]: shapes that have a name.
//! - [`forward_flops`]: the work of a forward pass.

#![forbid(unsafe_code)]

mod check;
mod concepts;
mod confidence;
mod cross_attention;
mod decoder;
mod efficient_net;
mod error;
mod flops;
mod kinds;
mod model;
mod preset;
mod vision;

pub use concepts::ConceptsConfig;
pub use confidence::{AnswerKind, CalibrationConfig, ConfidenceConfig, features};
pub use cross_attention::{CrossAttentionConfig, ResamplerConfig};
pub use decoder::{AttentionConfig, DecoderConfig, MoeConfig, Multipliers, RopeConfig};
pub use efficient_net::{EfficientNetBlock, EfficientNetConfig, EfficientNetStage};
pub use error::ConfigError;
pub use flops::{TRAINING_FACTOR, forward_flops, text_flops, vision_flops};
pub use kinds::{FeedForwardKind, NormKind, QkNorm, RopeScaling, Routing, WithoutImage};
pub use model::ModelConfig;
pub use preset::{family, family_names, preset};
pub use vision::{ClipConfig, StemConfig, TiledVisionConfig, VisionConfig};
