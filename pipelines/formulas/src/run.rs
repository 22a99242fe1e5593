//! The pipeline: numbers of samples and formulas of files to pictures, on all cores, and in
//! order into shards.

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

use avocet_data::shard::{Manifest, Writer};
use pipeline::{Outcome, account, in_order, progress, rest};
use rayon::ThreadPool;
use rayon::prelude::*;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::args::{Args, SetBy};
use crate::clean::clean;
use crate::error::FormulasError;
use crate::extract::{self, Formulas, Markup};
use crate::generator::{Drawn, FormulaGenerator, beginning};
use crate::grammar::MOST_LEVEL;
use crate::hands::{BATCH, Hands};
use crate::kinds::Kind;
use crate::plan::Planned;
use crate::tokens::print;
use crate::typeset::Unrenderable;

/// Samples drawn at once before they are written.
const DRAWN_AT_ONCE: usize = 256;
/// Batches of other programs made at once before they are written.
const BATCHES_AT_ONCE: usize = 8;
/// What a bar says.
const BAR: &str = "{bar:30} {pos}/{len} samples, {per_sec}, {eta} left";
/// Larger files are rejected.
const MAX_FILE: u64 = 16 << 20;
/// Room for deeply nested formulas.
const STACK: usize = 16 << 20;
/// What the sides of a formula's picture may be.
const SIDES: Range<usize> = 32..4097;

/// Makes the dataset, or the rest of one that was begun.
///
/// Errors if a flag is out of range, a package or file cannot be had, or the dataset cannot be
/// written.
pub fn make(args: &Args) -> Result<Manifest, FormulasError> {
    args.run.check()?;
    check(args)?;
    let kinds = kinds(args);
    let files = files(args)?;
    let wants_text = kinds.iter().any(|kind| kind.is_text());
    let wants_manuals = kinds.contains(&Kind::FormulaManual);
    let mut generator = FormulaGenerator::load(args, (wants_text, wants_manuals))?;
    if wants_text {
        for file in files.iter().filter(|file| file.markup != Markup::Tex) {
            if let Ok(text) = &file.text {
                generator.add_text(&file.path, text);
            }
        }
        if !generator.has_text() {
            let kind = kinds.iter().find(|kind| kind.is_text());
            return Err(FormulasError::NoText {
                kind: kind.map_or("", |kind| kind.name()),
                split: args.split.name(),
            });
        }
    }
    let names: Vec<_> = files
        .iter()
        .map(|f| (f.name.as_str(), f.sha256.as_str()))
        .collect();
    let mut settings = json!({
        "kinds": kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>(),
        "files": names, "count": args.count, "difficulty": args.difficulty,
        "max_width": args.max_width, "max_height": args.max_height,
        "bundled": args.bundled, "licence": args.licence,
    });
    let hands = match args.renderer {
        SetBy::Own => None,
        by => Some(Hands::open(
            by.renderer(),
            generator.sources()?,
            args.run.seed,
        )?),
    };
    if let Some(hands) = &hands {
        settings["renderers"] = json!(hands.versions());
    }
    generator.record(&mut settings);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(args.jobs)
        .stack_size(STACK)
        .build()?;
    let all = inputs(&kinds, args.count, &files);
    let share = args.run.share(all.len());
    let work = Work {
        generator: &generator,
        files: &files,
    };
    let writer = args.run.open("formulas", args.split, settings)?;
    match &hands {
        None => work.write(writer, &all[share], &pool),
        Some(hands) => work.write_batches(writer, (&all, share), hands, &pool),
    }
}

fn check(args: &Args) -> Result<(), FormulasError> {
    let flag = |flag, got, range| Err(FormulasError::Flag { flag, got, range });
    if !(1..=MOST_LEVEL).contains(&args.difficulty) {
        return flag("difficulty", args.difficulty, format!("1 to {MOST_LEVEL}"));
    }
    for (name, side) in [
        ("max-width", args.max_width),
        ("max-height", args.max_height),
    ] {
        if !SIDES.contains(&side) {
            return flag(name, side, format!("{} to {}", SIDES.start, SIDES.end - 1));
        }
    }
    let texts = args.kinds.iter().find(|kind| kind.is_text());
    if let (Some(kind), true) = (texts, args.renderer != SetBy::Own) {
        return Err(FormulasError::OwnAlone {
            renderer: args.renderer.name(),
            kind: kind.name(),
        });
    }
    let asked = |kind| args.kinds.contains(&kind);
    match args.files.first() {
        None if asked(Kind::FormulaFile) => Err(FormulasError::NoFiles {
            kind: Kind::FormulaFile.name(),
        }),
        Some(path) if !args.kinds.is_empty() && args.kinds == [Kind::Formula] => {
            Err(FormulasError::UnusedFiles { path: path.clone() })
        }
        _ => Ok(()),
    }
}

