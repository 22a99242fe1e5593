//! Training: parameters, optimizer, schedules, checkpoints, the loop, and what it measures.
//!
//! A TOML file lists stages ([`config`]); each stage starts from a model folder, the stage before
//! or fresh values ([`params`]), reads a mixture of data sources, and trains what it selects.

pub mod checkpoint;
pub mod error;
pub mod eval;
pub mod metrics;
pub mod optimizer;
pub mod params;
pub mod pattern;
pub mod schedule;

pub use error::{Result, TrainError};
pub use optimizer::{AdamW, AdamWConfig, Gradients};
pub use params::{Param, Params, Selection};
