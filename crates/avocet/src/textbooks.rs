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
    data::made(&args.run.output, &manifest)
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