/// The kinds asked for, each once; by default what is in the files, or all others without files.
fn kinds(args: &Args) -> Vec<Kind> {
    let all = Kind::ALL.into_iter();
    if args.kinds.is_empty() {
        let has_files = !args.files.is_empty();
        let is_drawn = |kind: &Kind| args.renderer == SetBy::Own || !kind.is_text();
        let is_here = |kind: &Kind| !args.bundled || *kind != Kind::FormulaManual;
        all.filter(|kind| (*kind == Kind::FormulaFile) == has_files)
            .filter(|kind| is_drawn(kind) && is_here(kind))
            .collect()
    } else {
        all.filter(|kind| args.kinds.contains(kind)).collect()
    }
}

/// A file given by the user, read and searched.
struct GivenFile {
    path: std::path::PathBuf,
    name: String,
    sha256: String,
    markup: Markup,
    /// Its text, or why it is rejected.
    text: Result<String, &'static str>,
    formulas: Formulas,
}

fn files(args: &Args) -> Result<Vec<GivenFile>, FormulasError> {
    let markup = |path: &Path| match path.extension().and_then(|ending| ending.to_str()) {
        Some("tex") => Ok(Markup::Tex),
        Some("md") => Ok(Markup::Markdown),
        Some("txt") => Ok(Markup::Plain),
        _ => Err(FormulasError::Ending {
            path: path.to_owned(),
        }),
    };
    let markups: Vec<Markup> = args
        .files
        .iter()
        .map(|path| markup(path))
        .collect::<Result<_, _>>()?;
    let read = |(number, (path, markup)): (usize, (&std::path::PathBuf, Markup))| {
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(FormulasError::io(path))?;
        file.take(MAX_FILE + 1)
            .read_to_end(&mut bytes)
            .map_err(FormulasError::io(path))?;
        let sha256: String = Sha256::digest(&bytes)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        let text = if bytes.len() as u64 > MAX_FILE {
            Err("a file larger than 16 MiB")
        } else {
            text_of(bytes, markup)
        };
        let text = text.map(|text| text.replace("\r\n", "\n"));
        let formulas = match &text {
            Ok(text) => extract::find(text, markup),
            Err(_) => Formulas::default(),
        };
        let shown = path.file_name().unwrap_or_default().to_string_lossy();
        Ok(GivenFile {
            path: path.clone(),
            name: format!("{}/{shown}", number + 1),
            sha256,
            markup,
            text,
            formulas,
        })
    };
    args.files
        .iter()
        .zip(markups)
        .enumerate()
        .map(read)
        .collect()
}

/// A file's text. LaTeX of old is in one of many encodings, in all of which what formulas are
/// written with is the same.
fn text_of(bytes: Vec<u8>, markup: Markup) -> Result<String, &'static str> {
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(error) if markup == Markup::Tex => Ok(error
            .as_bytes()
            .iter()
            .map(|byte| char::from(*byte))
            .collect()),
        Err(_) => Err("a file that is not UTF-8"),
    }
}

/// One line of the ledger to come.
#[derive(Debug, Clone, Copy)]
enum Input {
    Formula(usize),
    Manual(usize),
    Paragraph(usize),
    Document(usize),
    /// The file's number, and that of the formula in it.
    Found(usize, usize),
    /// A file without a formula.
    Nothing(usize),
}

fn inputs(kinds: &[Kind], count: usize, files: &[GivenFile]) -> Vec<Input> {
    let mut inputs = Vec::new();
    for kind in kinds {
        match kind {
            Kind::Formula => inputs.extend((0..count).map(Input::Formula)),
            Kind::FormulaManual => inputs.extend((0..count).map(Input::Manual)),
            Kind::Paragraph => inputs.extend((0..count).map(Input::Paragraph)),
            Kind::Document => inputs.extend((0..count).map(Input::Document)),
            Kind::FormulaFile => {
                for (file, given) in files.iter().enumerate() {
                    let count = given.formulas.found.len();
                    inputs.extend((0..count).map(|n| Input::Found(file, n)));
                    if count == 0 {
                        inputs.push(Input::Nothing(file));
                    }
                }
            }
        }
    }
    inputs
}

struct Work<'a> {
    generator: &'a FormulaGenerator,
    files: &'a [GivenFile],
}

