//! What the pipeline is asked for.

use std::ffi::OsString;
use std::path::PathBuf;

use avocet_browser::Viewport;
use pipeline::{RunArgs, Split};

/// `avocet data pages`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// URLs, HTML files, or folders of HTML files (a page of a folder may use the folder's other
    /// files and nothing else; a single file nothing at all).
    #[arg(value_name = "IN")]
    pub inputs: Vec<OsString>,
    /// What every pipeline is asked for.
    #[command(flatten)]
    pub run: RunArgs,
    /// Also make up N small pages: cards, forms, tables, articles, charts.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub synthetic: u64,
    /// Also show N pages of manuals that other people wrote, each in a window of its own and in parts
    /// at full size.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub manuals: usize,
    /// Which pages: of those given 1 in 50, chosen for good by name, is for the test; made-up ones
    /// have words and typefaces of their own there [default: all that is given, made up to train].
    #[arg(long, value_enum)]
    pub split: Option<Split>,
    /// Windows for the pages given, each of them in every one: small, phone, tablet, laptop or
    /// WIDTHxHEIGHT.
    #[arg(long = "viewport", value_name = "SIZE", default_value = "laptop")]
    pub viewports: Vec<Viewport>,
    /// Pixels of the screenshot for each pixel of the page, 0.5 to 4.
    #[arg(long, value_name = "N", default_value_t = 1.0)]
    pub scale: f64,
    /// The whole page, down to 12,000 rows, instead of the first screen.
    #[arg(long)]
    pub full: bool,
    /// The whole page in pieces no taller than the window, cut between lines of text.
    #[arg(long, conflicts_with = "full")]
    pub tiles: bool,
    /// Licence of the pages given.
    #[arg(long, default_value = "unstated")]
    pub licence: String,
    /// Draw made-up pages with the system's typefaces; others are fetched otherwise.
    #[arg(long)]
    pub system_fonts: bool,
    /// A list of what can be fetched, instead of avocet's own.
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
    /// Browsers; 0 for one a core. The bytes written do not depend on it.
    #[arg(long, default_value_t = 0)]
    pub jobs: usize,
}
