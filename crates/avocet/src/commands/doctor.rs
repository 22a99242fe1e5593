//! `avocet doctor`: what a model is, and whether it would run on this machine.

use anyhow::{Result, bail};
use avocet_checkpoint::ModelFiles;
use avocet_checkpoint::doctor::{
    self, Memory, Prompts, Report, Tensors, Token, Use, Verdict, size,
};
use clap::Args;
use serde::Serialize;
use video::args::at_least_one;

use crate::input::model;
use crate::ui::output::{self, count};

/// `avocet doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// The model: `mini` (built in), a folder, a GGUF file, or a hub id.
    #[arg(value_name = "REF")]
    pub reference: String,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
    /// Tokens of a text with its answer; as many as the model allows, up to 8192, when absent.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub context: Option<usize>,
    /// Pictures the text is about; 1 when absent, or 0 for a model that sees none.
    #[arg(long, value_name = "N")]
    pub images: Option<usize>,
}

/// Longest line that is printed.
const WIDTH: usize = 100;
/// Where values begin.
const INDENT: usize = 12;
/// Tokens of a list that are named before the rest is only counted.
const MOST_TOKENS: usize = 12;

/// A model that could not be opened.
#[derive(Serialize)]
struct Unopened<'a> {
    name: &'a str,
    verdict: Verdict,
    reason: String,
}

/// Examines a model and prints what was found; a model that would not run is a failure.
pub fn run(args: &DoctorArgs) -> Result<()> {
    let (report, files) = match model::find(&args.reference) {
        Ok(files) => (doctor::examine(&files, wanted(args, &files)?), files),
        Err(error) => return unopened(args, error),
    };
    let report = match report {
        Ok(report) => report,
        Err(error) => return unopened(args, error.into()),
    };
    if args.json {
        output::print_json(&report)?;
    } else {
        output::print(&text(&report, &files))?;
    }
    match report.verdict {
        Verdict::DoesNotRun => bail!("{} {}: {}", args.reference, report.verdict, report.reason),
        Verdict::Fits | Verdict::StreamsFromDisk => Ok(()),
    }
}

/// What the command line asks the model to be examined for.
fn wanted(args: &DoctorArgs, files: &ModelFiles) -> Result<Use> {
    let usual = Use::usual(files);
    let most = files.config().decoder.max_context;
    let context = args.context.unwrap_or(usual.context);
    if context > most {
        bail!("--context {context}: the context of the model holds {most} tokens");
    }
    let images = args.images.unwrap_or(usual.images);
    if images > 0 && !files.config().sees() {
        bail!("--images {images}: the model has no vision tower");
    }
    Ok(Use { context, images })
}

fn unopened(args: &DoctorArgs, error: anyhow::Error) -> Result<()> {
    let report = Unopened {
        name: &args.reference,
        verdict: Verdict::DoesNotRun,
        reason: format!("{error:#}"),
    };
    if args.json {
        output::print_json(&report)?;
    } else {
        let mut lines = Lines(format!("{}\n\n", report.name));
        lines.add("verdict", &format!("{}: {}", report.verdict, report.reason));
        output::print(&lines.0)?;
    }
    Err(error.context(format!("{} {}", args.reference, report.verdict)))
}

/// Lines of a name and a value, wrapped.
struct Lines(String);

impl Lines {
    fn add(&mut self, name: &str, value: &str) {
        let mut line = format!("{name:<INDENT$}");
        let mut used = line.chars().count();
        let mut fresh = true;
        let push = |line: &mut String, used: &mut usize, word: &str| {
            line.push_str(word);
            *used += word.chars().count();
        };
        for word in value.split(' ') {
            let mut word = word;
            if !fresh && used + 1 + word.chars().count() > WIDTH {
                line.push_str(&format!("\n{:INDENT$}", ""));
                (used, fresh) = (INDENT, true);
            }
            if !fresh {
                push(&mut line, &mut used, " ");
            }
            // Names without spaces can be longer than a line.
            while used + word.chars().count() > WIDTH {
                let at = word.char_indices().nth(WIDTH - used);
                let (part, rest) = word.split_at(at.map_or(word.len(), |(at, _)| at));
                line.push_str(&format!("{part}\n{:INDENT$}", ""));
                (used, word) = (INDENT, rest);
            }
            push(&mut line, &mut used, word);
            fresh = false;
        }
        self.0.push_str(line.trim_end());
        self.0.push('\n');
    }
}

