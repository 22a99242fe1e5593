//! `avocet data`: run a pipeline, or look at what one made.

mod page;

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use avocet_data::shard::Reader;
use avocet_data::{Content, Sample, Truth};
use serde::Serialize;

use crate::args::{DataCommand, DataInspectArgs};
use crate::output::{self, Table, count};

/// Samples of a kind that are shown.
const SHOWN: usize = 3;
/// Samples of a kind that a page shows.
const SHOWN_ON_PAGE: usize = 24;

#[derive(Serialize)]
struct Report {
    samples: usize,
    bytes: u64,
    kinds: BTreeMap<String, usize>,
    sources: BTreeMap<String, usize>,
}

/// Runs a command on data.
pub fn run(command: DataCommand) -> Result<()> {
    match command {
        DataCommand::NamedPictures(args) => Ok(named_pictures::run(&args)?),
        DataCommand::Text(args) => Ok(plain_text::run(&args)?),
        DataCommand::Inspect(args) => inspect(&args),
    }
}

fn inspect(args: &DataInspectArgs) -> Result<()> {
    let reader = Reader::open(&args.dataset)?;
    if let Some(id) = &args.sample {
        let Some(index) = reader.find(id) else {
            bail!(
                "--sample {id}: {} has no such sample",
                args.dataset.display()
            );
        };
        return output::print(&in_full(&reader.get(index)?));
    }
    if let Some(path) = &args.html {
        let page = page::page(&reader, SHOWN_ON_PAGE)?;
        std::fs::write(path, page).with_context(|| path.display().to_string())?;
        return output::print(&format!("{}\n", path.display()));
    }
    let report = report(&reader);
    if args.json {
        return output::print_json(&report);
    }
    let mut text = format!(
        "{}: {} samples, {} bytes\n\n",
        args.dataset.display(),
        report.samples,
        count(report.bytes)
    );
    for (what, counts) in [
        ("kind", &report.kinds),
        ("source, licence", &report.sources),
    ] {
        let mut table = Table::new(&[what, "samples", "share"]);
        for (name, n) in counts {
            let share = 100.0 * *n as f64 / report.samples.max(1) as f64;
            table.row(vec![name.clone(), n.to_string(), format!("{share:.1} %")]);
        }
        text.push_str(&format!("{}\n", table.to_text()));
    }
    for index in examples(&reader, SHOWN) {
        let sample = reader.get(index)?;
        text.push_str(&format!(
            "{} {}\n{}\n\n",
            sample.id,
            sample.kind,
            indented(&sample.text())
        ));
    }
    output::print(&text)
}

fn report(reader: &Reader) -> Report {
    let mut report = Report {
        samples: reader.len(),
        bytes: 0,
        kinds: BTreeMap::new(),
        sources: BTreeMap::new(),
    };
    for index in 0..reader.len() {
        report.bytes += reader.sample_bytes(index);
        *report
            .kinds
            .entry(reader.kind(index).to_owned())
            .or_default() += 1;
        let source = format!("{}, {}", reader.source(index), reader.licence(index));
        *report.sources.entry(source).or_default() += 1;
    }
    report
}

/// The first `most` samples of every kind, as positions.
fn examples(reader: &Reader, most: usize) -> Vec<usize> {
    let mut taken: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for index in 0..reader.len() {
        let of_kind = taken.entry(reader.kind(index)).or_default();
        if of_kind.len() < most {
            of_kind.push(index);
        }
    }
    taken.into_values().flatten().collect()
}

/// Everything about one sample but its pixels.
fn in_full(sample: &Sample) -> String {
    let mut text = format!(
        "id       {}\nkind     {}\nsource   {}\nlicence  {}\n",
        sample.id, sample.kind, sample.source, sample.licence
    );
    for (index, (image, truth)) in sample.images.iter().zip(&sample.truths).enumerate() {
        let shows = match truth {
            Some(Truth::Text(text)) => format!("shows the text {text:?}"),
            Some(Truth::Name(name)) => format!("shows {name:?}"),
            None => "shows nothing named".into(),
        };
        text.push_str(&format!("image {index}  {} bytes, {shows}\n", image.len()));
    }
    if let Content::Turns(turns) = &sample.content {
        let spelled = turns.iter().filter(|turn| turn.spelled).count();
        text.push_str(&format!(
            "turns    {}, {spelled} of them spelled\n",
            turns.len()
        ));
    }
    text.push_str(&format!("\n{}\n", sample.text()));
    text
}

fn indented(text: &str) -> String {
    text.lines()
        .map(|line| format!("  {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}
