//! `avocet completions` and `avocet man`: the command line told to shells and to `man`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, Command};
use clap_complete::Shell;

use crate::ui::output;

/// `avocet completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell that is to complete commands and flags.
    shell: Shell,
}

/// `avocet man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Folder to write a page for each command to.
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
}

/// Prints the script that a shell reads.
pub fn completions(args: &CompletionsArgs, mut line: Command) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut line, "avocet", &mut script);
    output::print(&String::from_utf8(script)?)
}

/// Writes `avocet.1`, `avocet-ask.1` and so on.
pub fn man(args: &ManArgs, line: Command) -> Result<()> {
    let folder = &args.output;
    std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(line, folder))
        .with_context(|| folder.display().to_string())
}
