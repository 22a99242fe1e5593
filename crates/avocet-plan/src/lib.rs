//! Arithmetic of size, time, memory, failures and money: what a model costs to train and to serve,
//! before anything is spent. Knows no tensor; of this workspace only the shapes of models.
//!
//! ```
//! use avocet_plan::{Count, known_model};
//!
//! let model = known_model("llama-3-405b").expect("it is known");
//! assert_eq!(Count::of(&model).total() / 1_000_000_000, 405);
//! ```

mod claim;
mod configured;
mod count;
pub mod described;
mod described_data;
mod described_serving;
mod error;
mod failures;
mod figure;
mod gpu;
mod known;
mod layer;
mod layout;
pub mod machine;
mod memory;
mod model;
pub mod published;
mod search;
mod serve_layout;
mod serving;
mod serving_layer;
mod speculation;
mod step;
mod sweep;
pub mod text;
mod training;

pub use count::{Count, image_flops, matrix_work, score_flops};
pub use described_serving::{planned_claims, serving_claims};
pub use error::{PlanError, Result};
pub use failures::{CHECKPOINT_S, Failures, GPU_HOURS_A_FAILURE, Goodput, RESTART_S};
pub use figure::Figure;
pub use gpu::{Gpu, KNOWN, Rates};
pub use known::{NAMES as KNOWN_MODELS, by_name as known_model};
pub use layer::{Kernels, LayerTime, Seconds, Workload, layer_time};
pub use layout::{Cluster, Layout, Recompute, Sharding};
pub use memory::{Held, Memory, RESERVED, held, layer_activations, memory};
pub use model::{Attention, CrossAttention, FeedForward, Mixture, ModelShape, Resampler, Vision};
pub use search::{Fixed, Found, Search, search};
pub use serve_layout::{KvSplit, ServeLayout};
pub use serving::{Decode, Prefill, ServeMemory, decode, prefill, serve_figures, serve_memory};
pub use serving_layer::LayerSeconds;
pub use speculation::{Draft, Speculation, speculate};
pub use step::{Step, step};
pub use sweep::{batches, cost_against_days, latency_against_batch, mfu_against_layout};
pub use training::{Ramp, RampPlan, Run, TrainingTask, run, run_figures};
