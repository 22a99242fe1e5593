//! `avocet eval --task loss` and `--task memorisation`: what a model makes of given texts.

use std::path::Path;

use anyhow::{Context, Result, bail};
use avocet_infer::Engine;
use avocet_train::eval::{LossReport, SpanLength, completed_spans, measure_losses};

use super::args::{EvalArgs, task};
use crate::ui::output;
use crate::ui::progress::counted;

/// Loss and perplexity by kind, loss by position, and the use of experts.
pub fn losses(args: &EvalArgs, engine: &Engine) -> Result<()> {
    let data = data(args)?;
    let samples = task("--data", data)?.samples(args.limit.unwrap_or(usize::MAX))?;
    let bar = counted("texts");
    let report = measure_losses(engine, samples, |count| bar.inc(count as u64))?;
    bar.finish_and_clear();
    if report.kinds.is_empty() {
        bail!("--data {}: there is no text in it", data.display());
    }
    if args.json {
        return output::print_json(&report);
    }
    output::print(&loss_tables(&report))
}

/// The share of texts that the model completes verbatim.
pub fn memorisation(args: &EvalArgs, engine: &Engine) -> Result<()> {
    let data = data(args)?;
    let samples = task("--data", data)?.samples(args.limit.unwrap_or(usize::MAX))?;
    let length = SpanLength {
        prefix: args.prefix as usize,
        span: args.span as usize,
    };
    let (wanted, most) = (
        length.prefix + length.span,
        engine.config().decoder.max_context,
    );
    if wanted > most {
        bail!("--prefix and --span: {wanted} tokens, but the model's context is {most}");
    }
    let bar = counted("texts");
    let read = |count: usize| bar.inc(count as u64);
    let found = completed_spans(engine, samples, length, read)?;
    bar.finish_and_clear();
    if found.values().all(|kind| kind.spans == 0) {
        let data = data.display();
        bail!("--data {data}: it has no plain text of {wanted} tokens, as --prefix and --span ask");
    }
    if args.json {
        return output::print_json(&found);
    }
    let head = [
        "kind",
        "spans",
        "verbatim",
        "tokens right at first",
        "too short",
    ];
    let mut table = output::Table::new(&head);
    let (all, kinds): (Vec<_>, Vec<_>) = found.iter().partition(|(kind, _)| *kind == "all");
    for (kind, found) in kinds.into_iter().chain(all) {
        table.row(vec![
            kind.clone(),
            found.spans.to_string(),
            format!("{:.2} %", 100.0 * found.share),
            format!("{:.1} of {}", found.mean_matched, length.span),
            found.too_short.to_string(),
        ]);
    }
    output::print(&table.to_text())
}

fn data(args: &EvalArgs) -> Result<&Path> {
    let data = args.data.as_deref();
    data.with_context(|| {
        format!(
            "--task {} reads texts: give them with --data",
            args.task().display()
        )
    })
}

fn loss_tables(report: &LossReport) -> String {
    let experts = report
        .kinds
        .values()
        .any(|kind| kind.busiest_load.is_some());
    let mut head = vec!["kind", "samples", "tokens", "loss", "perplexity"];
    head.extend(
        experts
            .then_some(["busiest expert", "specialisation"])
            .iter()
            .flatten(),
    );
    let mut table = output::Table::new(&head);
    let (all, kinds): (Vec<_>, Vec<_>) = report.kinds.iter().partition(|(kind, _)| *kind == "all");
    for (name, kind) in kinds.into_iter().chain(all) {
        let mut row = vec![
            name.clone(),
            kind.samples.to_string(),
            kind.tokens.to_string(),
            format!("{:.4}", kind.loss),
            format!("{:.3}", kind.perplexity),
        ];
        if let (Some(busiest), Some(apart)) = (kind.busiest_load, kind.specialisation) {
            row.push(format!("{busiest:.2} x"));
            row.push(format!("{:.1} %", 100.0 * apart));
        }
        table.row(row);
    }
    let mut places = output::Table::new(&["position", "tokens", "loss"]);
    for position in &report.positions {
        places.row(vec![
            format!("{} to {}", position.from, position.to - 1),
            position.tokens.to_string(),
            format!("{:.4}", position.loss),
        ]);
    }
    format!("{}\n{}", table.to_text(), places.to_text())
}
