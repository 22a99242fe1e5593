//! What crosses crates: one binary, one module a subject.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bench_families;
mod caption;
mod cli;
mod cli_files;
mod clips;
mod command;
mod datasets;
mod doctor;
mod engine;
mod eval_texts;
mod finetune;
mod formulas;
mod golden_families;
mod golden_kernels;
mod golden_model;
mod graft;
mod hdr_video;
mod hostile_families;
mod hostile_gguf;
mod hostile_input;
mod hostile_video;
mod metrics;
mod names;
mod overfit;
mod pages;
mod pictures;
mod pipelines;
mod plan;
mod public_models;
mod quantised;
mod resume;
mod sound_files;
mod sources;
mod split_gguf;
mod system_limits;
mod tables;
mod textbooks;
mod tidy;
mod tiny_model;
mod transcripts;
mod typed_text;
mod variable_rate;
mod video_files;
mod video_samples;