impl Work<'_> {
    /// Draws the inputs that are not yet accounted for and writes them in order.
    fn write(
        &self,
        writer: Writer,
        inputs: &[Input],
        pool: &ThreadPool,
    ) -> Result<Manifest, FormulasError> {
        let done = inputs.len() - rest(&writer, inputs).len();
        let bar = progress(BAR, inputs.len(), done);
        let draw = |input: &Input| {
            let drawn = self.draw(*input)?;
            bar.inc(1);
            Ok(match drawn {
                Ok(sample) => Outcome::Samples(vec![sample]),
                Err(why) => Outcome::RejectedWith(why.reason, why.detail),
            })
        };
        let name = |input: &Input| self.name(*input);
        let made = in_order(writer, inputs, (pool, DRAWN_AT_ONCE), name, draw);
        bar.finish_and_clear();
        made
    }

    fn name(&self, input: Input) -> String {
        match input {
            Input::Formula(n) => format!("{}/{n:07}", Kind::Formula.name()),
            Input::Manual(n) => format!("{}/{n:07}", Kind::FormulaManual.name()),
            Input::Paragraph(n) => format!("{}/{n:07}", Kind::Paragraph.name()),
            Input::Document(n) => format!("{}/{n:07}", Kind::Document.name()),
            Input::Found(file, n) => {
                format!(
                    "{}/{}/{n:07}",
                    Kind::FormulaFile.name(),
                    self.files[file].name
                )
            }
            Input::Nothing(file) => {
                format!("{}/{}", Kind::FormulaFile.name(), self.files[file].name)
            }
        }
    }

    /// As [`Self::write`] what programs of others set: whole batches by their numbers, so that the bytes
    /// do not depend on where a run begins.
    fn write_batches(
        &self,
        mut writer: Writer,
        (all, share): (&[Input], Range<usize>),
        hands: &Hands,
        pool: &ThreadPool,
    ) -> Result<Manifest, FormulasError> {
        let mine = &all[share.clone()];
        let done = mine.len() - rest(&writer, mine).len();
        let bar = progress(BAR, mine.len(), done);
        let first = share.start + done;
        let batches: Vec<usize> = (first / BATCH..share.end.div_ceil(BATCH)).collect();
        for some in batches.chunks(BATCHES_AT_ONCE) {
            let made = pool.install(|| {
                let batch = |number: &usize| self.batch(*number, all, hands);
                some.par_iter().map(batch).collect::<Result<Vec<_>, _>>()
            })?;
            for (number, outcomes) in some.iter().zip(made) {
                for (at, outcome) in (number * BATCH..).zip(outcomes) {
                    if (first..share.end).contains(&at) {
                        account(&mut writer, &self.name(all[at]), outcome)?;
                        bar.inc(1);
                    }
                }
            }
        }
        bar.finish_and_clear();
        Ok(writer.finish()?)
    }

    fn batch(
        &self,
        number: usize,
        all: &[Input],
        hands: &Hands,
    ) -> Result<Vec<Outcome>, FormulasError> {
        let end = all.len().min((number + 1) * BATCH);
        let inputs = &all[number * BATCH..end];
        let plans: Vec<_> = inputs.iter().map(|input| self.plan(*input)).collect();
        let mut planned: Vec<Planned> = plans.iter().flatten().cloned().collect();
        let (painted, printed) = hands.batch(number, &mut planned, self.generator.room)?;
        let mut painted = planned.into_iter().zip(painted);
        let mut outcomes = Vec::with_capacity(inputs.len());
        for plan in plans {
            let why = match plan {
                Err(why) => why,
                Ok(_) => match painted.next() {
                    Some((planned, Ok(image))) => {
                        let sample = planned.sample(image, &printed.by, printed.licence)?;
                        outcomes.push(Outcome::Samples(vec![sample]));
                        continue;
                    }
                    Some((_, Err(why))) => why,
                    None => continue,
                },
            };
            outcomes.push(Outcome::RejectedWith(why.reason, why.detail));
        }
        Ok(outcomes)
    }

    /// The formula that an input shows, or why it shows none.
    fn plan(&self, input: Input) -> Result<Planned, Unrenderable> {
        match input {
            Input::Formula(n) => self.generator.formula(n as u64),
            Input::Manual(n) => self.generator.of_manual(n as u64),
            Input::Found(file, n) => self.found(&self.files[file], n, &self.name(input)),
            Input::Paragraph(_) | Input::Document(_) => Err(Unrenderable {
                reason: "no formula",
                detail: self.name(input),
            }),
            Input::Nothing(file) => {
                let given = &self.files[file];
                let reason = given.text.as_ref().err().copied();
                Err(Unrenderable {
                    reason: reason.unwrap_or("a file without formulas"),
                    detail: given.path.display().to_string(),
                })
            }
        }
    }

    fn draw(&self, input: Input) -> Result<Drawn, FormulasError> {
        match input {
            Input::Paragraph(n) => self.generator.paragraph(n as u64),
            Input::Document(n) => self.generator.document(n as u64),
            formula => match self.plan(formula) {
                Ok(planned) => self.generator.drawn(planned),
                Err(why) => Ok(Err(why)),
            },
        }
    }

    fn found(&self, given: &GivenFile, n: usize, input: &str) -> Result<Planned, Unrenderable> {
        let found = &given.formulas.found[n];
        match given.formulas.spelled_out(found) {
            Ok(tokens) => {
                let shown = given.path.file_name().unwrap_or_default().to_string_lossy();
                let latex = print(&clean(tokens));
                let source = format!("file/{shown}");
                let generator = self.generator;
                generator.found(input, &source, latex.trim(), found.inline)
            }
            Err(why) => Err(Unrenderable {
                reason: "a macro that cannot be spelled out",
                detail: format!("{}: {why}", beginning(given.formulas.source(found))),
            }),
        }
    }
}
