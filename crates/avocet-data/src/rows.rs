//! Questions that people write themselves: a folder of pictures with a table of questions and
//! answers, or a file of conversations.
//!
//! - A folder with `metadata.jsonl` or `metadata.csv`, whose columns are `file_name`, `question`
//!   and `answer`: the convention of Hugging Face's ImageFolder. Other columns are passed over.
//! - A `.jsonl` file of such rows, or of `{"images", "question", "answer" or "answers"}`, or of
//!   conversations `{"images", "messages": [{"role", "content"}]}`, in which each `<image>` stands
//!   for a picture; pictures without one come before the first question. Without pictures, and in
//!   a question that has it more or less often than pictures, `<image>` is a word.
//!
//! `kind` names the row of a table that a question counts in, `id` the question.

mod records;

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Component, Path, PathBuf};

use avocet_text::{Part, Role, Turn};
use serde_json::{Map, Value};

use crate::rows::records::Records;
use crate::{Content, DataError, Sample};

/// Names of the table in a folder of pictures.
const TABLES: [&str; 2] = ["metadata.jsonl", "metadata.csv"];
/// Longest line, or record of a CSV file.
const MAX_ROW_BYTES: u64 = 4 << 20;
const MAX_PICTURE_BYTES: u64 = 48 << 20;
const FIELDS: &str = "id, kind, metric, file_name, images, question, answer, answers, messages";
/// What samples of a row say of where they are from.
const LICENCE: &str = "as given";

/// One row: pictures and what is said about them.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its line in the file, the first being 1.
    pub line: usize,
    /// Names it, if it has a name.
    pub id: Option<String>,
    /// The row of a table that it counts in.
    pub kind: Option<String>,
    /// Files of its pictures, one for each marker.
    pub images: Vec<PathBuf>,
    /// Questions and answers.
    pub turns: Vec<Turn>,
    /// Answers that are right to the last question, one at least.
    pub answers: Vec<String>,
}

/// Why a row is not one; the line is named.
#[derive(Debug, thiserror::Error)]
#[error("{path}, line {line}: {reason}")]
pub struct RowError {
    /// The file.
    pub path: String,
    /// The line, the first being 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// The rows of one file.
pub type Rows = Box<dyn Iterator<Item = Result<Row, RowError>> + Send>;

/// The file of rows that `path` stands for: itself, or the table in a folder of pictures.
pub fn table(path: &Path) -> Option<PathBuf> {
    let in_folder = || TABLES.iter().map(|name| path.join(name));
    match path.is_file() {
        true => Some(path.to_owned()),
        false => in_folder().find(|table| table.is_file()),
    }
}

/// Reads the rows of `path`: a folder of pictures, or a `.jsonl` or `.csv` file.
///
/// Errors if there is no such file; each row may be wrong by itself.
pub fn read(path: &Path) -> Result<Rows, DataError> {
    let Some(table) = table(path) else {
        let reason = format!("holds no {}, and is no dataset", TABLES.join(" or "));
        return Err(DataError::broken(path, reason));
    };
    let file = File::open(&table).map_err(DataError::io(&table))?;
    let place = Place {
        folder: table.parent().unwrap_or(Path::new("")).to_owned(),
        // What lies in a folder of pictures names nothing outside of it.
        within: path.is_dir(),
        name: table.display().to_string(),
    };
    if table
        .extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("csv"))
    {
        return csv_rows(file, place);
    }
    let lines = Lines(BufReader::new(file)).enumerate();
    Ok(Box::new(lines.filter_map(move |(index, line)| {
        let line = match line {
            Ok(text) if text.trim().is_empty() => return None,
            Ok(text) => text,
            Err(reason) => return Some(Err(place.wrong(index + 1, reason))),
        };
        Some(place.row(
            index + 1,
            serde_json::from_str(&line).map_err(|e| e.to_string()),
        ))
    })))
}

/// Lines of at most [`MAX_ROW_BYTES`]; after a longer one there are no more.
struct Lines(BufReader<File>);

impl Iterator for Lines {
    type Item = Result<String, String>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut line = Vec::new();
        match self
            .0
            .by_ref()
            .take(MAX_ROW_BYTES)
            .read_until(b'\n', &mut line)
        {
            Ok(0) => None,
            Err(error) => Some(Err(error.to_string())),
            Ok(_) if line.len() as u64 == MAX_ROW_BYTES && !line.ends_with(b"\n") => {
                // Without the end of the line nobody knows where the next begins.
                let _ = std::io::copy(&mut self.0, &mut std::io::sink());
                Some(Err(format!("is longer than {MAX_ROW_BYTES} bytes")))
            }
            Ok(_) => Some(String::from_utf8(line).map_err(|_| "is not UTF-8".to_owned())),
        }
    }
}

