//! The network: a mixture-of-experts decoder that sees images through gated cross-attention.
//!
//! ```text
//! Images --stem, vision--> one row a patch --resampler (may be absent)--> Latents
//! TextBatch --decoder--> every k layers: cross_attention(rows, Latents); then self_attention, moe
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

mod cache;
mod config;
mod count;
mod cross_attention;
mod decoder;
#[cfg(test)]
mod fixture;
mod flops;
mod init;
mod input;
mod model;
mod moe;
mod preset;
mod resampler;
mod self_attention;
mod stem;
mod swiglu;
mod vision;

pub use cache::Cache;
pub use config::{
    ConfigError, CrossAttentionConfig, DecoderConfig, ModelConfig, MoeConfig, ResamplerConfig,
    StemConfig, VisionConfig,
};
pub use count::{ParameterCount, Part, parameter_shapes};
pub use cross_attention::{CrossKeys, GatedCrossAttention, LayerKeys};
pub use decoder::{Decoder, DecoderLayer};
pub use flops::{TRAINING_FACTOR, forward_flops, text_flops, vision_flops};
pub use init::is_trained;
pub use input::{Images, Latents, TextBatch};
pub use model::{Avocet, Decoded};
pub use moe::{Experts, MixtureOfExperts, Router, RouterStats};
pub use preset::{preset, preset_names};
pub use resampler::PerceiverResampler;
pub use self_attention::SelfAttention;
pub use stem::Stem;
pub use swiglu::SwiGlu;
pub use vision::{VisionBlock, VisionEncoder};
