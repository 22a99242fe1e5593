//! One row: what its fields say, and where its pictures are.

use std::path::{Component, Path, PathBuf};

use avocet_media::named::{FileNames, brief, data_uri};
use avocet_text::Turn;
use serde_json::Value;

use super::fields::{DOCUMENTED, Field, Fields, Sorted, is_absent, may_be_pictures};
use super::row::{MAX_PICTURE_BYTES, Row, RowError, RowPicture};
use super::talk::{self, Named, Said};

/// Where rows come from.
#[derive(Debug)]
pub(super) struct RowOrigin {
    pub folder: PathBuf,
    /// What lies in a folder of pictures names nothing outside of it.
    pub within: bool,
    /// It is the table of a folder of pictures: no row is without one.
    pub of_pictures: bool,
    /// What messages call the file.
    pub name: String,
    pub names: FileNames,
}

impl RowOrigin {
    /// The row whose fields were read, or why there is none.
    pub fn row(&mut self, line: usize, fields: Result<Fields, String>) -> Result<Row, RowError> {
        let said = fields.map(|Fields(mut fields)| {
            fields.retain(|(_, value)| !is_absent(value));
            fields
        });
        let empty = said.as_ref().is_ok_and(Vec::is_empty);
        let row = match empty {
            true => Err("is empty".into()),
            false => said.and_then(|fields| self.parse(line, fields)),
        };
        row.map_err(|reason| RowError {
            path: self.name.clone(),
            line,
            reason: brief(&reason),
            empty,
        })
    }

    fn parse(&mut self, line: usize, fields: Vec<(String, Value)>) -> Result<Row, String> {
        let found: Vec<String> = fields.iter().map(|(name, _)| name.clone()).collect();
        let found = found.join(", ");
        let mut sorted = Sorted::new(fields)?;
        let unknown = sorted.unknown.first().map(|(name, _)| name.clone());
        let missing = |what: &str| match &unknown {
            Some(name) if !self.within => unexpected(name),
            _ => format!("`{what}` is missing; it has {found}"),
        };
        let mut given = Vec::new();
        for field in [Field::Pictures, Field::OnePicture] {
            while let Some((name, value)) = sorted.take(field) {
                given.extend(talk::pictures(&name, value)?);
            }
        }
        let metric = text(&mut sorted, Field::Metric)?;
        let (id, kind) = (
            text(&mut sorted, Field::Id)?,
            text(&mut sorted, Field::Kind)?,
        );
        let mut answers = match sorted.take(Field::Answers) {
            Some((name, value)) => texts(&name, value)?,
            None => Vec::new(),
        };
        let mut said = match sorted.take(Field::Messages) {
            Some((name, messages)) => {
                if let Some((other, _)) = sorted.take(Field::Question) {
                    return Err(format!("`{other}` and `{name}`: keep one of them"));
                }
                answers.extend(text(&mut sorted, Field::Answer)?);
                talk::conversation(&name, messages)?
            }
            None => {
                let question = sorted.take(Field::Question);
                let question = question.ok_or_else(|| missing("question"))?;
                match (question, sorted.take(Field::Answer)) {
                    // Messages before, and messages to be learned.
                    ((name, Value::Array(mut before)), Some((_, Value::Array(after)))) => {
                        before.extend(after);
                        talk::conversation(&name, before.into())?
                    }
                    ((name, question), answer) => {
                        if let Some((name, value)) = answer {
                            answers.push(as_text(&name, value)?);
                        }
                        let answer = answers.first().ok_or_else(|| missing("answer"))?;
                        let mut question = as_text(&name, question)?;
                        if let Some(input) = text(&mut sorted, Field::Input)? {
                            question = format!("{question}\n{input}");
                        }
                        vec![
                            Said::question(&question, given.len()),
                            Said::assistant(answer),
                        ]
                    }
                }
            }
        };
        if let Some(system) = text(&mut sorted, Field::System)? {
            if said.iter().any(Said::is_system) {
                return Err("`system` stands beside a system's message: keep one of them".into());
            }
            said.insert(0, Said::system(system));
        }
        let (turns, images) = talk::placed(said, given)?;
        if images.is_empty() {
            let pictures = |(name, value): &&(String, Value)| may_be_pictures(name, value);
            match sorted.unknown.iter().find(pictures) {
                _ if self.of_pictures => {
                    return Err(format!("names no picture; it has {found}"));
                }
                Some((name, _)) => return Err(unexpected(name)),
                None => {}
            }
        }
        let images = images.into_iter().map(|named| self.picture(named));
        let images = images.collect::<Result<Vec<_>, _>>()?;
        if answers.is_empty() {
            answers.extend(turns.last().map(Turn::text));
        }
        if answers.iter().all(|answer| answer.trim().is_empty()) {
            return Err("there is no answer".into());
        }
        Ok(Row {
            line,
            id,
            kind: kind.or(metric),
            images,
            turns,
            answers,
            passed_over: sorted.unknown.into_iter().map(|(name, _)| name).collect(),
        })
    }

