//! `video`: the pipeline by itself, for machines that only make data.

use std::process::ExitCode;

use clap::Parser;

/// Makes aligned samples of videos: pictures, and the words spoken around them.
#[derive(Parser)]
#[command(name = "video", version)]
struct Cli {
    #[command(flatten)]
    args: video::Args,
}

fn main() -> ExitCode {
    match video::run(&Cli::parse().args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("video: {error}");
            ExitCode::FAILURE
        }
    }
}
