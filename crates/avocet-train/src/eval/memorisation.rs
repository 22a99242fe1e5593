//! How much of its training text a model knows by heart.

use std::collections::BTreeMap;

use avocet_data::{Batch, Content, Sample};
use avocet_infer::Engine;
use serde::Serialize;

use super::error::Result;
use super::loss::Reader;

/// Rows of tokens in one forward pass, more or less.
const ROWS: usize = 4096;

/// How much of each text is shown, and how much is to follow, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanLength {
    /// Tokens shown.
    pub prefix: usize,
    /// Tokens that are to follow, verbatim.
    pub span: usize,
}

/// What a model knows of one kind of text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Memorisation {
    /// Texts that are long enough, one span each.
    pub spans: usize,
    /// Texts that are too short.
    pub too_short: usize,
    /// Spans whose every token is the likeliest after those before it.
    pub verbatim: usize,
    /// Share of spans completed verbatim.
    pub share: f64,
    /// Mean number of tokens of a span before the first that differs.
    pub mean_matched: f64,
}

/// Shows the model the beginning of each text and compares what is likeliest to follow with what
/// does: by kind, and over all under `all`.
///
/// Greedy decoding repeats a span exactly if and only if each of its tokens is the likeliest after
/// the true ones before it, so that one forward pass a text is enough (k-extractable, Carlini et
/// al. 2023, arXiv:2202.07646). Conversations are passed over: an answer may be right without
/// being remembered.
///
/// Errors if a sample cannot be read.
pub fn completed_spans(
    engine: &Engine,
    samples: impl IntoIterator<Item = Result<Sample>>,
    length: SpanLength,
    mut read: impl FnMut(usize),
) -> Result<BTreeMap<String, Memorisation>> {
    let reader = Reader::new(engine);
    let mut found: BTreeMap<String, Memorisation> = BTreeMap::new();
    let mut batch = Batch::new();
    for sample in samples {
        let sample = sample?;
        read(1);
        if !matches!(sample.content, Content::Document(_)) {
            continue;
        }
        batch.push(reader.prepared(&sample)?);
        if batch.num_texts() >= reader.most_samples || batch.ids.len() >= ROWS {
            judge(&reader, &batch, length, &mut found)?;
            batch = Batch::new();
        }
    }
    judge(&reader, &batch, length, &mut found)?;
    for kind in found.values_mut() {
        let spans = kind.spans.max(1) as f64;
        kind.share = kind.verbatim as f64 / spans;
        kind.mean_matched /= spans;
    }
    Ok(found)
}

fn judge(
    reader: &Reader<'_>,
    batch: &Batch,
    length: SpanLength,
    found: &mut BTreeMap<String, Memorisation>,
) -> Result<()> {
    if batch.num_texts() == 0 {
        return Ok(());
    }
    let hidden = reader.read(batch)?.hidden;
    for (text, kind) in batch.offsets.windows(2).zip(&batch.kinds) {
        // Row i predicts token i + 1, so that the last token shown predicts the span's first.
        let first = text[0] + length.prefix.max(1) - 1;
        let rows: Vec<usize> = (first..first + length.span).collect();
        let fits = first + length.span <= text[1];
        let matched = match fits {
            true => {
                let right = reader.judge(&hidden, &rows, |row, logits| {
                    likeliest(logits) == batch.targets[row]
                })?;
                right.iter().take_while(|right| **right).count()
            }
            false => 0,
        };
        for kind in [kind.as_str(), "all"] {
            let kind = found.entry(kind.to_owned()).or_default();
            if fits {
                kind.spans += 1;
                kind.verbatim += usize::from(matched == length.span);
                kind.mean_matched += matched as f64;
            } else {
                kind.too_short += 1;
            }
        }
    }
    Ok(())
}

fn likeliest(logits: &[f32]) -> u32 {
    let best = (0..).zip(logits).max_by(|a, b| a.1.total_cmp(b.1));
    best.map_or(0, |(id, _)| id)
}