    /// The picture that a row names, which must be there.
    fn picture(&mut self, named: Named) -> Result<RowPicture, String> {
        let name = match named {
            Named::Bytes(bytes) => return Ok(RowPicture::Held(bytes)),
            Named::By(name) => name,
        };
        if let Some(data) = data_uri(&name, MAX_PICTURE_BYTES as usize) {
            return Ok(RowPicture::Held(data.map_err(|error| error.to_string())?));
        }
        if name.contains("://") {
            return Err(format!(
                "{:?} is an address, and rows are not fetched: save the picture and name its file",
                brief(&name)
            ));
        }
        let mut missing = None;
        for spelled in spellings(&name) {
            let path = self.path(Path::new(&spelled))?;
            if path.is_file() {
                return Ok(RowPicture::File(path));
            }
            missing.get_or_insert(path);
        }
        let path = missing.unwrap_or_else(|| self.folder.join(&name));
        let reason = match path.exists() {
            true => "is no file",
            false => "no such file",
        };
        Err(format!("{}: {reason}", path.display()))
    }

    fn path(&mut self, name: &Path) -> Result<PathBuf, String> {
        let inside = |part| matches!(part, Component::Normal(_) | Component::CurDir);
        if self.within && !name.components().all(inside) {
            return Err(format!("file_name {name:?} is not in the folder"));
        }
        // A path in a file of rows may also be one from where the program runs.
        if !self.within {
            let from_here = self.names.find(name);
            if from_here.exists() {
                return Ok(from_here);
            }
        }
        Ok(self.names.find(&self.folder.join(name)))
    }
}

/// A name as it stands, and as it may be meant: without spaces around it, and with the slashes of
/// this system.
fn spellings(name: &str) -> Vec<String> {
    let mut spelled = vec![name.to_owned(), name.trim().to_owned()];
    if name.contains('\\') {
        spelled.push(name.trim().replace('\\', "/"));
    }
    spelled.dedup();
    spelled
}

fn unexpected(name: &str) -> String {
    format!("unknown field `{name}`, expected one of {DOCUMENTED}")
}

/// A text, or a number as people write it.
fn as_text(name: &str, value: Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(format!("`{name}` is not a text")),
    }
}

fn text(sorted: &mut Sorted, field: Field) -> Result<Option<String>, String> {
    let taken = sorted.take(field);
    taken.map(|(name, value)| as_text(&name, value)).transpose()
}

/// Answers: texts, or objects as the sets of VQA and SQuAD have them; one or a list.
fn texts(name: &str, value: Value) -> Result<Vec<String>, String> {
    match value {
        Value::String(cell) if cell.trim_start().starts_with('[') => {
            match serde_json::from_str(&cell) {
                Ok(list @ Value::Array(_)) => texts(name, list),
                _ => Ok(vec![cell]),
            }
        }
        Value::Array(items) => {
            let lists = items.into_iter().map(|item| texts(name, item));
            Ok(lists.collect::<Result<Vec<_>, _>>()?.concat())
        }
        Value::Object(mut fields) => {
            let said = fields.remove("answer").or_else(|| fields.remove("text"));
            let said = said.ok_or_else(|| format!("`{name}` is not a list of texts"))?;
            texts(name, said)
        }
        one => as_text(name, one)
            .map(|text| vec![text])
            .map_err(|_| format!("`{name}` is not a list of texts")),
    }
}
