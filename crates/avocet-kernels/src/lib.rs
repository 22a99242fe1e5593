//! Fused, differentiable operations for the network's towers.
//!
//! Each operation takes candle tensors. On the CPU it is one custom op with a hand-written
//! backward; on any other device it is composed from differentiable candle ops, and those
//! composed forms are also what the tests compare against. `fused.rs` is the frame that all of
//! them fill, and the one place that picks the form; an operation is a folder. What training does
//! with gradients (`accumulate`, `adamw`) needs no backward and writes in place.
//!
//! Shapes: S packed rows, D width, H heads, K head width, E experts, F feed-forward width,
//! V vocabulary, I and O the inputs and outputs of a linear layer.
//!
//! Results never depend on the number of threads: work is cut into chunks of fixed size.

mod accumulate;
mod activation;
mod adamw;
mod attention;
mod conv2d;
mod cross_entropy;
mod ctc;
mod depthwise_conv2d;
mod depthwise_conv3;
mod embedding;
mod experts;
mod fused;
mod gate;
#[cfg(test)]
mod gradient_check;
mod grids;
mod group_means;
mod linear;
mod low_rank;
mod norm;
mod patches_to_pixels;
mod placement;
mod rope;
mod router;
mod slices;
mod swiglu;
mod swiglu_ffn;
mod weight;

pub use accumulate::{add_into, square_sum};
pub use activation::{Activation, activate};
pub use adamw::{AdamWStep, adamw};
pub use attention::{
    KeyRanges, KvPages, PagedText, alibi_slopes, attention, attention_alibi, paged_attention,
};
pub use avocet_products::Precision;
pub use conv2d::{conv2d, conv2d_same};
pub use cross_entropy::cross_entropy;
pub use ctc::{ctc_frames, ctc_loss};
pub use depthwise_conv2d::depthwise_conv2d_relu6;
pub use depthwise_conv3::depthwise_conv3;
pub use embedding::embedding;
pub use experts::{expert_ffn, infer_experts};
pub use gate::gated_add;
pub use group_means::{RowGroups, group_means};
pub use low_rank::low_rank_sum;
pub use norm::{layer_norm, layer_norm_unbiased, rms_norm};
pub use patches_to_pixels::patches_to_pixels;
pub use placement::{HOST, Placement};
pub use rope::{RopeAngles, RopeFrequencies, RopeLayout, Yarn, rope};
pub use router::{RouterKind, Routing, route, route_by, router_losses};
pub use swiglu::swiglu;
pub use swiglu_ffn::swiglu_ffn;
pub use weight::{AdaptedWeight, StepRows, Weight, infer_each};
