//! `avocet eval`: how good a model is, by its answers or by what it makes of texts.

mod against;
mod answers;
mod args;
mod calibrate;
mod group;
mod page;
mod texts;

use anyhow::Result;
use avocet_train::eval::Task;

pub use args::EvalArgs;

use crate::input::model;

/// Measures what the task asks for.
pub fn run(args: &EvalArgs) -> Result<()> {
    let load = || model::load(&args.model, &args.settings);
    if !args.calibrate.is_empty() {
        return calibrate::run(args, &load()?);
    }
    if let Some(other) = &args.against {
        return against::run(args, other);
    }
    match args.task().to_str() {
        Some("loss") => texts::losses(args, &load()?),
        Some("memorisation") => texts::memorisation(args, &load()?),
        _ => match Task::group(args.task()) {
            Some(sets) => {
                group::check(args)?;
                group::run(args, &sets, &load()?)
            }
            None => answers::run(args),
        },
    }
}
