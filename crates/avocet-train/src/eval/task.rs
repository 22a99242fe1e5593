//! Held-out questions: a dataset of our shards, or rows of questions beside pictures.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use avocet_data::rows::{self, Row, RowError};
use avocet_data::{Content, Sample};
use avocet_text::{Role, Turn};

use super::error::Result;

/// Where tasks called by name are looked for.
pub const DATASETS: &str = "datasets";

/// Where questions come from.
#[derive(Debug)]
pub enum Task {
    /// A finished dataset.
    Dataset(PathBuf),
    /// A folder of pictures with a table or with folders as labels, or a file of rows.
    Rows(PathBuf),
}

/// One question with its right answers.
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
    /// What should be answered, one at least.
    pub references: Vec<String>,
    /// The answer is read off letter by letter: how many letters are wrong says more of it than
    /// whether all are right.
    pub spelled: bool,
}

/// What a task holds, one after another.
pub type Items<T> = Box<dyn Iterator<Item = Result<T>>>;

impl Task {
    /// Finds what `name` means: a folder, a file, or one of these under `datasets`.
    pub fn find(name: &Path) -> Option<Self> {
        for path in [name.to_owned(), Path::new(DATASETS).join(name)] {
            if path.is_file() || (path.is_dir() && rows::holds_rows(&path)) {
                return Some(Self::Rows(path));
            }
            if path.is_dir() {
                return Some(Self::Dataset(path));
            }
        }
        None
    }

    /// The datasets that a folder of datasets, or one of that name under `datasets`, holds for the
    /// test, by their names; none if it is no such folder.
    pub fn group(name: &Path) -> Option<Vec<(String, Self)>> {
        let folders = folders_of(name)?.into_iter();
        let sets = folders.filter_map(|(name, folder)| {
            let test = folder.join("test");
            is_finished(&test).then_some((name, Self::Dataset(test)))
        });
        let sets: Vec<_> = sets.collect();
        (!sets.is_empty()).then_some(sets)
    }

    /// What of a folder of datasets is none of its [`Self::group`], and why.
    pub fn left_out(name: &Path) -> Vec<String> {
        let folders = folders_of(name).unwrap_or_default().into_iter();
        let notes = folders.filter_map(|(name, folder)| {
            let test = folder.join("test");
            let reason = match (test.is_dir(), is_finished(&test)) {
                (_, true) => return None,
                (true, false) => "there is no manifest.json in its test, which is not finished",
                (false, false) => "there is no test in it",
            };
            Some(format!("{name} is left out: {reason}"))
        });
        notes.collect()
    }

    /// Where the answers of a model called `model` are kept: beside the task.
    pub fn answers_path(&self, model: &str) -> PathBuf {
        let (Self::Dataset(path) | Self::Rows(path)) = self;
        let stem = match path.is_file() {
            true => path.file_stem(),
            false => path.file_name(),
        };
        let stem = stem.map_or("task".into(), |stem| stem.to_string_lossy());
        path.with_file_name(format!("{stem}.answers-{model}.jsonl"))
    }

    /// Reads the rows of the first `limit` questions, but none of their pictures, and says what
    /// is passed over in them.
    ///
    /// Errors if one is wrong: before anything is loaded and answered for nothing.
    pub fn check(&self, limit: usize) -> Result<Vec<String>> {
        let Self::Rows(path) = self else {
            return Ok(Vec::new());
        };
        let (mut questions, mut empty, mut passed_over) = (0, 0, BTreeSet::new());
        for row in rows::read(path)? {
            match row {
                Err(error) if error.empty => empty += 1,
                row => {
                    let row = row?;
                    let answers = row.turns.iter().filter(|turn| turn.role == Role::Assistant);
                    questions += answers.count();
                    passed_over.extend(row.passed_over);
                }
            }
            if questions >= limit {
                break;
            }
        }
        Ok(row_notes(path, empty, &passed_over))
    }

    /// The questions, in order, at most `limit` of them.
    pub fn questions(&self, limit: usize) -> Result<Items<Asked>> {
        Ok(match self {
            Self::Dataset(path) => {
                let reader = rows::dataset(path)?;
                let samples = (0..reader.len()).map(move |index| Ok(reader.get(index)?));
                Box::new(
                    samples
                        .flat_map(|sample| expand(sample.map(asked_of)))
                        .take(limit),
                )
            }
            Self::Rows(path) => {
                let name = path.display().to_string();
                let asked = filled(path)?
                    .flat_map(move |row| expand(row.and_then(|row| asked_of_row(&row, &name))));
                Box::new(asked.take(limit))
            }
        })
    }

    /// The samples, in order, at most `limit` of them.
    pub fn samples(&self, limit: usize) -> Result<Items<Sample>> {
        Ok(match self {
            Self::Dataset(path) => {
                let reader = rows::dataset(path)?;
                let samples = (0..reader.len()).map(move |index| Ok(reader.get(index)?));
                Box::new(samples.take(limit))
            }
            Self::Rows(path) => {
                let name = path.display().to_string();
                let samples = filled(path)?.map(move |row| {
                    let row = row?;
                    let sample = row.sample(&name);
                    Ok(sample.map_err(|reason| wrong(&row, &name, reason))?)
                });
                Box::new(samples.take(limit))
            }
        })
    }
}

/// The folders in a folder of datasets, by their names, hidden ones aside; none if it is none, or
/// a folder of pictures.
fn folders_of(name: &Path) -> Option<Vec<(String, PathBuf)>> {
    let places = [name.to_owned(), Path::new(DATASETS).join(name)];
    let place = places.iter().find(|path| path.exists())?;
    if rows::holds_rows(place) {
        return None;
    }
    let entries = std::fs::read_dir(place).ok()?.flatten();
    let named = entries.map(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        (name, entry.path())
    });
    let folders = named.filter(|(name, path)| !name.starts_with('.') && path.is_dir());
    let mut folders: Vec<_> = folders.collect();
    folders.sort();
    Some(folders)
}

