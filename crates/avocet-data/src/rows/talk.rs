//! Conversations as people write them down, and where their pictures stand.
//!
//! - OpenAI, TRL: `{"role", "content"}`, the content a text or a list of parts, of which
//!   `{"type": "image"}` is the next of the row's pictures, and `{"type": "image_url", ...}` and
//!   others name their own.
//! - ShareGPT, LLaVA: `{"from": "human", "value": "<image>\nWhat is this?"}`, in which each
//!   `<image>` is the next of the row's pictures.
//!
//! Elsewhere `<image>` is a word: in a row without pictures, in what the model says, in a message
//! whose pictures are parts, and in a question that has it more or less often than pictures.

use avocet_media::named::{brief, from_base64};
use avocet_text::turn::IMAGE_MARKER;
use avocet_text::{Role, Turn};
use serde_json::Value;

use super::fields::is_absent;
use super::row::MAX_PICTURE_BYTES;

/// A picture as a row names it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Named {
    /// A path, or a data URI.
    By(String),
    /// Its file.
    Bytes(Vec<u8>),
}

/// A piece of what somebody says.
#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(String),
    /// A picture: its own, or the next of the row's.
    Picture(Option<Named>),
    /// The word that stands for the next of the row's pictures, if the row has any.
    Marker,
}

/// What somebody says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Said {
    role: Role,
    parts: Vec<Part>,
}

impl Said {
    /// What the user asks about `images` pictures; if `<image>` stands in it as often, each is one.
    pub fn question(text: &str, images: usize) -> Self {
        let role = Role::User;
        let parts = match text.matches(IMAGE_MARKER).count() == images {
            true => around_markers(text),
            false => vec![Part::Text(text.to_owned())],
        };
        Self { role, parts }
    }

    /// What the model says.
    pub fn assistant(text: impl Into<String>) -> Self {
        Self {
            role: Role::Assistant,
            parts: vec![Part::Text(text.into())],
        }
    }

    /// Instructions for the whole conversation.
    pub fn system(text: impl Into<String>) -> Self {
        Self {
            role: Role::System,
            parts: vec![Part::Text(text.into())],
        }
    }

    /// Whether these are instructions.
    pub fn is_system(&self) -> bool {
        self.role == Role::System
    }
}

/// The turns of what is said, and the pictures in the order of their places: those that the parts
/// name themselves, and the row's own, `given`, in the places that are left.
///
/// Without any place, all stand before the first question.
///
/// Errors if there are more or fewer places than pictures.
pub(super) fn placed(
    mut said: Vec<Said>,
    given: Vec<Named>,
) -> Result<(Vec<Turn>, Vec<Named>), String> {
    let own = said.iter().flat_map(|one| &one.parts);
    let own = own.filter(|part| matches!(part, Part::Picture(Some(_))));
    let images = own.count() + given.len();
    for part in said.iter_mut().flat_map(|one| &mut one.parts) {
        if *part == Part::Marker {
            *part = match images {
                0 => Part::Text(IMAGE_MARKER.to_owned()),
                _ => Part::Picture(None),
            };
        }
    }
    let is_picture = |part: &&Part| matches!(part, Part::Picture(_));
    let places = |said: &[Said]| {
        let parts = said.iter().flat_map(|one| &one.parts);
        parts.filter(is_picture).count()
    };
    if places(&said) == 0
        && let Some(first) = said.iter_mut().find(|one| one.role == Role::User)
    {
        let before = given.iter().map(|_| Part::Picture(None));
        first.parts.splice(0..0, before);
    }
    let markers = places(&said);
    if markers != images {
        return Err(format!("{markers} <image> markers but {images} images"));
    }
    let own = said.iter_mut().flat_map(|one| &mut one.parts);
    let own = own.filter_map(|part| match part {
        Part::Picture(own) => Some(own),
        Part::Text(_) | Part::Marker => None,
    });
    let mut given = given.into_iter();
    let images = own.filter_map(|own| own.take().or_else(|| given.next()));
    let images = images.collect();
    Ok((said.into_iter().map(turn).collect(), images))
}

/// What is said as a turn; no marker is left in it.
fn turn(said: Said) -> Turn {
    let mut parts: Vec<avocet_text::Part> = Vec::new();
    for part in said.parts {
        match (part, parts.last_mut()) {
            (Part::Text(words), Some(avocet_text::Part::Text(before))) => before.push_str(&words),
            (Part::Text(words), _) => parts.push(avocet_text::Part::Text(words)),
            (Part::Picture(_) | Part::Marker, _) => parts.push(avocet_text::Part::Image),
        }
    }
    Turn {
        role: said.role,
        parts,
        spelled: false,
    }
}

