//! `formulas`: the pipeline by itself, for machines that only make data.

use std::process::ExitCode;

use clap::Parser;

/// Makes pictures of formulas and of text, each with its source.
#[derive(Parser)]
#[command(name = "formulas", version)]
struct Cli {
    #[command(flatten)]
    args: formulas::Args,
}

fn main() -> ExitCode {
    match formulas::run(&Cli::parse().args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("formulas: {error}");
            ExitCode::FAILURE
        }
    }
}