fn csv_rows(file: File, place: Place) -> Result<Rows, DataError> {
    let mut records = Records::new(file);
    let path = PathBuf::from(&place.name);
    let names = records
        .next()
        .unwrap_or((1, Err("the file is empty".into())))
        .1;
    let names = names.map_err(|reason| DataError::broken(&path, reason))?;
    Ok(Box::new(records.map(move |(line, cells)| {
        let fields = cells.and_then(|cells| {
            if cells.len() != names.len() {
                let (found, wanted) = (cells.len(), names.len());
                return Err(format!(
                    "has {found} fields, but the first line names {wanted}"
                ));
            }
            let cells = names.iter().map(|name| name.trim().to_owned()).zip(cells);
            let cells = cells.filter(|(_, cell)| !cell.is_empty());
            Ok(cells
                .map(|(name, cell)| (name, Value::from(cell)))
                .collect())
        });
        place.row(line, fields)
    })))
}

/// Where rows come from.
struct Place {
    folder: PathBuf,
    within: bool,
    name: String,
}

impl Place {
    fn wrong(&self, line: usize, reason: impl ToString) -> RowError {
        RowError {
            path: self.name.clone(),
            line,
            reason: reason.to_string(),
        }
    }

    fn row(
        &self,
        line: usize,
        fields: Result<Map<String, Value>, String>,
    ) -> Result<Row, RowError> {
        let row = fields.and_then(|fields| self.parse(line, fields));
        row.map_err(|reason| self.wrong(line, reason))
    }

    fn parse(&self, line: usize, mut fields: Map<String, Value>) -> Result<Row, String> {
        let known = |name: &str| FIELDS.split(", ").any(|field| field == name);
        if let Some(name) = fields.keys().find(|name| !self.within && !known(name)) {
            return Err(format!("unknown field `{name}`, expected one of {FIELDS}"));
        }
        let mut images: Vec<String> = list(&mut fields, "images")?;
        images.extend(text(&mut fields, "file_name")?);
        let images = images.iter().map(|image| self.picture(image));
        let images = images.collect::<Result<Vec<_>, _>>()?;
        let metric = text(&mut fields, "metric")?;
        let (id, kind) = (text(&mut fields, "id")?, text(&mut fields, "kind")?);
        let mut answers: Vec<String> = list(&mut fields, "answers")?;
        answers.extend(text(&mut fields, "answer")?);
        let mut turns = match fields.remove("messages") {
            Some(messages) => conversation(messages, !images.is_empty())?,
            None => {
                let question = text(&mut fields, "question")?.ok_or("`question` is missing")?;
                let answer = answers.first().ok_or("`answer` is missing")?;
                let asked = Turn::marked(&question);
                let asked = match asked.num_images() == images.len() {
                    true => asked,
                    false => Turn::user(question),
                };
                vec![asked, Turn::assistant(answer)]
            }
        };
        let markers: usize = turns.iter().map(Turn::num_images).sum();
        if markers == 0
            && let Some(first) = turns.iter_mut().find(|turn| turn.role == Role::User)
        {
            first.parts.splice(0..0, vec![Part::Image; images.len()]);
        } else if markers != images.len() {
            return Err(format!(
                "{markers} <image> markers but {} images",
                images.len()
            ));
        }
        if answers.is_empty() {
            let last = turns.last().filter(|turn| turn.role == Role::Assistant);
            answers.extend(last.map(Turn::text));
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
        })
    }

    fn picture(&self, name: &str) -> Result<PathBuf, String> {
        let path = Path::new(name);
        let inside = path
            .components()
            .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if self.within && (!inside || name.is_empty()) {
            return Err(format!("file_name {name:?} is not in the folder"));
        }
        // A path in a file of rows may also be one from where the program runs.
        Ok(match !self.within && path.exists() {
            true => path.to_owned(),
            false => self.folder.join(path),
        })
    }
}

/// A text, or a number as people write it.
fn text(fields: &mut Map<String, Value>, name: &str) -> Result<Option<String>, String> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(_) => Err(format!("`{name}` is not a text")),
    }
}