/// A text and its markers.
fn around_markers(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    for (index, words) in text.split(IMAGE_MARKER).enumerate() {
        if index > 0 {
            parts.push(Part::Marker);
        }
        if !words.is_empty() {
            parts.push(Part::Text(words.to_owned()));
        }
    }
    parts
}

/// A conversation from the list of its messages; `name` is what the row calls it.
///
/// Errors if it is none, asks nothing, or ends without an answer.
pub(super) fn conversation(name: &str, messages: Value) -> Result<Vec<Said>, String> {
    let Value::Array(messages) = messages else {
        return Err(format!("`{name}` is not a list"));
    };
    let said: Vec<Said> = messages
        .into_iter()
        .map(message)
        .collect::<Result<_, _>>()?;
    let answered = said.last().is_some_and(|last| last.role == Role::Assistant);
    let asked = said.iter().any(|one| one.role == Role::User);
    match asked && answered {
        true => Ok(said),
        false => Err(format!("`{name}` do not end with an answer to a user")),
    }
}

/// Takes a field of an object; nothing of what is no object.
fn take(value: &mut Value, key: &str) -> Value {
    value.get_mut(key).map(Value::take).unwrap_or_default()
}

fn message(mut message: Value) -> Result<Said, String> {
    for unread in ["tool_calls", "function_call"] {
        if !is_absent(&message[unread]) {
            return Err(format!(
                "a message's `{unread}` is not read and would be missed"
            ));
        }
    }
    if message["weight"] == 0 {
        return Err("a message's `weight` is 0, but every answer is learned".into());
    }
    let role = match take(&mut message, "from") {
        Value::Null => take(&mut message, "role"),
        from => from,
    };
    let role = match role.as_str().map(str::to_lowercase).as_deref() {
        Some("system" | "developer") => Role::System,
        Some("user" | "human") => Role::User,
        Some("assistant" | "gpt" | "model" | "chatgpt" | "bot") => Role::Assistant,
        Some(other) => {
            return Err(format!(
                "a message's `role` is not system, user or assistant: {:?}",
                brief(other)
            ));
        }
        None => return Err("a message's `role` is not system, user or assistant".into()),
    };
    let parts = match (take(&mut message, "value"), take(&mut message, "content")) {
        (Value::String(text), _) if role == Role::User => around_markers(&text)
            .into_iter()
            .filter_map(|part| match part {
                // The marker stands on a line of its own.
                Part::Text(text) => {
                    let text = text.trim_matches('\n');
                    (!text.is_empty()).then(|| Part::Text(text.to_owned()))
                }
                // Nobody writes it there of a tag: without a picture, one was lost.
                Part::Marker => Some(Part::Picture(None)),
                picture @ Part::Picture(_) => Some(picture),
            })
            .collect(),
        (_, Value::String(text)) if role == Role::User => around_markers(&text),
        (Value::String(text), _) | (_, Value::String(text)) => vec![Part::Text(text)],
        (_, Value::Array(parts)) => {
            let parts: Vec<Part> = parts.into_iter().map(part).collect::<Result<_, _>>()?;
            let sees = parts.iter().any(|part| matches!(part, Part::Picture(_)));
            let marked = |part: Part| match part {
                Part::Text(text) if role == Role::User && !sees => around_markers(&text),
                part => vec![part],
            };
            parts.into_iter().flat_map(marked).collect()
        }
        _ => return Err("a message's `content` is not a text".into()),
    };
    let sees = parts.iter().any(|part| matches!(part, Part::Picture(_)));
    match sees && role != Role::User {
        true => Err("a picture stands in a message that is not the user's".into()),
        false => Ok(Said { role, parts }),
    }
}

fn part(mut part: Value) -> Result<Part, String> {
    let neither = |kind: &str| {
        let kind = brief(kind);
        Err(format!(
            "a part of `content` is neither text nor image but {kind:?}"
        ))
    };
    let kind = match take(&mut part, "type") {
        Value::String(kind) => kind,
        _ if part.is_string() || part["text"].is_string() => "text".into(),
        _ if !part["image"].is_null() => "image".into(),
        _ => return Err("a part of `content` is neither text nor image".into()),
    };
    match kind.as_str() {
        "text" | "input_text" | "output_text" => match (take(&mut part, "text"), part) {
            (Value::String(text), _) | (_, Value::String(text)) => Ok(Part::Text(text)),
            _ => neither(&kind),
        },
        "image" | "image_url" | "input_image" => {
            if !part.is_object() {
                return neither(&kind);
            }
            Ok(Part::Picture(named_in(part)?))
        }
        _ => neither(&kind),
    }
}

