//! The `avocet` command line: parse, wire, print.
//!
//! Results go to stdout, everything else to stderr. Exit code 0 is done, 1 that the input or the
//! work failed (one line says why), 2 that the command line is wrong.

mod args;
mod commands;
mod features;
mod fresh;
mod granted;
mod input;
mod ui;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

use crate::commands::Cli;
use crate::fresh::FreshFolder;
use crate::ui::{failure, log};

// Tensors of a few megabytes come and go at every step. The system's allocator hands such blocks
// back to the kernel and pays for fresh zeroed pages each time; mimalloc keeps them. Five training
// steps of `mini` took 16.7 s of CPU time instead of 17.8 s (system time 1.3 s instead of 1.9 s),
// for 9 % more memory at the peak.
#[global_allocator]
static ALLOCATOR: granted::Allocator = granted::Allocator;

fn main() -> ExitCode {
    // Our own kernels share the work among rayon's threads. candle's pool for the few elementwise
    // operations left to it waits in a spinning barrier: five training steps of `mini` took 15.4 s
    // of CPU time with one thread for that pool, 18.3 s with two.
    if std::env::var_os("CANDLE_NUM_THREADS").is_none() {
        // SAFETY: no other thread runs yet, so none reads the environment at the same time.
        unsafe { std::env::set_var("CANDLE_NUM_THREADS", "1") };
    }
    // A relative folder for temporary files, as an empty one is, would be the one we run in.
    if std::env::var_os("TMPDIR").is_some_and(|folder| Path::new(&folder).is_relative()) {
        // SAFETY: as above.
        unsafe { std::env::remove_var("TMPDIR") };
    }
    let cli = Cli::parse();
    log::begin(cli.log);
    let fresh = cli.command.output().map(FreshFolder::at);
    failure::report(|| {
        granted::heed()?;
        avocet_products::Level::asked()?;
        let outcome = on_a_worker(|| cli.command.run());
        if let (Err(_), Some(fresh)) = (&outcome, fresh) {
            fresh.clear();
        }
        outcome
    })
}

/// Runs a command on one of the threads that share its work.
///
/// A thread outside the pool sleeps while the pool computes, so that each operation of a decoding
/// step costs two wake-ups: 58 tokens a second of a 135 M model on two busy cores, 66 without.
fn on_a_worker(command: impl FnOnce() -> anyhow::Result<()> + Send) -> anyhow::Result<()> {
    /// As large as a main thread's.
    const STACK_BYTES: usize = 8 << 20;
    rayon::ThreadPoolBuilder::new()
        .stack_size(STACK_BYTES)
        .build_global()
        .context("cannot start threads")?;
    rayon::scope(|_| command())
}
