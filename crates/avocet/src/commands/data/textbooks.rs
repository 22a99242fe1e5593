//! `avocet data textbooks`: lends the pipeline a language model.

use std::ops::ControlFlow;

use anyhow::{Context, Result};
use avocet_data::shard::Manifest;
use avocet_infer::{Engine, InferError, SamplingOptions};
use textbooks::{Args, Ask, AskError, Model};

use crate::input::{embedded, model};

/// Makes the dataset.
pub fn make(args: &Args) -> Result<Manifest> {
    let named = || format!("--model {}", args.model);
    let engine = model::engine(&model::open(&args.model)?).with_context(named)?;
    let name = &engine.config().name;
    let writer = match model::place(&args.model).with_context(named)? {
        Some(path) => Model::at(name, &path)?,
        None => Model::of_bytes(name, embedded::WEIGHTS),
    };
    let answer = &mut |ask: &Ask| answer(&engine, ask);
    Ok(textbooks::make(args, &writer, answer)?)
}

fn answer(engine: &Engine, ask: &Ask) -> Result<String, AskError> {
    let options = SamplingOptions::greedy(ask.max_tokens);
    let mut said = String::new();
    // What is asked for is the rest of a line; small models go on with another text.
    let line = |piece: &str| {
        said.push_str(piece);
        match said.contains('\n') {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    };
    match engine.complete(&ask.text, &options, line) {
        Ok(answer) => Ok(answer.text.lines().next().unwrap_or_default().to_owned()),
        Err(InferError::TooLong { .. } | InferError::FarTooLong { .. }) => Err(AskError::Unfit),
        Err(error) => Err(AskError::Failed(error.to_string())),
    }
}
