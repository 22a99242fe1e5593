//! `avocet data textbooks`: lends the pipeline a language model.

use std::ops::ControlFlow;

use anyhow::{Context, Result};
use avocet_infer::{Engine, InferError, SamplingOptions};
use textbooks::{Args, Ask, AskError, Model};

use crate::{data, doctor, embedded, models};

/// Makes the dataset.
pub fn run(args: &Args) -> Result<()> {
    let named = || format!("--model {}", args.model);
    let files = models::open(&args.model)?;
    doctor::warn_of_streaming(&files);
    let engine = Engine::load(&files).with_context(named)?;
    let name = &engine.config().name;
    let model = match models::place(&args.model).with_context(named)? {
        Some(path) => Model::at(name, &path)?,
        None => Model::of_bytes(name, embedded::WEIGHTS),
    };
    let manifest = textbooks::make(args, &model, &mut |ask| answer(&engine, ask))?;
    data::made(&args.output, &manifest)
}

fn answer(engine: &Engine, ask: &Ask) -> Result<String, AskError> {
    let options = SamplingOptions {
        max_tokens: ask.max_tokens,
        temperature: ask.temperature,
        top_p: ask.top_p,
        seed: ask.seed,
    };
    match engine.answer(&[], &ask.turns, &options, |_| ControlFlow::Continue(())) {
        Ok(answer) => Ok(answer.text),
        Err(InferError::TooLong { .. } | InferError::FarTooLong { .. }) => Err(AskError::TooLong),
        Err(error) => Err(AskError::Failed(error.to_string())),
    }
}
