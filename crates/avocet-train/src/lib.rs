//! Training: parameters, optimizer, schedules, checkpoints, the loop, and what it measures.
//!
//! A TOML file lists stages ([`config`]); each stage starts from a model folder, the stage before
//! or fresh values (`params`), reads a mixture of data sources, and trains what it selects.
//!
//! ```text
//! config --start--> model, tokenizer, first values --> learner (model, objective, optimizer)
//! data   --feed---> micro-batches of a step ---------> forward_backward, reduce, update
//!                                                      --> metrics, checkpoint
//! ```

mod auxiliary;
mod base_model;
mod best_values;
pub mod checkpoint;
mod concept_start;
pub mod config;
mod contrast;
mod data_seen;
mod error;
pub mod eval;
mod feed;
mod figures;
mod gradients;
mod imagined;
mod learner;
pub mod memory;
mod meter;
pub mod metrics;
mod objective;
mod optimizer;
mod params;
mod patch_groups;
mod patience;
mod pattern;
mod progress;
mod recogniser_init;
mod recognising;
mod reduce;
pub mod report;
pub mod schedule;
mod stage_init;
pub mod step_bench;
mod trainer;

pub use base_model::BaseModel;
pub use config::{LoraConfig, StageConfig, StageKind, TrainConfig};
pub use error::{Result, TrainError};
pub use figures::{Figures, StepReport, StepWork};
pub use gradients::Gradients;
pub use learner::Learner;
pub use optimizer::{AdamW, AdamWConfig};
pub use params::{Param, Params, Selection};
pub use reduce::{OneProcess, Reduce, StepTotals};
pub use report::{compare, report};
pub use step_bench::{StepBench, step_bench};
pub use trainer::{Outcome, TrainOptions, finetune, stop_on_interrupt, train};