fn is_finished(dataset: &Path) -> bool {
    dataset.join("manifest.json").is_file()
}

/// What is said of rows: how many are empty, and which fields of a file are not read. Other
/// columns are usual in the table of a folder.
pub fn row_notes(path: &Path, empty: usize, passed_over: &BTreeSet<String>) -> Vec<String> {
    let mut notes = Vec::new();
    if empty > 0 {
        let rows = if empty == 1 { "row is" } else { "rows are" };
        notes.push(format!(
            "{}: {empty} {rows} empty and skipped",
            path.display()
        ));
    }
    if path.is_file() && !passed_over.is_empty() {
        let names: Vec<&str> = passed_over.iter().map(String::as_str).collect();
        let names = names.join(", ");
        notes.push(format!("{}: not read: {names}", path.display()));
    }
    notes
}

/// The rows of `path` in which something stands.
fn filled(path: &Path) -> Result<impl Iterator<Item = Result<Row>> + use<>> {
    let rows = rows::read(path)?;
    let rows = rows.filter(|row| !row.as_ref().is_err_and(|error| error.empty));
    Ok(rows.map(|row| Ok(row?)))
}

fn expand(list: Result<Vec<Asked>>) -> Items<Asked> {
    match list {
        Ok(list) => Box::new(list.into_iter().map(Ok)),
        Err(error) => Box::new(std::iter::once(Err(error))),
    }
}

/// Each answer of a conversation is asked for, given the turns before it.
fn asked_in<'a>(
    id: &'a str,
    kind: &'a str,
    turns: &'a [Turn],
    images: &'a [Vec<u8>],
) -> impl Iterator<Item = Asked> + 'a {
    let answers = (0..).zip(turns);
    let answers = answers.filter(|(_, turn)| turn.role == Role::Assistant);
    answers.map(|(place, answer): (usize, &Turn)| {
        let before = turns[..place].to_vec();
        let seen = before.iter().map(Turn::num_images).sum();
        Asked {
            id: id.to_owned(),
            kind: kind.to_owned(),
            images: images.iter().take(seen).cloned().collect(),
            turns: before,
            references: vec![answer.text()],
            spelled: answer.spelled,
        }
    })
}

/// A document asks nothing.
fn asked_of(sample: Sample) -> Vec<Asked> {
    let Content::Turns(turns) = &sample.content else {
        return Vec::new();
    };
    let mut asked: Vec<Asked> = asked_in(&sample.id, &sample.kind, turns, &sample.images).collect();
    if let Some(last) = asked.last_mut() {
        last.references.extend(sample.also_right);
    }
    asked
}

fn asked_of_row(row: &Row, name: &str) -> Result<Vec<Asked>> {
    let images = row.read_images();
    let images = images.map_err(|reason| wrong(row, name, reason))?;
    let id = row.id.clone().unwrap_or_else(|| row.line.to_string());
    let kind = row.kind.as_deref().unwrap_or("questions");
    let mut asked: Vec<Asked> = asked_in(&id, kind, &row.turns, &images).collect();
    if let Some(last) = asked.last_mut() {
        last.references.clone_from(&row.answers);
    }
    Ok(asked)
}

fn wrong(row: &Row, name: &str, reason: String) -> RowError {
    RowError {
        path: name.to_owned(),
        line: row.line,
        reason,
        empty: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_of_a_conversation_is_asked_for() {
        let turns = vec![
            Turn::about(1, "What?"),
            Turn::assistant("a cat"),
            Turn::about(1, "And this?"),
            Turn::assistant("a dog"),
        ];
        let images = vec![(vec![1], None), (vec![2], None)];
        let sample = Sample::new("vqa", "made-up", "CC0-1.0", images, Content::Turns(turns))
            .expect("markers and images agree");
        let asked = asked_of(sample);
        let seen: Vec<_> = asked
            .iter()
            .map(|a| (a.images.len(), a.turns.len(), a.references[0].as_str()))
            .collect();
        assert_eq!(seen, [(1, 1, "a cat"), (2, 3, "a dog")]);
    }

    #[test]
    fn a_folder_of_datasets_is_a_group_and_a_dataset_is_none() {
        let folder = tempfile::tempdir().expect("a folder");
        for set in ["b/test", "a/test", "begun/test", "other", ".hidden"] {
            std::fs::create_dir_all(folder.path().join(set)).expect("made");
        }
        std::fs::write(folder.path().join("answers.jsonl"), "").expect("written");
        for set in ["b", "a"] {
            let manifest = folder.path().join(set).join("test/manifest.json");
            std::fs::write(manifest, "{}").expect("written");
        }
        let names = |path: &Path| Task::group(path).map(|sets| sets.into_iter().map(|one| one.0));
        let sets: Vec<String> = names(folder.path()).expect("a group").collect();
        assert_eq!(sets, ["a", "b"]);
        let said = Task::left_out(folder.path());
        assert!(
            said.len() == 2 && said[0].starts_with("begun") && said[1].starts_with("other"),
            "{said:?}"
        );
        assert!(Task::group(&folder.path().join("a/test")).is_none());
    }

    #[test]
    fn answers_lie_beside_their_task() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("b.jsonl");
        std::fs::write(&file, "").expect("written");
        let path = |task: Task| task.answers_path("mini");
        let beside = folder.path().join("b.answers-mini.jsonl");
        assert_eq!(path(Task::Rows(file)), beside);
        assert_eq!(path(Task::Dataset(folder.path().join("b"))), beside);
    }
}
