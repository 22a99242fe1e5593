//! The pipeline: every passage to questions, every question that passes into a shard.

use avocet_data::shard::{Manifest, Writer};
use avocet_data::{Content, Sample};
use avocet_text::Turn;
use pipeline::{fnv1a, progress};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use crate::args::Args;
use crate::books::{Book, books};
use crate::error::TextbooksError;
use crate::filters;
use crate::model::{AskError, Model};
use crate::near::Kept;
use crate::passages::Passage;
use crate::prompts;
use crate::remembered::Remembered;
use crate::spans::{Span, spans};

/// What a bar says.
const BAR: &str = "{bar:30} {pos}/{len} passages, {msg}, {elapsed}, {eta} left";
/// Why a question is rejected whose prompt the model cannot take.
const UNFIT: &str = "passage: the model cannot take it";
/// Why a passage is rejected that has no phrase to ask for.
const NOTHING: &str = "passage: no name, number or thing to ask for";
/// Why a question is rejected that was asked before.
const REPEATED: &str = "question: nearly an earlier one";

/// Makes the dataset, or the rest of one that was begun; `ask` answers for `model`, always the same
/// for the same [`Ask`](crate::Ask).
///
/// Every question tried is an input: its name, such as `file/alice.txt/0012@8101-8956/2`, says the
/// file, which of its passages, its bytes in the file, and which question about it. A passage or
/// file that is not asked about is one input too.
///
/// Errors if a file cannot be read, the model fails, or the dataset cannot be written.
pub fn make(
    args: &Args,
    model: &Model,
    ask: &mut dyn FnMut(&prompts::Ask) -> Result<String, AskError>,
) -> Result<Manifest, TextbooksError> {
    args.run.check()?;
    if args.licence.trim().is_empty() {
        return Err(TextbooksError::Licence);
    }
    let books = books(&args.files, args.split)?;
    let settings = settings(args, model, &books);
    let mut writer = args.run.open("textbooks", args.split, settings)?;
    if writer.is_finished() {
        return Ok(writer.finish()?);
    }
    let remembered = Remembered::open(&writer.scratch()?)?;
    let done = writer.num_inputs();
    let mut maker = Maker {
        args,
        model,
        ask,
        remembered,
        kept: Kept::default(),
    };
    let mut ledger = Ledger {
        writer: &mut writer,
        done,
        place: 0,
    };
    let units = units(&books);
    maker.run(&units[args.run.share(units.len())], &mut ledger)?;
    Ok(writer.finish()?)
}

/// All that the bytes depend on.
fn settings(args: &Args, model: &Model, books: &[Book]) -> serde_json::Value {
    let files: Vec<_> = books
        .iter()
        .map(|book| json!({ "name": book.name, "sha256": book.sha256 }))
        .collect();
    json!({
        "files": files, "model": { "name": model.name, "sha256": model.sha256 },
        "prompts": prompts::VERSION, "questions": args.questions,
        "closed_book": args.closed_book, "licence": args.licence,
    })
}

/// What is shared out among ranks.
#[derive(Clone, Copy)]
enum Unit<'a> {
    /// A file, and why it is rejected.
    Rejected(&'a Book, &'static str),
    /// A passage and its number in its file.
    Passage(&'a Book, usize, &'a Passage),
}

fn units(books: &[Book]) -> Vec<Unit<'_>> {
    let mut units = Vec::new();
    for book in books {
        match &book.passages {
            Err(reason) => units.push(Unit::Rejected(book, reason)),
            Ok(passages) => {
                let passage = |(number, passage)| Unit::Passage(book, number, passage);
                units.extend(passages.iter().enumerate().map(passage));
            }
        }
    }
    units
}

/// Accounts for inputs in their order, and skips those that an earlier run accounted for.
struct Ledger<'a> {
    writer: &'a mut Writer,
    done: u64,
    place: u64,
}

/// What became of one question.
enum Made {
    /// It passed.
    Sample(Box<Sample>),
    /// Why it did not, and what the model said.
    Rejected(&'static str, String),
    /// It is nearly that of the sample of this name.
    Repeats(String),
}

impl Ledger<'_> {
    fn account(&mut self, input: &str, made: &Made) -> Result<(), TextbooksError> {
        self.place += 1;
        if self.place <= self.done {
            return Ok(());
        }
        match made {
            Made::Sample(sample) => {
                let _ = self.writer.keep(input, std::slice::from_ref(&**sample))?;
            }
            Made::Rejected(reason, said) if said.is_empty() => self.writer.reject(input, reason)?,
            Made::Rejected(reason, said) => {
                self.writer.reject_with_detail(input, reason, said)?;
            }
            Made::Repeats(id) => self.writer.reject_for(input, REPEATED, id)?,
        }
        Ok(())
    }
}

struct Maker<'a> {
    args: &'a Args,
    model: &'a Model,
    ask: &'a mut dyn FnMut(&prompts::Ask) -> Result<String, AskError>,
    remembered: Remembered,
    kept: Kept,
}