/// The pictures that a field called `name` holds: names, data, or objects with either, one or a
/// list of them.
pub(super) fn pictures(name: &str, value: Value) -> Result<Vec<Named>, String> {
    match value {
        Value::String(text) => {
            // A cell of a table holds a list as JSON.
            let list = text.trim_start().starts_with('[');
            match serde_json::from_str(&text) {
                Ok(value @ Value::Array(_)) if list => pictures(name, value),
                _ => Ok(vec![Named::By(text)]),
            }
        }
        Value::Array(items) => {
            let lists = items.into_iter().map(|item| pictures(name, item));
            Ok(lists.collect::<Result<Vec<_>, _>>()?.concat())
        }
        object @ Value::Object(_) => match named_in(object)? {
            Some(named) => Ok(vec![named]),
            None => Err(format!("`{name}` has an object that names no picture")),
        },
        _ => Err(format!("`{name}` is not a list of texts")),
    }
}

/// What an object says of a picture: where it is, or its bytes.
fn named_in(mut object: Value) -> Result<Option<Named>, String> {
    for key in ["bytes", "base64", "data", "b64_json"] {
        if let Value::String(data) = take(&mut object, key) {
            if data.starts_with("data:") {
                return Ok(Some(Named::By(data)));
            }
            let bytes = from_base64(&data, MAX_PICTURE_BYTES as usize);
            return Ok(Some(Named::Bytes(bytes.map_err(|e| e.to_string())?)));
        }
    }
    for key in ["image_url", "image", "url", "path", "file_name", "source"] {
        match take(&mut object, key) {
            // A text would say where the picture was taken from.
            Value::String(_) if key == "source" => {}
            Value::String(name) if !name.is_empty() => return Ok(Some(Named::By(name))),
            inner @ Value::Object(_) => return named_in(inner),
            _ => {}
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(messages: Value, given: &[&str]) -> Result<(Vec<Turn>, Vec<Named>), String> {
        let given = given.iter().map(|name| by(name)).collect();
        placed(conversation("messages", messages)?, given)
    }

    fn by(name: &str) -> Named {
        Named::By(name.into())
    }

    #[test]
    fn the_forms_of_a_picture_in_a_message_are_one() {
        let answer = json!({"role": "assistant", "content": "red"});
        let text = json!({"type": "text", "text": "Which?"});
        let forms = [
            (json!([{"type": "image"}, text]), vec!["a.png"]),
            (
                json!([{"type": "image", "text": null}, {"type": "text", "text": "Which?", "image": null}]),
                vec!["a.png"],
            ),
            (json!([{"type": "image", "image": "a.png"}, text]), vec![]),
            (json!([{"type": "image", "path": "a.png"}, text]), vec![]),
            (json!([{"type": "image", "url": "a.png"}, text]), vec![]),
            (json!([{"image": "a.png"}, {"text": "Which?"}]), vec![]),
            (
                json!([{"type": "image_url", "image_url": {"url": "a.png", "detail": "low"}}, text]),
                vec![],
            ),
            (
                json!([{"type": "image_url", "image_url": "a.png"}, text]),
                vec![],
            ),
            (
                json!([{"type": "input_image", "image_url": "a.png"}, {"type": "input_text", "text": "Which?"}]),
                vec![],
            ),
            (
                json!([{"type": "image", "source": {"type": "url", "url": "a.png"}}, text]),
                vec![],
            ),
            (json!([text]), vec!["a.png"]),
            (json!("Which?"), vec!["a.png"]),
            (json!("<image>Which?"), vec!["a.png"]),
            (
                json!([{"type": "text", "text": "<image>Which?"}]),
                vec!["a.png"],
            ),
        ];
        for (content, given) in forms {
            let said = json!([{"role": "user", "content": content}, answer]);
            let (turns, pictures) =
                read(said.clone(), &given).unwrap_or_else(|e| panic!("{e}: {said}"));
            assert_eq!(
                turns,
                [Turn::about(1, "Which?"), Turn::assistant("red")],
                "{said}"
            );
            assert_eq!(pictures, [by("a.png")], "{said}");
        }
        let bytes = json!({"type": "base64", "media_type": "image/png", "data": "aGVsbG8="});
        let said = json!([{"role": "user", "content": [{"type": "image", "source": bytes}, text]}, answer]);
        assert_eq!(
            read(said, &[]).unwrap().1,
            [Named::Bytes(b"hello".to_vec())]
        );
    }

    #[test]
    fn llava_and_sharegpt_are_read_with_their_places() {
        let talk = json!([
            {"from": "system", "value": "Be brief."},
            {"from": "human", "value": "<image>\nWhich colour?"},
            {"from": "gpt", "value": "red"},
            {"from": "human", "value": "And\n<image>\nor\n<image>"},
            {"from": "gpt", "value": "an <image> tag"},
        ]);
        let (turns, pictures) = read(talk.clone(), &["a", "b", "c"]).unwrap();
        let texts: Vec<String> = turns.iter().map(Turn::shown).collect();
        let wanted = [
            "Be brief.",
            "<image>Which colour?",
            "red",
            "And<image>or<image>",
            "an <image> tag",
        ];
        assert_eq!(texts, wanted);
        assert_eq!(pictures, [by("a"), by("b"), by("c")]);
        let error = read(talk, &["a"]).unwrap_err();
        assert!(error.contains("3 <image> markers but 1 images"), "{error}");
    }

    #[test]
    fn pictures_of_their_own_stand_between_the_rows() {
        let talk = json!([
            {"role": "user", "content": [
                {"type": "image"}, {"type": "image", "path": "own"}, {"type": "image"},
                {"type": "text", "text": "Which?"},
            ]},
            {"role": "assistant", "content": [{"type": "text", "text": "red"}]},
        ]);
        assert_eq!(
            read(talk.clone(), &["a", "b"]).unwrap().1,
            [by("a"), by("own"), by("b")]
        );
        let error = read(talk, &["a"]).unwrap_err();
        assert!(error.contains("3 <image> markers but 2 images"), "{error}");
    }

    #[test]
    fn a_marker_without_a_picture_is_a_word() {
        let said = |content: Value, answer: &str| json!([{"role": "user", "content": content}, {"role": "assistant", "content": answer}]);
        let asked = |talk: Value, given: &[&str]| read(talk, given).map(|(turns, _)| turns);
        let tag = Turn::assistant("a tag");
        assert_eq!(
            asked(said(json!("What is <image>?"), "a tag"), &[]).unwrap(),
            [Turn::user("What is <image>?"), tag.clone()]
        );
        let parts = json!([{"type": "text", "text": "<image>: "}, {"type": "image"}]);
        let turns = asked(said(parts, "<image>"), &["a"]).unwrap();
        assert_eq!(
            (turns[0].num_images(), turns[0].text()),
            (1, "<image>: ".into())
        );
        assert_eq!(turns[1], Turn::assistant("<image>"));
        let error = asked(said(json!([{"type": "image"}]), "a"), &[]).unwrap_err();
        assert!(error.contains("1 <image> markers but 0 images"), "{error}");
        let lost =
            json!([{"from": "human", "value": "<image>\nWhich?"}, {"from": "gpt", "value": "a"}]);
        let error = asked(lost, &[]).unwrap_err();
        assert!(error.contains("1 <image> markers but 0 images"), "{error}");
        let question = |text: &str, given: &[&str]| {
            let given: Vec<Named> = given.iter().map(|name| by(name)).collect();
            let said = vec![Said::question(text, given.len()), Said::assistant("a tag")];
            placed(said, given).unwrap().0[0].clone()
        };
        assert_eq!(
            question("Is <image> it?", &["a"]),
            Turn::marked("Is <image> it?")
        );
        assert_eq!(
            question("What is <image>?", &[]),
            Turn::user("What is <image>?")
        );
        assert_eq!(
            question("Is <image> or <image> it?", &["a"]),
            Turn::about(1, "Is <image> or <image> it?")
        );
    }

    #[test]
    fn what_is_not_read_is_named() {
        let user = |content: Value| json!([{"role": "user", "content": content}, {"role": "assistant", "content": "b"}]);
        let cases = [
            (user(json!([{"type": "video"}])), "\"video\""),
            (
                user(json!([{"type": "input_audio", "input_audio": {}}])),
                "\"input_audio\"",
            ),
            (json!([{"role": "tool", "content": "x"}]), "\"tool\""),
            (
                json!([{"role": "user", "content": "x"}]),
                "do not end with an answer",
            ),
            (
                json!([{"role": "user", "content": "x"}, {"role": "assistant", "content": null, "tool_calls": [1]}]),
                "tool_calls",
            ),
            (
                json!([{"role": "user", "content": "x"}, {"role": "assistant", "content": "b", "weight": 0}]),
                "`weight` is 0",
            ),
            (json!({"role": "user"}), "`messages` is not a list"),
        ];
        for (messages, word) in cases {
            let error = read(messages, &[]).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }
}