fn list(fields: &mut Map<String, Value>, name: &str) -> Result<Vec<String>, String> {
    let wrong = || format!("`{name}` is not a list of texts");
    let items = match fields.remove(name) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(wrong()),
    };
    let item = |item: Value| item.as_str().map(str::to_owned).ok_or_else(wrong);
    items.into_iter().map(item).collect()
}

/// Messages as chat models take them: `content` is a list of parts, or a text, in which a user's
/// `<image>` stands for a picture if there are `pictures`.
fn conversation(messages: Value, pictures: bool) -> Result<Vec<Turn>, String> {
    let Value::Array(messages) = messages else {
        return Err("`messages` is not a list".into());
    };
    let part = |part: Value| match (part["type"].as_str(), part["text"].as_str()) {
        (Some("image"), _) => Ok(Part::Image),
        (Some("text"), Some(text)) => Ok(Part::Text(text.to_owned())),
        _ => Err("a part of `content` is neither text nor image".to_owned()),
    };
    let turn = |mut message: Value| {
        let role = match message["role"].as_str() {
            Some("system") => Role::System,
            Some("user") => Role::User,
            Some("assistant") => Role::Assistant,
            _ => return Err("a message's `role` is not system, user or assistant".to_owned()),
        };
        let parts = match message["content"].take() {
            Value::String(text) if pictures && role == Role::User => Turn::marked(&text).parts,
            Value::String(text) => Turn::user(text).parts,
            Value::Array(parts) => parts.into_iter().map(part).collect::<Result<_, _>>()?,
            _ => return Err("a message's `content` is not a text".to_owned()),
        };
        if role != Role::User && parts.contains(&Part::Image) {
            return Err("a picture stands in a message that is not the user's".to_owned());
        }
        Ok(Turn {
            role,
            parts,
            spelled: false,
        })
    };
    let turns = messages
        .into_iter()
        .map(turn)
        .collect::<Result<Vec<_>, _>>()?;
    let answered = turns
        .last()
        .is_some_and(|turn| turn.role == Role::Assistant);
    let asked = turns.iter().any(|turn| turn.role == Role::User);
    match asked && answered {
        true => Ok(turns),
        false => Err("`messages` do not end with an answer to a user".into()),
    }
}

impl Row {
    /// Reads its pictures, as files.
    ///
    /// Errors if one cannot be read or is too long.
    pub fn read_images(&self) -> Result<Vec<Vec<u8>>, String> {
        let read = |path: &PathBuf| {
            let wrong = |error: std::io::Error| format!("{}: {error}", path.display());
            let mut bytes = Vec::new();
            let file = File::open(path).map_err(wrong)?;
            file.take(MAX_PICTURE_BYTES + 1)
                .read_to_end(&mut bytes)
                .map_err(wrong)?;
            match bytes.len() as u64 > MAX_PICTURE_BYTES {
                true => Err(format!(
                    "{}: is longer than {MAX_PICTURE_BYTES} bytes",
                    path.display()
                )),
                false => Ok(bytes),
            }
        };
        self.images.iter().map(read).collect()
    }

