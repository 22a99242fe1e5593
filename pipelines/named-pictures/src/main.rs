//! `named-pictures`: the pipeline by itself, for machines that only make data.

use std::process::ExitCode;

use clap::Parser;

/// Makes pictures with names, each with a question and an answer.
#[derive(Parser)]
#[command(name = "named-pictures", version)]
struct Cli {
    #[command(flatten)]
    args: named_pictures::Args,
}

fn main() -> ExitCode {
    match named_pictures::run(&Cli::parse().args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("named-pictures: {error}");
            ExitCode::FAILURE
        }
    }
}
