//! `avocet score`: log-probabilities of given texts, JSONL in and JSONL out.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use avocet_infer::{Engine, Score, ScoreOptions};
use avocet_media::named::brief;
use candle_core::Tensor;
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::args::input;
use crate::input::{media, model};
use crate::ui::output;

/// `avocet score`.
#[derive(Debug, Args)]
pub struct ScoreArgs {
    /// The model: `mini` (built in), a folder, a GGUF file, or a hub id such as owner/name.
    #[arg(long, value_name = "REF", default_value = "mini")]
    pub model: String,
    /// Change a field of the model's configuration, such as
    /// `cross_attention.without_image=nothing`; may be given many times.
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    pub settings: Vec<String>,
    /// Records {"id","text" or "token_ids","images":[PATH...]}, one a line; - is stdin.
    #[arg(long, value_name = "FILE.jsonl", value_parser = input())]
    pub input: PathBuf,
    /// Also write the f32 logits, one tensor (T, V) named by id.
    #[arg(long, value_name = "FILE.safetensors")]
    pub logits: Option<PathBuf>,
    /// Also append N greedy tokens to each record.
    #[arg(long, value_name = "N")]
    pub greedy: Option<usize>,
}

/// One line of input longer than this is refused.
const MAX_LINE_BYTES: u64 = 16 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    id: Value,
    text: Option<String>,
    token_ids: Option<Vec<u32>>,
    #[serde(default)]
    images: Vec<PathBuf>,
}

#[derive(Serialize)]
struct Scored<'a> {
    id: &'a Value,
    token_ids: &'a [u32],
    logprobs: &'a [Option<f64>],
    #[serde(skip_serializing_if = "Option::is_none")]
    greedy_ids: Option<&'a [u32]>,
}

#[derive(Serialize)]
struct Failed<'a> {
    id: &'a Value,
    error: String,
}

/// Scores every record; a bad one fails alone.
pub fn run(args: &ScoreArgs) -> Result<()> {
    let engine = model::load(&args.model, &args.settings)?;
    let input: Box<dyn BufRead> = if args.input == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        let file =
            File::open(&args.input).with_context(|| format!("--input {}", args.input.display()))?;
        Box::new(BufReader::new(file))
    };
    let folder = args.input.parent().unwrap_or(Path::new(""));
    let mut logits = HashMap::new();
    let lines = Lines { input };
    for line in lines {
        let line = line.with_context(|| format!("--input {}", args.input.display()))?;
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let record = match parse(&line) {
            Ok(record) => record,
            Err((id, error)) => {
                output::print_json(&Failed { id: &id, error })?;
                continue;
            }
        };
        let name = name_of(&record.id);
        let outcome = if args.logits.is_some() && logits.contains_key(&name) {
            Err(anyhow::anyhow!(
                "id {name:?} was used before: its logits would be lost"
            ))
        } else {
            score(&engine, &record, folder, args)
        };
        match outcome {
            Ok((ids, scored)) => {
                output::print_json(&Scored {
                    id: &record.id,
                    token_ids: &ids,
                    logprobs: &scored.logprobs,
                    greedy_ids: args.greedy.map(|_| scored.greedy_ids.as_slice()),
                })?;
                if let Some(tensor) = scored.logits {
                    logits.insert(name, tensor);
                }
            }
            Err(error) => output::print_json(&Failed {
                id: &record.id,
                error: brief(&format!("{error:#}")),
            })?,
        }
    }
    if let Some(path) = &args.logits {
        write_logits(&logits, path).with_context(|| format!("--logits {}", path.display()))?;
    }
    Ok(())
}

fn write_logits(logits: &HashMap<String, Tensor>, path: &Path) -> Result<()> {
    candle_core::safetensors::save(logits, path)?;
    Ok(())
}

/// The record of a line, or its id, as far as it can be read, and what is wrong.
fn parse(line: &[u8]) -> Result<Record, (Value, String)> {
    serde_json::from_slice(line).map_err(|error| {
        let value: Value = serde_json::from_slice(line).unwrap_or_default();
        (
            value.get("id").cloned().unwrap_or_default(),
            brief(&error.to_string()),
        )
    })
}

fn name_of(id: &Value) -> String {
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}

fn score(
    engine: &Engine,
    record: &Record,
    folder: &Path,
    args: &ScoreArgs,
) -> Result<(Vec<u32>, Score)> {
    let ids = match (&record.text, &record.token_ids) {
        (Some(text), None) => engine.encode_as_written(text).context("text")?,
        (None, Some(ids)) => ids.clone(),
        (Some(_), Some(_)) => bail!("both text and token_ids are given"),
        (None, None) => bail!("neither text nor token_ids is given"),
    };
    let images = record
        .images
        .iter()
        .map(|path| media::read_image(engine, &media::beside(path, folder)))
        .collect::<Result<Vec<_>>>()?;
    let options = ScoreOptions {
        logits: args.logits.is_some(),
        greedy: args.greedy.unwrap_or(0),
    };
    let score = engine.score(&ids, &images, options)?;
    Ok((ids, score))
}

/// Lines of a file as bytes, none longer than [`MAX_LINE_BYTES`].
struct Lines {
    input: Box<dyn BufRead>,
}

impl Iterator for Lines {
    type Item = Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut line = Vec::new();
        match self
            .input
            .by_ref()
            .take(MAX_LINE_BYTES)
            .read_until(b'\n', &mut line)
        {
            Ok(0) => None,
            Ok(_) if line.len() as u64 == MAX_LINE_BYTES && line.last() != Some(&b'\n') => {
                Some(Err(anyhow::anyhow!(
                    "a line is longer than {MAX_LINE_BYTES} bytes"
                )))
            }
            Ok(_) => Some(Ok(line)),
            Err(error) => Some(Err(error.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_bad_record_is_kept() {
        let Err((id, error)) = parse(br#"{"id":7,"texts":"a"}"#) else {
            panic!("texts is no field")
        };
        assert_eq!(id, 7);
        assert!(error.contains("texts"), "{error}");
        let Err((id, _)) = parse(b"{nonsense") else {
            panic!("no JSON")
        };
        assert_eq!(id, Value::Null);
    }

    #[test]
    fn an_endless_line_is_an_error() {
        let input = Box::new(BufReader::new(std::io::repeat(b'a')));
        assert!(Lines { input }.next().is_some_and(|line| line.is_err()));
    }
}
