//! What inputs give, made many at a time and written in their order.

use std::io::Write;
use std::time::Duration;

use avocet_data::shard::{Manifest, Writer};
use avocet_data::{DataError, Sample};
use indicatif::{ProgressBar, ProgressStyle};
use rayon::ThreadPool;
use rayon::prelude::*;

/// What became of an input.
#[derive(Debug)]
pub enum Outcome {
    /// It gave these.
    Samples(Vec<Sample>),
    /// It gave none, for this reason.
    Rejected(&'static str),
    /// As [`Outcome::Rejected`], with what was found in this very input.
    RejectedWith(&'static str, String),
}

/// Writes what became of the input called `name`.
///
/// Errors if a sample is inconsistent or the disk refuses.
pub fn account(writer: &mut Writer, name: &str, outcome: Outcome) -> Result<(), DataError> {
    match outcome {
        Outcome::Samples(samples) => writer.keep(name, &samples).map(drop),
        Outcome::Rejected(reason) => writer.reject(name, reason),
        Outcome::RejectedWith(reason, detail) => writer.reject_with_detail(name, reason, &detail),
    }
}

/// Those of a run's inputs that no earlier run has accounted for.
pub fn rest<'a, I>(writer: &Writer, inputs: &'a [I]) -> &'a [I] {
    let done = usize::try_from(writer.num_inputs()).unwrap_or(usize::MAX);
    inputs.get(done..).unwrap_or_default()
}

/// Accounts for the [`rest`] of the inputs in their order, `at_once` made on `pool` before they are
/// written, and finishes the dataset. The bytes depend neither on the pool nor on `at_once`.
///
/// Errors as `make` does, or if the dataset cannot be written.
pub fn in_order<I: Sync, E: Send + From<DataError>>(
    mut writer: Writer,
    inputs: &[I],
    (pool, at_once): (&ThreadPool, usize),
    name: impl Fn(&I) -> String,
    make: impl Fn(&I) -> Result<Outcome, E> + Sync,
) -> Result<Manifest, E> {
    for some in rest(&writer, inputs).chunks(at_once) {
        let made = pool.install(|| some.par_iter().map(&make).collect::<Result<Vec<_>, _>>())?;
        for (input, outcome) in some.iter().zip(made) {
            account(&mut writer, &name(input), outcome)?;
        }
    }
    Ok(writer.finish()?)
}

/// A bar that looks as `template` says (of `indicatif`), on a terminal only, for `length` inputs of
/// which `done` were accounted for before.
pub fn progress(template: &str, length: usize, done: usize) -> ProgressBar {
    let bar = ProgressBar::new(length as u64);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_position(done as u64);
    bar.reset_eta();
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}

/// A line on stderr, or an event where those are told.
pub fn say(message: &str) {
    if tracing::enabled!(tracing::Level::INFO) {
        tracing::info!("{message}");
    } else {
        // Nobody is left to tell when stderr is closed.
        let _ = writeln!(std::io::stderr(), "{message}");
    }
}
