//! The network: a mixture-of-experts decoder that sees images through gated cross-attention.
//!
//! ```text
//! Images --tower--> one row a patch --resampler (may be absent)--> Latents
//! TextBatch --decoder--> at some layers: cross_attention(rows, Latents); then self_attention, moe
//!           --final norm--> Decoded.hidden --head--> logits
//! ```
//!
//! Everything is packed: texts, and the patches and latents of images, lie one after another with
//! no padding, and `offsets` (count + 1 of them) say where each begins (NaViT, arXiv:2307.06304).
//!
//! Shapes: S packed rows, T packed text tokens, P packed patches, M latents of an image, D width
//! (D_v in the vision tower), H heads, KV key/value heads, K head width, E experts, F feed-forward
//! width, V vocabulary. Weights are (out, in), and a weight's name in a checkpoint is its field
//! path in Rust.
//!
//! The constructors never read weight data, which is how [`ParameterCount`] counts models far
//! larger than memory with the very code that builds small ones.

#![forbid(unsafe_code)]

mod blockwise;
mod builder;
mod cache;
mod clip;
mod concepts;
mod count;
mod cross_attention;
mod decoder;
mod efficient_net;
mod feed_forward;
#[cfg(test)]
mod fixture;
mod image_keys;
mod init;
mod input;
mod learned_block;
mod model;
mod moe;
mod norm;
mod parameter;
mod position;
mod projection;
mod recogniser;
mod resampler;
mod seeded;
mod self_attention;
mod stem;
mod step;
mod tiled;
mod tower;
mod vision;

pub use avocet_kernels::StepRows;
pub use blockwise::{BlockwiseForward, Decoded};
pub use builder::{Builder, Parameters};
pub use cache::KvCache;
pub use clip::ClipEncoder;
pub use concepts::{Glance, NameSort, SpelledName};
pub use count::{
    ParameterCount, Part, efficient_net_specs, encoder_shapes, parameter_shapes, parameter_specs,
};
pub use cross_attention::{CrossAttentionCache, CrossKv, GatedCrossAttention};
pub use decoder::{Decoder, DecoderLayer};
pub use efficient_net::EfficientNet;
pub use feed_forward::FeedForward;
pub use image_keys::ImageKeys;
pub use input::{Images, Latents, TextBatch, only};
pub use learned_block::LearnedBlock;
pub use model::VisionLanguageModel;
pub use moe::{Experts, MixtureOfExperts, Router, RouterStats};
pub use norm::Norm;
pub use parameter::{Init, ParameterSpec, Role};
pub use projection::Projection;
pub use recogniser::{RECOGNISER, Recogniser};
pub use resampler::PerceiverResampler;
pub use seeded::seeded;
pub use self_attention::{Positions, SelfAttention};
pub use stem::Stem;
pub use step::TextStep;
pub use tiled::TiledEncoder;
pub use tower::Tower;
pub use vision::{VisionBlock, VisionEncoder};
