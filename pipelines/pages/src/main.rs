//! `pages`: the pipeline by itself, for machines that only make data.

use std::process::ExitCode;

use clap::Parser;

/// Makes screenshots of pages, each with questions and answers.
#[derive(Parser)]
#[command(name = "pages", version)]
struct Cli {
    #[command(flatten)]
    args: pages::Args,
}

fn main() -> ExitCode {
    match pages::run(&Cli::parse().args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pages: {error}");
            ExitCode::FAILURE
        }
    }
}
