//! The command line as types: each command's module has its arguments and what it does.

mod ask;
mod bench;
mod caption;
mod chat;
mod data;
mod describe;
mod doctor;
mod eval;
mod finetune;
mod graft;
mod inspect;
mod licences;
mod models;
mod plan;
mod quantise;
mod score;
mod train;
mod transcribe;

use std::path::Path;

use anyhow::Result;
use clap::{CommandFactory, Parser, Subcommand};

use crate::ui::log::LogArgs;

/// Asks questions about pictures, and trains the model that answers them.
#[derive(Debug, Parser)]
#[command(
    name = "avocet",
    version,
    propagate_version = true,
    arg_required_else_help = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// What is told of the work.
    #[command(flatten)]
    pub log: LogArgs,
}

/// The commands of `avocet`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Answer one question about zero or more images or videos.
    Ask(ask::AskArgs),
    /// Hold a conversation; `/image FILE` adds an image, end of input ends it.
    Chat(chat::ChatArgs),
    /// What is said and what is seen in a video, on one time line.
    Caption(caption::CaptionArgs),
    /// Log-probabilities of given texts: JSONL in, JSONL out.
    Score(score::ScoreArgs),
    /// Answer a held-out set and print how much of it is right.
    Eval(eval::EvalArgs),
    /// Shapes, parameter counts and gates of a preset, a model or a training run.
    Inspect(inspect::InspectArgs),
    /// What a model is, and whether it would run on this machine.
    Doctor(doctor::DoctorArgs),
    /// Write down what is said in a video or sound file, with times.
    Transcribe(transcribe::TranscribeArgs),
    /// Train one stage or a list of stages from a TOML file.
    Train(train::TrainArgs),
    /// Let a model learn from your own pictures, questions and answers.
    Finetune(finetune::FinetuneArgs),
    /// Make training data, or look at it.
    #[command(subcommand)]
    Data(data::DataCommand),
    /// What models there are, and where.
    #[command(subcommand)]
    Models(models::ModelsCommand),
    /// Write a model with its matrices in blocks of small integers, and measure what that loses.
    #[command(alias = "quantize")]
    Quantise(quantise::QuantiseArgs),
    /// Give a decoder another model's eyes, behind closed gates: it answers texts as before.
    Graft(graft::GraftArgs),
    /// Make a dense decoder a mixture of experts that answers as before.
    Upcycle(graft::UpcycleArgs),
    /// What a model of any size costs to train or to serve, before money is spent.
    #[command(subcommand)]
    Plan(plan::PlanCommand),
    /// Measure this machine: products, bandwidth, vision, prefill, decode, cold start.
    Bench(bench::BenchArgs),
    /// Print the licences and notices of all that is part of the program.
    #[command(alias = "licenses")]
    Licences,
    /// Print a script by which a shell completes commands and flags.
    Completions(describe::CompletionsArgs),
    /// Write manual pages.
    Man(describe::ManArgs),
}

impl Command {
    /// Does what is asked.
    pub fn run(self) -> Result<()> {
        match self {
            Self::Ask(args) => ask::run(&args),
            Self::Chat(args) => chat::run(&args),
            Self::Caption(args) => caption::run(&args),
            Self::Score(args) => score::run(&args),
            Self::Eval(args) => eval::run(&args),
            Self::Inspect(args) => inspect::run(&args),
            Self::Doctor(args) => doctor::run(&args),
            Self::Transcribe(args) => transcribe::run(&args),
            Self::Train(args) => train::run(&args),
            Self::Finetune(args) => finetune::run(&args),
            Self::Data(command) => data::run(command),
            Self::Models(command) => models::run(&command),
            Self::Quantise(args) => quantise::run(&args),
            Self::Graft(args) => graft::graft(&args),
            Self::Upcycle(args) => graft::upcycle(&args),
            Self::Plan(command) => plan::run(&command),
            Self::Bench(args) => bench::run(&args),
            Self::Licences => licences::run(),
            Self::Completions(args) => describe::completions(&args, Cli::command()),
            Self::Man(args) => describe::man(&args, Cli::command()),
        }
    }

    /// The folder that `-o` names, if there is one.
    pub fn output(&self) -> Option<&Path> {
        match self {
            Self::Caption(args) => args.output.as_deref(),
            Self::Transcribe(args) => args.output.as_deref(),
            Self::Finetune(args) => Some(&args.output),
            Self::Data(command) => command.output(),
            Self::Models(command) => command.output(),
            Self::Quantise(args) => Some(&args.output),
            Self::Graft(args) => Some(&args.output),
            Self::Upcycle(args) => Some(&args.output),
            Self::Man(args) => Some(&args.output),
            Self::Ask(_)
            | Self::Chat(_)
            | Self::Score(_)
            | Self::Eval(_)
            | Self::Inspect(_)
            | Self::Doctor(_)
            | Self::Train(_)
            | Self::Plan(_)
            | Self::Bench(_)
            | Self::Licences
            | Self::Completions(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_last_argument_of_ask_is_the_question() {
        let cli = Cli::try_parse_from(["avocet", "ask", "a.png", "b.png", "Which?"]);
        let Ok(Cli {
            command: Command::Ask(ask),
            ..
        }) = cli
        else {
            panic!("{cli:?}")
        };
        assert_eq!(ask.media_and_question, ["a.png", "b.png", "Which?"]);
    }

    #[test]
    fn numbers_out_of_range_are_wrong_command_lines() {
        for flag in [
            "--temperature=NaN",
            "--temperature=-1",
            "--top-p=0",
            "--top-p=1.5",
            "--max-tokens=0",
        ] {
            assert!(
                Cli::try_parse_from(["avocet", "ask", flag, "Why?"]).is_err(),
                "{flag}"
            );
        }
    }
}
