//! `avocet quantise`: a model with its matrices in blocks, and what that costs.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use avocet_checkpoint::{BlockCount, BlockFormat, ModelFiles};
use avocet_infer::Engine;
use avocet_train::eval::{Divergence, divergence};
use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::input::model;
use crate::ui::output::{self, Table, count};

/// `avocet quantise`.
#[derive(Debug, Args)]
pub struct QuantiseArgs {
    /// The model: `mini` (built in), a folder, or a hub id.
    #[arg(value_name = "REF")]
    pub model: String,
    /// What matrices are turned into.
    #[arg(long, value_enum)]
    pub to: BlockFlag,
    /// The model folder to write.
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    /// The text on which perplexities are measured; a story of 1,500 words when absent.
    #[arg(long, value_name = "FILE")]
    pub text: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Blocks of small integers with a scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BlockFlag {
    /// 8.5 bits a number.
    #[value(name = "q8_0")]
    Q8_0,
    /// 4.5 bits a number; embeddings and output head 8.5.
    #[value(name = "q4_k")]
    Q4K,
}

/// What the loss is measured on: the opening of Alice's Adventures in Wonderland (1865).
const TEXT: &str = include_str!("../../../../assets/texts/alice.txt");
/// Longest text that is measured on.
const MAX_TEXT: u64 = 16 << 20;

#[derive(Serialize)]
struct Report {
    model: String,
    to: &'static str,
    parameters: u64,
    tensors_converted: usize,
    tensors_kept: usize,
    bytes_before: u64,
    bytes_after: u64,
    bits_before: f64,
    bits_after: f64,
    #[serde(flatten)]
    divergence: Divergence,
}

/// Writes the model, then scores a text with both.
pub fn run(args: &QuantiseArgs) -> Result<()> {
    let text = match &args.text {
        Some(path) => read_text(path).with_context(|| format!("--text {}", path.display()))?,
        None => TEXT.to_owned(),
    };
    let before = model::open(&args.model)?;
    let (format, to) = match args.to {
        BlockFlag::Q8_0 => (BlockFormat::Q8_0, "q8_0"),
        BlockFlag::Q4K => (BlockFormat::Q4K, "q4_k"),
    };
    let counted = before.quantise(format, &args.output)?;
    let after = ModelFiles::open(&args.output)?;
    let divergence = divergence(&Engine::load(&before)?, &Engine::load(&after)?, &text)?;
    let report = Report::new(&args.model, to, counted, divergence);
    if args.json {
        return output::print_json(&report);
    }
    output::print(&report.to_text(&args.output))
}

fn read_text(path: &Path) -> Result<String> {
    let mut text = String::new();
    let read = File::open(path)?
        .take(MAX_TEXT + 1)
        .read_to_string(&mut text)?;
    ensure!(read as u64 <= MAX_TEXT, "longer than {MAX_TEXT} bytes");
    Ok(text)
}

impl Report {
    fn new(model: &str, to: &'static str, counted: BlockCount, divergence: Divergence) -> Self {
        let bits = |bytes: u64| 8.0 * bytes as f64 / counted.numbers.max(1) as f64;
        Self {
            model: model.to_owned(),
            to,
            parameters: counted.numbers,
            tensors_converted: counted.converted,
            tensors_kept: counted.kept,
            bytes_before: counted.bytes_before,
            bytes_after: counted.bytes_after,
            bits_before: bits(counted.bytes_before),
            bits_after: bits(counted.bytes_after),
            divergence,
        }
    }

    fn to_text(&self, folder: &Path) -> String {
        let mut table = Table::new(&["figure", "before", "after"]);
        let mut row = |name: &str, before: String, after: String| {
            table.row(vec![name.to_owned(), before, after]);
        };
        let (bytes, bits) = (
            [self.bytes_before, self.bytes_after].map(|bytes| bytes.to_string()),
            [self.bits_before, self.bits_after].map(|bits| format!("{bits:.2}")),
        );
        let perplexity = [
            self.divergence.perplexity_before,
            self.divergence.perplexity_after,
        ];
        let [before, after] = perplexity.map(|perplexity| format!("{perplexity:.4}"));
        let ([bytes_before, bytes_after], [bits_before, bits_after]) = (bytes, bits);
        row("bytes", bytes_before, bytes_after);
        row("bits a weight", bits_before, bits_after);
        row("perplexity", before, after);
        format!(
            "{}: {} of {} in {}, {} tensors converted, {} kept\n\n{}\nlargest difference of a logit {:.4}, over {} tokens\n",
            folder.display(),
            self.model,
            count(self.parameters),
            self.to,
            self.tensors_converted,
            self.tensors_kept,
            table.to_text(),
            self.divergence.max_logit_difference,
            self.divergence.tokens_scored,
        )
    }
}
