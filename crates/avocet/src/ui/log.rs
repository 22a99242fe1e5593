//! What is told of the work with `-v`: events of the libraries, on stderr.
//!
//! Without a flag nobody listens, and stderr has what it always has. Events name files, sizes and
//! seconds; never what somebody wrote or asked, and never a token of a hub.

use std::sync::OnceLock;

use clap::{ArgAction, Args, ValueEnum};
use tracing::Level;
use tracing_subscriber::fmt;

/// How much is told, and in which form.
#[derive(Debug, Clone, Copy, Args)]
pub struct LogArgs {
    /// Tell on stderr what is done and how long it takes; `-vv` tells each step.
    #[arg(short, long, action = ArgAction::Count, global = true, help_heading = "Log")]
    verbose: u8,
    /// How it is told: as text, or as one JSON object a line, warnings and errors too.
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "text",
        global = true,
        help_heading = "Log"
    )]
    log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// Lines for people.
    Text,
    /// Lines for machines; without `-v` as with one.
    Json,
}

static FORMAT: OnceLock<LogFormat> = OnceLock::new();

/// Begins to listen, if that was asked for.
pub fn begin(args: LogArgs) {
    let level = match (args.verbose, args.log_format) {
        (0, LogFormat::Text) => return,
        (0 | 1, _) => Level::INFO,
        (2.., _) => Level::DEBUG,
    };
    let _ = FORMAT.set(args.log_format);
    let told = fmt().with_max_level(level).with_writer(std::io::stderr);
    if args.log_format == LogFormat::Json {
        told.json().flatten_event(true).init();
    } else {
        told.with_ansi(false).with_timer(fmt::time::uptime()).init();
    }
}

/// Tells a line of [`note`](super::output::note) as an event, where every line is one; false where
/// it is to be written as it is.
pub fn tell(line: &str) -> bool {
    if FORMAT.get() != Some(&LogFormat::Json) {
        return false;
    }
    let line = line.trim_end();
    match line.split_once(": ") {
        Some(("error", message)) => tracing::error!("{message}"),
        Some(("warning", message)) => tracing::warn!("{message}"),
        _ => tracing::info!("{line}"),
    }
    true
}
