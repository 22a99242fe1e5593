//! What `avocet eval` asks: a dataset of our shards, or a JSONL file of questions.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use avocet_data::shard::Reader;
use avocet_data::{Content, Sample};
use avocet_text::{Role, Turn};
use serde::Deserialize;

use crate::ask::with_markers;
use crate::media;

/// Where tasks called by name are looked for.
const DATASETS: &str = "datasets";

/// Where questions come from.
#[derive(Debug)]
pub enum Task {
    /// A finished dataset.
    Dataset(PathBuf),
    /// A file of [`Line`]s.
    Jsonl(PathBuf),
}

/// One question with its right answer.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Names it in the answers file.
    pub id: String,
    /// The row of the table it counts in.
    pub kind: String,
    /// Image files as they are, one per marker.
    pub images: Vec<Vec<u8>>,
    /// The conversation up to the question.
    pub turns: Vec<Turn>,
    /// What should be answered.
    pub reference: String,
}

/// A line of a JSONL task. The table always shows both metrics; `metric` names the one that
/// counts, for the reader.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    id: Option<String>,
    #[serde(default)]
    images: Vec<PathBuf>,
    question: String,
    answer: String,
    kind: Option<String>,
    metric: Option<Metric>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Metric {
    Exact,
    Cer,
}

impl Task {
    /// Finds what `name` means: a folder, a file, or a folder under `datasets`.
    pub fn find(name: &str) -> Result<Self> {
        for path in [PathBuf::from(name), Path::new(DATASETS).join(name)] {
            if path.is_dir() {
                return Ok(Self::Dataset(path));
            }
            if path.is_file() {
                return Ok(Self::Jsonl(path));
            }
        }
        bail!("--task {name}: no such folder or file, nor one under {DATASETS}/");
    }

    /// Where the answers of a model called `model` are kept: beside the task.
    pub fn answers_path(&self, model: &str) -> PathBuf {
        let (Self::Dataset(path) | Self::Jsonl(path)) = self;
        let stem = match self {
            Self::Dataset(path) => path.file_name(),
            Self::Jsonl(path) => path.file_stem(),
        };
        let stem = stem.map_or("task".into(), |stem| stem.to_string_lossy());
        path.with_file_name(format!("{stem}.answers-{model}.jsonl"))
    }

    /// The questions, in order, at most `limit` of them.
    pub fn questions(&self, limit: usize) -> Result<Box<dyn Iterator<Item = Result<Asked>>>> {
        Ok(match self {
            Self::Dataset(path) => {
                let reader = Reader::open(path)?;
                let samples = (0..reader.len()).map(move |index| Ok(reader.get(index)?));
                Box::new(
                    samples
                        .flat_map(|sample| expand(sample.map(asked_of)))
                        .take(limit),
                )
            }
            Self::Jsonl(path) => Box::new(jsonl(path)?.take(limit)),
        })
    }
}

fn expand(list: Result<Vec<Asked>>) -> Box<dyn Iterator<Item = Result<Asked>>> {
    match list {
        Ok(list) => Box::new(list.into_iter().map(Ok)),
        Err(error) => Box::new(std::iter::once(Err(error))),
    }
}

/// Each answer of a sample is asked for, given the turns before it; a document asks nothing.
fn asked_of(sample: Sample) -> Vec<Asked> {
    let Content::Turns(turns) = &sample.content else {
        return Vec::new();
    };
    let answers = turns
        .iter()
        .enumerate()
        .filter(|(_, turn)| turn.role == Role::Assistant);
    answers
        .map(|(place, answer)| {
            let before = turns[..place].to_vec();
            let images = before.iter().map(Turn::num_images).sum();
            Asked {
                id: sample.id.clone(),
                kind: sample.kind.clone(),
                images: sample.images.iter().take(images).cloned().collect(),
                turns: before,
                reference: answer.text.clone(),
            }
        })
        .collect()
}

fn jsonl(path: &Path) -> Result<impl Iterator<Item = Result<Asked>> + use<>> {
    let name = path.display().to_string();
    let file = File::open(path).with_context(|| name.clone())?;
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    let lines = BufReader::new(file).lines().enumerate();
    let lines = lines
        .filter(|(_, line)| line.as_ref().is_ok_and(|l| !l.trim().is_empty()) || line.is_err());
    Ok(lines.map(move |(index, line)| {
        let at = || format!("{name}, line {}", index + 1);
        let line: Line = serde_json::from_str(&line.with_context(at)?).with_context(at)?;
        asked_of_line(line, index + 1, &folder).with_context(at)
    }))
}

fn asked_of_line(line: Line, number: usize, folder: &Path) -> Result<Asked> {
    let images = line
        .images
        .iter()
        .map(|path| {
            media::read_file(&media::beside(path, folder))
                .with_context(|| path.display().to_string())
        })
        .collect::<Result<Vec<_>>>()?;
    let kind = line.kind.unwrap_or_else(|| match line.metric {
        Some(Metric::Exact) => "exact".into(),
        Some(Metric::Cer) => "cer".into(),
        None => "questions".into(),
    });
    Ok(Asked {
        id: line.id.unwrap_or_else(|| number.to_string()),
        kind,
        turns: vec![Turn::user(with_markers(&line.question, images.len()))],
        images,
        reference: line.answer,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_of_a_conversation_is_asked_for() {
        let turns = vec![
            Turn::user("<image>What?"),
            Turn::assistant("a cat"),
            Turn::user("<image>And this?"),
            Turn::assistant("a dog"),
        ];
        let images = vec![(vec![1], None), (vec![2], None)];
        let sample = Sample::new("vqa", "made-up", "CC0-1.0", images, Content::Turns(turns))
            .expect("markers and images agree");
        let asked = asked_of(sample);
        let seen: Vec<_> = asked
            .iter()
            .map(|a| (a.images.len(), a.turns.len(), a.reference.as_str()))
            .collect();
        assert_eq!(seen, [(1, 1, "a cat"), (2, 3, "a dog")]);
    }

    #[test]
    fn answers_lie_beside_their_task() {
        let path = |task: Task| task.answers_path("mini").display().to_string();
        assert_eq!(
            path(Task::Jsonl("a/b.jsonl".into())),
            "a/b.answers-mini.jsonl"
        );
        assert_eq!(path(Task::Dataset("a/b".into())), "a/b.answers-mini.jsonl");
    }
}
