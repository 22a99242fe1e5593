//! Arithmetic of size, time, memory, failures and money: what a model costs to train and to serve,
//! before anything is spent. Knows no tensor and no other crate of this workspace.

mod count;
mod error;
mod figure;
mod gpu;
mod known;
mod layer;
mod layout;
mod memory;
mod model;
pub mod published;
mod step;

pub use count::{Count, image_flops, matrix_work, score_flops, training_flops};
pub use error::{PlanError, Result};
pub use figure::Figure;
pub use gpu::{Gpu, KNOWN, Rates};
pub use known::{NAMES as KNOWN_MODELS, by_name as known_model};
pub use layer::{Kernels, LayerTime, Seconds, Workload, layer_time};
pub use layout::{Cluster, Layout, Recompute, Sharding};
pub use memory::{Held, Memory, OPTIMIZER_BYTES, RESERVED, held, layer_activations, memory};
pub use model::{
    Attention, CrossAttention, FeedForward, Mixture, ModelShape, Resampler, Vision,
};
pub use step::{Step, step};
