//! What the pipeline is asked for.

use std::path::PathBuf;

use clap::ValueEnum;
use pipeline::{RunArgs, Split};
use presses::Renderer;

use crate::kinds::Kind;

/// `avocet data formulas`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// .tex, .md or .txt files: their formulas, and for paragraphs and documents their text.
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// What to draw; may be given several times [default: all; formula-file when there are files].
    #[arg(long = "kind", value_enum, value_name = "KIND")]
    pub kinds: Vec<Kind>,
    /// What the samples are for; a formula or sentence never stands in both.
    #[arg(long, value_enum, default_value = "train")]
    pub split: Split,
    /// Samples of each kind; of formula-file all that the files have.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub count: usize,
    /// What every pipeline is asked for.
    #[command(flatten)]
    pub run: RunArgs,
    /// What sets the formulas; all but our own are other people's programs, and formulas alone are set.
    #[arg(long, value_enum, default_value = "own")]
    pub renderer: SetBy,
    /// The hardest formulas of the grammar: 1 sums and powers to 4 systems and operators; 5 as well
    /// what manuals write in their sentences.
    #[arg(long, value_name = "N", default_value_t = crate::grammar::MOST_LEVEL)]
    pub difficulty: usize,
    /// The widest a picture of a formula may be.
    #[arg(long, value_name = "PIXELS", default_value_t = 512)]
    pub max_width: usize,
    /// The tallest a picture of a formula may be.
    #[arg(long, value_name = "PIXELS", default_value_t = 128)]
    pub max_height: usize,
    /// Fetch nothing: only the typefaces and texts that the program brings, and the files.
    #[arg(long)]
    pub bundled: bool,
    /// Licence of the files.
    #[arg(long, default_value = "unstated")]
    pub licence: String,
    /// Threads; 0 for one a core. The bytes written do not depend on it.
    #[arg(long, default_value_t = 0)]
    pub jobs: usize,
    /// A list of what can be fetched, instead of avocet's own.
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
}

/// What sets formulas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SetBy {
    /// Our own renderer.
    Own,
    /// KaTeX in a browser.
    Katex,
    /// MathJax in a browser.
    Mathjax,
    /// matplotlib.
    Matplotlib,
    /// TeX and dvipng.
    Tex,
    /// Those four by turns, as far as they are on the machine.
    Mixed,
}

impl SetBy {
    /// The one program that it names.
    pub(crate) fn renderer(self) -> Option<Renderer> {
        match self {
            Self::Own | Self::Mixed => None,
            Self::Katex => Some(Renderer::Katex),
            Self::Mathjax => Some(Renderer::Mathjax),
            Self::Matplotlib => Some(Renderer::Matplotlib),
            Self::Tex => Some(Renderer::Tex),
        }
    }

    /// As on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Mixed => "mixed",
            Self::Katex => Renderer::Katex.name(),
            Self::Mathjax => Renderer::Mathjax.name(),
            Self::Matplotlib => Renderer::Matplotlib.name(),
            Self::Tex => Renderer::Tex.name(),
        }
    }
}
