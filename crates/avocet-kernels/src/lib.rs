//! Fused, differentiable operations for the network's towers.
//!
//! Each operation takes candle tensors. On the CPU it is one custom op with a hand-written
//! backward; on any other device it is composed from differentiable candle ops, and those
//! composed forms are also what the tests compare against.
//!
//! Shapes: S packed rows, D width, H heads, K head width, E experts, F feed-forward width,
//! V vocabulary, I and O the inputs and outputs of a linear layer.
//!
//! Results never depend on the number of threads: work is cut into chunks of fixed size.

mod activation;
mod attention;
mod conv;
mod cross_entropy;
mod ctc;
mod embedding;
mod experts;
mod gate;
#[cfg(test)]
mod gradient_check;
mod linear;
mod low_rank;
mod machine;
mod norm;
mod precision;
mod product;
mod ranges;
mod rope;
mod router;
mod simd;
mod slices;
mod stored;
mod swiglu;
mod weight;

pub use activation::{Activation, activate};
pub use attention::{
    KvPages, PagedText, alibi_slopes, attention, attention_alibi, paged_attention,
};
pub use conv::{conv2d, depthwise_conv3, patches_to_pixels};
pub use cross_entropy::cross_entropy;
pub use ctc::{ctc_frames, ctc_loss};
pub use embedding::embedding;
pub use experts::expert_ffn;
pub use gate::gated_add;
pub use linear::{linear, linear_bias};
pub use low_rank::low_rank_sum;
pub use machine::{memory_bandwidth, product_peak, product_speed};
pub use norm::{layer_norm, layer_norm_unbiased, rms_norm};
pub use precision::{Precision, product_precision, set_product_precision};
pub use ranges::KeyRanges;
pub use rope::{RopeAngles, RopeFrequencies, RopeLayout, Yarn, rope};
pub use router::{RouterKind, Routing, route, route_by, router_losses};
pub use stored::{StoredFormat, StoredMatrix, StoredRows};
pub use swiglu::{swiglu, swiglu_ffn};
pub use weight::{
    AdaptedWeight, StepRows, Weight, infer_each, infer_experts, weighted_expert_ffn,
    weighted_swiglu_ffn,
};