fn text(report: &Report, files: &ModelFiles) -> String {
    let mut lines = Lines(String::new());
    lines.add(&report.name, "");
    lines.0.push('\n');
    lines.add("family", report.family);
    lines.add("files", &files.path().display().to_string());
    let parameters = report.parameters;
    lines.add(
        "parameters",
        &format!(
            "{}, {} of them active for a token",
            count(parameters.total),
            count(parameters.active)
        ),
    );
    let stored = report.stored_bytes.iter();
    let stored: Vec<String> = stored
        .map(|(name, n)| format!("{} of {name}", size(*n)))
        .collect();
    lines.add("stored", &stored.join(", "));
    tensors(&mut lines, &report.tensors);
    memory(&mut lines, &report.memory);
    if let Some(expected) = &report.prompts {
        prompts(&mut lines, expected);
    }
    lines.0.push('\n');
    let verdict = format!("{}: {}", report.verdict, report.reason);
    lines.add("verdict", &verdict);
    lines.0
}

fn tensors(lines: &mut Lines, tensors: &Tensors) {
    lines.0.push('\n');
    lines.add(
        "tensors",
        &format!(
            "{} stored: {} used ({} under another name), {} ignored, {} unused; {} replaced",
            tensors.stored,
            tensors.used,
            tensors.renamed,
            tensors.ignored,
            tensors.unused,
            tensors.replaced
        ),
    );
    lines.add(
        "parameters",
        &format!(
            "{} missing, {} of wrong shape, {} of wrong type",
            tensors.missing, tensors.wrong_shape, tensors.wrong_type
        ),
    );
    for problem in &tensors.problems {
        lines.add("", problem);
    }
    let more = tensors.num_problems - tensors.problems.len();
    if more > 0 {
        lines.add("", &format!("and {more} more"));
    }
}

fn memory(lines: &mut Lines, memory: &Memory) {
    lines.0.push('\n');
    lines.add(
        "memory",
        &format!(
            "weights {} mapped, {} copied",
            size(memory.mapped_bytes),
            size(memory.copied_bytes)
        ),
    );
    let cache = size(memory.cache_bytes);
    lines.add("", &format!("cache {cache} for {} tokens", memory.context));
    if memory.images > 0 {
        lines.add(
            "",
            &format!(
                "{} picture{}: {} of keys and values, {} rows each; about {} to look at them",
                memory.images,
                if memory.images == 1 { "" } else { "s" },
                size(memory.picture_bytes),
                memory.picture_rows,
                size(memory.vision_bytes)
            ),
        );
    }
    if let Some(available) = memory.available_bytes {
        lines.add("", &format!("{} available now", size(available)));
    }
}

fn prompts(lines: &mut Lines, prompts: &Prompts) {
    lines.0.push('\n');
    lines.add("prompts", prompts.form);
    lines.add("text", &format!("begins {}", prompts.opening));
    if let Some(token) = &prompts.image_token {
        lines.add("image", &named(std::slice::from_ref(token)));
    }
    lines.add("answer ends", &named(&prompts.ends));
    if !prompts.never.is_empty() {
        lines.add("never said", &named(&prompts.never));
    }
    lines.add("context", &format!("{} tokens", prompts.context));
    if let Some(picture) = &prompts.picture {
        lines.add("pictures", picture);
    }
    // Line breaks of the form are shown as such; a template may write control characters.
    lines.add("example", &prompts.example.escape_debug().to_string());
}

/// Tokens by name and id.
fn named(tokens: &[Token]) -> String {
    let shown = tokens.iter().take(MOST_TOKENS);
    let mut shown: Vec<String> = shown
        .map(|token| format!("{} ({})", token.name.escape_debug(), token.id))
        .collect();
    match tokens.len().saturating_sub(MOST_TOKENS) {
        0 if shown.is_empty() => return "none".into(),
        0 => {}
        more => shown.push(format!("{more} more")),
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_longer_than_the_page() {
        let mut lines = Lines(String::new());
        lines.add("example", &"a wörd and ".repeat(40));
        lines.add("", &"y".repeat(500));
        lines.add("", "");
        assert!(lines.0.lines().all(|line| line.chars().count() <= WIDTH));
        let letters = lines.0.chars().filter(|c| *c == 'y').count();
        assert_eq!(letters, 500, "no letter is lost");
        assert!(lines.0.starts_with("example     a wörd"));
    }
}
