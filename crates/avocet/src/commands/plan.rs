//! `avocet plan`: what a model costs to train and to serve, before anything is spent.

mod args;
mod flags;
mod machine;
mod report;
mod serve;
mod shape;
mod train;

use anyhow::Result;

pub use args::PlanCommand;

/// Plans and prints.
pub fn run(command: &PlanCommand) -> Result<()> {
    match command {
        PlanCommand::Train(args) if args.common.gpu == "cpu" => machine::run(args),
        PlanCommand::Train(args) => train::run(args),
        PlanCommand::Serve(args) => serve::run(args),
    }
}