impl Maker<'_> {
    fn run(&mut self, units: &[Unit<'_>], ledger: &mut Ledger<'_>) -> Result<(), TextbooksError> {
        let bar = progress(BAR, units.len(), 0);
        bar.set_message("0 kept");
        let mut samples = 0u64;
        for unit in units {
            let asked = self.remembered.num_asked();
            match *unit {
                Unit::Rejected(book, reason) => {
                    ledger.account(&book.name, &Made::Rejected(reason, String::new()))?;
                }
                Unit::Passage(book, number, passage) => {
                    samples += self.passage(book, number, passage, ledger)?;
                }
            }
            bar.inc(1);
            bar.set_message(format!("{samples} kept"));
            // The time left follows from what is asked now, not from what is remembered.
            if self.remembered.num_asked() == asked {
                bar.reset_eta();
            }
        }
        bar.finish_and_clear();
        Ok(())
    }

    /// Tries all questions about a passage, and says how many are kept.
    fn passage(
        &mut self,
        book: &Book,
        number: usize,
        passage: &Passage,
        ledger: &mut Ledger<'_>,
    ) -> Result<u64, TextbooksError> {
        let (start, end) = (passage.bytes.start, passage.bytes.end);
        let name = format!("{}/{number:04}@{start}-{end}", book.name);
        if let Some(reason) = filters::passage(&passage.text) {
            ledger.account(&name, &Made::Rejected(reason, String::new()))?;
            return Ok(0);
        }
        // A question with its passage may come again about another passage.
        if !self.args.closed_book {
            self.kept.clear();
        }
        let mut rng = ChaCha8Rng::seed_from_u64(self.args.run.seed ^ fnv1a(&name));
        let mut kept = 0;
        let mut spans = spans(&passage.text);
        spans.shuffle(&mut rng);
        spans.truncate(self.args.questions as usize);
        if spans.is_empty() {
            ledger.account(&name, &Made::Rejected(NOTHING, String::new()))?;
        }
        for (question, span) in spans.iter().enumerate() {
            let input = format!("{name}/{question}");
            let beginning = prompts::beginning(span, &mut rng);
            let ask = prompts::question(span, beginning);
            let asked = (beginning, &ask);
            let made = self.question(&input, &book.name, (&passage.text, span), asked)?;
            kept += u64::from(matches!(made, Made::Sample(_)));
            ledger.account(&input, &made)?;
        }
        Ok(kept)
    }

    fn question(
        &mut self,
        input: &str,
        source: &str,
        (passage, span): (&str, &Span),
        (beginning, ask): (&str, &prompts::Ask),
    ) -> Result<Made, TextbooksError> {
        let Some(said) = self.said(ask)? else {
            return Ok(Made::Rejected(UNFIT, String::new()));
        };
        let said = format!("{beginning}{said}");
        let question = match filters::question(&said, &span.around, self.args.closed_book) {
            Ok(question) => question,
            Err(reason) => return Ok(Made::Rejected(reason, said)),
        };
        if let Some(id) = self.kept.find(&question) {
            return Ok(Made::Repeats(id.to_owned()));
        }
        if let Some(reason) = filters::answer(&question, &span.text) {
            let said = format!("{question} {}", span.text);
            return Ok(Made::Rejected(reason, said));
        }
        let Some(said) = self.said(&prompts::answer(&span.around, &question))? else {
            return Ok(Made::Rejected(UNFIT, question));
        };
        if let Err(reason) = filters::agree(&question, &span.text, &said) {
            let said = format!("{question} {} | {said}", span.text);
            return Ok(Made::Rejected(reason, said));
        }
        let answer = span.text.clone();
        let sample = self.sample(input, source, passage, (&question, answer))?;
        self.kept.add(&question, &sample.id);
        Ok(Made::Sample(Box::new(sample)))
    }

    /// What the model says; nothing if the prompt is too long for it.
    fn said(&mut self, ask: &prompts::Ask) -> Result<Option<String>, TextbooksError> {
        match self.remembered.ask(ask, self.ask)? {
            Ok(said) => Ok(Some(said)),
            Err(AskError::Unfit) => Ok(None),
            Err(AskError::Failed(reason)) => Err(TextbooksError::Model {
                model: self.model.name.clone(),
                reason,
            }),
        }
    }

    fn sample(
        &self,
        input: &str,
        source: &str,
        passage: &str,
        (question, answer): (&str, String),
    ) -> Result<Sample, TextbooksError> {
        let (kind, asked) = match self.args.closed_book {
            true => ("closed-book", question.to_owned()),
            false => ("reading", format!("{passage}\n\n{question}")),
        };
        let turns = vec![Turn::user(asked), Turn::assistant(answer)];
        let licence = self.args.licence.trim();
        let made = Sample::new(kind, source, licence, Vec::new(), Content::Turns(turns));
        made.map_err(|cause| TextbooksError::Sample {
            input: input.to_owned(),
            cause,
        })
    }
}

#[cfg(test)]
mod tests;