    /// The sample that it is, to be learned from; its pictures are read and decoded once.
    ///
    /// Errors if a picture cannot be read or decoded, or nothing is to be learned.
    pub fn sample(&self, source: &str) -> Result<Sample, String> {
        let images = self.read_images()?;
        for (bytes, path) in images.iter().zip(&self.images) {
            avocet_media::decode(bytes, &avocet_media::Limits::default())
                .map_err(|error| format!("{}: {error}", path.display()))?;
        }
        let images = images.into_iter().map(|bytes| (bytes, None)).collect();
        let kind = self.kind.as_deref().unwrap_or("questions");
        let content = Content::Turns(self.turns.clone());
        Sample::new(kind, source, LICENCE, images, content).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn all(path: &Path) -> Vec<Result<Row, String>> {
        let rows = read(path).unwrap();
        rows.map(|row| row.map_err(|error| error.to_string()))
            .collect()
    }

    #[test]
    fn a_folder_of_pictures_is_read_from_either_table() {
        let folder = tempfile::tempdir().unwrap();
        let jsonl = "{\"file_name\":\"a.png\",\"question\":\"What?\",\"answer\":\"cat\",\"more\":1}\n\n{\"file_name\":\"../b.png\",\"question\":\"What?\",\"answer\":7}\n";
        fs::write(folder.path().join("metadata.jsonl"), jsonl).unwrap();
        let rows = all(folder.path());
        let first = rows[0].as_ref().unwrap();
        assert_eq!(first.images, [folder.path().join("a.png")]);
        assert_eq!(
            first.turns,
            [Turn::about(1, "What?"), Turn::assistant("cat")]
        );
        let error = rows[1].as_ref().unwrap_err();
        assert!(
            error.contains("metadata.jsonl, line 3") && error.contains("../b.png"),
            "{error}"
        );
        fs::remove_file(folder.path().join("metadata.jsonl")).unwrap();
        let csv = "file_name,question,answer\na.png,\"Which, and\nwhere?\",cat\nb.png,What?,\nc.png,What?,7\n";
        fs::write(folder.path().join("metadata.csv"), csv).unwrap();
        let rows = all(folder.path());
        assert_eq!(
            rows[0].as_ref().unwrap().turns[0],
            Turn::about(1, "Which, and\nwhere?")
        );
        let error = rows[1].as_ref().unwrap_err();
        assert!(
            error.contains("line 4") && error.contains("`answer` is missing"),
            "{error}"
        );
        assert_eq!(rows[2].as_ref().unwrap().answers, ["7"]);
        fs::write(
            folder.path().join("metadata.csv"),
            csv.replace('\n', "\r\n"),
        )
        .unwrap();
        let error = all(folder.path())[1].as_ref().unwrap_err().clone();
        assert!(error.contains("line 4"), "{error}");
    }

    #[test]
    fn conversations_with_several_pictures_keep_their_places() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("talk.jsonl");
        let lines = [
            r#"{"images":["a","b"],"messages":[{"role":"user","content":"<image> or <image>?"},{"role":"assistant","content":"a"}]}"#,
            r#"{"images":["a"],"messages":[{"role":"user","content":[{"type":"image"},{"type":"text","text":"hm?"}]},{"role":"assistant","content":"b"}]}"#,
            r#"{"images":["a"],"messages":[{"role":"user","content":"<image><image>"},{"role":"assistant","content":"a"}]}"#,
            r#"{"images":[],"messages":[{"role":"user","content":"?"}]}"#,
            r#"{"question":"?","answers":["a","b"],"kind":"k"}"#,
            r#"{"question":"?","anwser":"a"}"#,
            "nonsense",
        ];
        fs::write(&path, lines.join("\n")).unwrap();
        let rows = all(&path);
        assert_eq!(rows[0].as_ref().unwrap().turns[0].num_images(), 2);
        assert_eq!(rows[1].as_ref().unwrap().turns[0], Turn::about(1, "hm?"));
        assert!(
            rows[2]
                .as_ref()
                .unwrap_err()
                .contains("2 <image> markers but 1 images")
        );
        assert!(rows[3].as_ref().unwrap_err().contains("line 4"));
        assert_eq!(rows[4].as_ref().unwrap().answers, ["a", "b"]);
        assert!(
            rows[5]
                .as_ref()
                .unwrap_err()
                .contains("unknown field `anwser`")
        );
        assert!(rows[6].as_ref().unwrap_err().contains("line 7"));
    }

    #[test]
    fn a_marker_without_a_picture_is_a_word() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("talk.jsonl");
        let lines = [
            r#"{"messages":[{"role":"user","content":"What is <image>?"},{"role":"assistant","content":"a tag"}]}"#,
            r#"{"question":"What is <image>?","answer":"a tag"}"#,
            r#"{"images":["a"],"question":"Is <image> or <image> a tag?","answer":"both"}"#,
            r#"{"images":["a"],"messages":[{"role":"user","content":[{"type":"text","text":"<image>: "},{"type":"image"}]},{"role":"assistant","content":"<image>"}]}"#,
            r#"{"images":["a"],"messages":[{"role":"user","content":"?"},{"role":"assistant","content":[{"type":"image"}]}]}"#,
        ];
        fs::write(&path, lines.join("\n")).unwrap();
        let rows = all(&path);
        let asked = |row: usize| rows[row].as_ref().unwrap().turns[0].clone();
        assert_eq!(asked(0), Turn::user("What is <image>?"));
        assert_eq!(asked(1), Turn::user("What is <image>?"));
        assert_eq!(asked(2), Turn::about(1, "Is <image> or <image> a tag?"));
        assert_eq!(
            asked(3).parts,
            [Part::Text("<image>: ".into()), Part::Image]
        );
        assert_eq!(
            rows[3].as_ref().unwrap().turns[1],
            Turn::assistant("<image>")
        );
        assert!(rows[4].as_ref().unwrap_err().contains("not the user's"));
    }
}
