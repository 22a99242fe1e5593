//! The `avocet` command line: parse, wire, print.
//!
//! Results go to stdout, everything else to stderr. Exit code 0 is done, 1 that the input or the
//! work failed (one line says why), 2 that the command line is wrong.

mod args;
mod ask;
mod bench;
mod blank;
mod caption;
mod chat;
mod clip;
mod data;
mod datasets;
mod doctor;
mod download;
mod embedded;
mod eval;
mod failure;
mod features;
mod finetune;
mod fresh;
mod graft;
mod granted;
mod hear;
mod inspect;
mod media;
mod models;
mod output;
mod plan;
mod quantise;
mod score;
mod stages;
mod textbooks;
mod train;
mod transcribe;
mod whisper;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

use crate::args::{Cli, Command};
use crate::fresh::FreshFolder;

// Tensors of a few megabytes come and go at every step. The system's allocator hands such blocks
// back to the kernel and pays for fresh zeroed pages each time; mimalloc keeps them. Five training
// steps of `mini` took 16.7 s of CPU time instead of 17.8 s (system time 1.3 s instead of 1.9 s),
// for 9 % more memory at the peak.
#[global_allocator]
static ALLOCATOR: granted::Allocator = granted::Allocator;

/// Keeps freed memory for the next training step instead of handing it back after a second: a step
/// of `mini` took 438 ms instead of 484 ms, because fresh pages are zeroed by the kernel.
fn keep_freed_memory() {
    /// `mi_option_purge_delay`; -1 stands for never.
    const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
    // SAFETY: the option exists in both versions of the library that can be linked.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, -1) };
}

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
    let fresh = cli.command.output().map(FreshFolder::at);
    failure::report(|| {
        granted::heed()?;
        let outcome = on_a_worker(|| run(cli.command));
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

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Ask(args) => ask::run(&args),
        Command::Chat(args) => chat::run(&args),
        Command::Caption(args) => caption::run(&args),
        Command::Score(args) => score::run(&args),
        Command::Eval(args) => eval::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Transcribe(args) => transcribe::run(&args),
        Command::Train(args) => {
            keep_freed_memory();
            train::run(&args)
        }
        Command::Finetune(args) => {
            keep_freed_memory();
            finetune::run(&args)
        }
        Command::Data(command) => data::run(command),
        Command::Models(command) => models::run(&command),
        Command::Quantise(args) => quantise::run(&args),
        Command::Graft(args) => graft::graft(&args),
        Command::Upcycle(args) => graft::upcycle(&args),
        Command::Plan(command) => plan::run(&command),
        Command::Bench(args) => {
            // The memory of a family is measured as users will see it.
            if args.family.is_none() {
                keep_freed_memory();
            }
            bench::run(&args)
        }
    }
}
