//! What the columns of a table and the fields of a line are called, by the people who make them.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

/// What a row may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Id,
    Kind,
    Metric,
    /// The pictures: one name or a list of them.
    Pictures,
    /// One of several columns that name a picture each.
    OnePicture,
    Question,
    /// What an instruction is about.
    Input,
    Answer,
    Answers,
    Messages,
    System,
}

/// The names of each field without case and separators, as [`plain`] leaves them: file_name of
/// Hugging Face's ImageFolder, image of LLaVA, prompt and completion of TRL, instruction, input
/// and output of Alpaca, conversations of ShareGPT.
const NAMES: [(Field, &str); 10] = [
    (Field::Id, "id"),
    (Field::Kind, "kind"),
    (Field::Metric, "metric"),
    (
        Field::Pictures,
        "filename filenames file filepath filepaths image images imagefile imagefiles imagename \
         imagepath imagepaths imageurl imageurls img imgs imgpath picture pictures photo photos \
         path paths",
    ),
    (Field::Question, "question query prompt instruction problem"),
    (Field::Input, "input"),
    (Field::Answer, "answer response output completion"),
    (Field::Answers, "answers"),
    (
        Field::Messages,
        "messages message conversations conversation",
    ),
    (Field::System, "system systemprompt"),
];
/// Names that stand for the answer where nothing else does.
const ALSO_ANSWER: &str = "label target";
/// What several columns that name a picture each end with.
const ONE_PICTURE: [&str; 2] = ["filename", "filenames"];
/// What would be missed by who wrote it: other things to see and to hear, and what changes the
/// question or what is learned.
const UNREAD: &str = "video videos videopath videofilename audio audios audiopath audiofilename \
    sound sounds speech tools functions chosen rejected history choices options";
/// Parts of names that speak of pictures.
const OF_PICTURES: [&str; 6] = ["image", "imag", "img", "photo", "picture", "filename"];
/// Endings of pictures' files.
const PICTURE_ENDINGS: &str = "png jpg jpeg webp gif bmp tif tiff heic heif avif svg";
/// The names that the documentation has.
pub(super) const DOCUMENTED: &str =
    "id, kind, metric, file_name, images, question, answer, answers, messages";

/// A name without case and separators: `File Name`, `file_name` and `fileName` are one.
fn plain(name: &str) -> String {
    let letters = name.chars().filter(|c| c.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

/// Whether a file is a picture, by its ending.
pub(super) fn is_picture_file(path: &std::path::Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| is_one_of(PICTURE_ENDINGS, &ending.to_lowercase()))
}

fn is_one_of(names: &str, name: &str) -> bool {
    names.split_whitespace().any(|one| one == name)
}

/// The field that a column or key called `name` holds, if it is a known one.
pub(super) fn field_of(name: &str) -> Option<Field> {
    let name = plain(name);
    let known = NAMES.iter().find(|(_, names)| is_one_of(names, &name));
    let one = || {
        let named = ONE_PICTURE.iter().any(|end| name.ends_with(end));
        (named && !is_one_of(UNREAD, &name)).then_some(Field::OnePicture)
    };
    known.map(|(field, _)| *field).or_else(one)
}

/// The fields of a row by what they say.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    known: Vec<(Field, String, Value)>,
    /// Those that are passed over.
    pub unknown: Vec<(String, Value)>,
}

impl Sorted {
    /// Sorts what a row says, or the head of a table.
    ///
    /// Errors if two of them are the same field, or one would be missed.
    pub fn new(fields: Vec<(String, Value)>) -> Result<Self, String> {
        let mut sorted = Self::default();
        let mut also = Vec::new();
        for (name, value) in fields {
            let is = |names: &str| is_one_of(names, &plain(&name));
            if is(UNREAD) {
                return Err(format!("`{name}` is not read and would be missed"));
            }
            match field_of(&name) {
                Some(field) => sorted.put(field, name, value)?,
                None if is(ALSO_ANSWER) => also.push((name, value)),
                None => sorted.unknown.push((name, value)),
            }
        }
        if !sorted.has(Field::Question)
            && !sorted.has(Field::Messages)
            && let Some(input) = sorted.position(Field::Input)
        {
            sorted.known[input].0 = Field::Question;
        }
        let answered = sorted.has(Field::Answer) || sorted.has(Field::Answers);
        for (name, value) in also {
            match answered || sorted.has(Field::Messages) {
                true => sorted.unknown.push((name, value)),
                false => sorted.put(Field::Answer, name, value)?,
            }
        }
        Ok(sorted)
    }

    fn put(&mut self, field: Field, name: String, value: Value) -> Result<(), String> {
        let is_picture = |field| matches!(field, Field::Pictures | Field::OnePicture);
        let same = |other: &Field| match field {
            Field::OnePicture => *other == Field::Pictures,
            Field::Pictures => is_picture(*other),
            field => *other == field,
        };
        match self.known.iter().find(|(other, ..)| same(other)) {
            Some((_, other, _)) => Err(format!(
                "`{other}` and `{name}` both name the {}: keep one of them",
                field.words()
            )),
            None => {
                self.known.push((field, name, value));
                Ok(())
            }
        }
    }

    fn position(&self, field: Field) -> Option<usize> {
        self.known.iter().position(|(other, ..)| *other == field)
    }

    /// Whether the field is there.
    pub fn has(&self, field: Field) -> bool {
        self.position(field).is_some()
    }

    /// Takes a field with its name.
    pub fn take(&mut self, field: Field) -> Option<(String, Value)> {
        let (_, name, value) = self.known.remove(self.position(field)?);
        Some((name, value))
    }
}

impl Field {
    /// What a message calls it.
    fn words(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Kind => "kind",
            Self::Metric => "metric",
            Self::Pictures | Self::OnePicture => "pictures",
            Self::Question => "question",
            Self::Input => "input",
            Self::Answer => "answer",
            Self::Answers => "answers",
            Self::Messages => "conversation",
            Self::System => "system's turn",
        }
    }
}

/// Errors unless a table with such a head has questions and answers, and pictures where they are
/// `wanted`; the error names what is missing and what was found.
pub(super) fn check_head(names: &[String], wanted: bool) -> Result<(), String> {
    let filled = names
        .iter()
        .map(|name| (name.clone(), Value::from("there")));
    let sorted = Sorted::new(filled.collect())?;
    let found = || format!("the columns are {}", names.join(", "));
    if wanted && !sorted.has(Field::Pictures) && !sorted.has(Field::OnePicture) {
        return Err(format!(
            "no column names the pictures: it is called file_name, image, image_path or path, and \
             {}",
            found()
        ));
    }
    if sorted.has(Field::Messages) {
        return Ok(());
    }
    if !sorted.has(Field::Question) {
        return Err(format!("no column is called question; {}", found()));
    }
    if !sorted.has(Field::Answer) && !sorted.has(Field::Answers) {
        return Err(format!("no column is called answer; {}", found()));
    }
    Ok(())
}

/// Whether a field that is passed over may be what names the pictures of a row that has none.
pub(super) fn may_be_pictures(name: &str, value: &Value) -> bool {
    let name = plain(name);
    let named = OF_PICTURES.iter().any(|word| name.contains(word));
    named || names_a_picture(value)
}

fn names_a_picture(value: &Value) -> bool {
    match value {
        Value::String(text) => {
            let ending = text.rsplit_once('.').map(|(_, ending)| ending.trim());
            let known = |ending: &str| is_one_of(PICTURE_ENDINGS, &ending.to_lowercase());
            text.starts_with("data:image/") || ending.is_some_and(known)
        }
        Value::Array(items) => items.iter().any(names_a_picture),
        Value::Object(fields) => fields.values().any(names_a_picture),
        _ => false,
    }
}

/// Whether a field says nothing.
pub(super) fn is_absent(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The fields of a JSON object as they stand: in order, and twice where they stand twice.
#[derive(Debug)]
pub(super) struct Fields(pub Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Reading;
        impl<'de> Visitor<'de> for Reading {
            type Value = Fields;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object with the fields of a row")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        input.deserialize_map(Reading)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_that_people_use_are_known() {
        let cases = [
            (
                Field::Pictures,
                "File_Name fileName filename FILE-NAME file_names image Images image_path path img",
            ),
            (
                Field::OnePicture,
                "before_file_name maskFileName depth_file_names",
            ),
            (Field::Question, "Question query prompt instruction"),
            (Field::Answer, "answer Response output completion"),
            (Field::Messages, "messages conversations"),
        ];
        for (field, names) in cases {
            for name in names.split(' ') {
                assert_eq!(field_of(name), Some(field), "{name}");
            }
        }
        assert_eq!(field_of("File Name"), Some(Field::Pictures));
        for name in [
            "bild",
            "",
            "split",
            "video_file_name",
            "image_id",
            "answer_type",
        ] {
            assert_eq!(field_of(name), None, "{name}");
        }
    }

    #[test]
    fn two_columns_for_one_field_are_refused() {
        let refused = |head: &str| {
            let names: Vec<String> = head.split(',').map(str::to_owned).collect();
            check_head(&names, true).expect_err(head)
        };
        for (head, two) in [
            ("file_name,image,question,answer", "`file_name` and `image`"),
            (
                "path,before_file_name,question,answer",
                "`path` and `before_file_name`",
            ),
            (
                "image,Question,question,answer",
                "`Question` and `question`",
            ),
            ("image,prompt,question,answer", "`prompt` and `question`"),
            ("image,question,answer,response", "`answer` and `response`"),
            ("image,question,label,target", "`label` and `target`"),
        ] {
            let said = refused(head);
            assert!(said.contains(two), "{head}: {said}");
        }
        for head in [
            "file_name,question,answer,label",
            "before_file_name,after_file_name,question,answer",
            "image,instruction,input,output",
            "image,question,label",
            "image,input,output",
            ",image,question,answers,split",
        ] {
            let names: Vec<String> = head.split(',').map(str::to_owned).collect();
            assert_eq!(check_head(&names, true), Ok(()), "{head}");
        }
        assert!(refused("bild,question,answer").contains("bild, question, answer"));
        assert!(refused("image,frage,answer").contains("image, frage, answer"));
        assert!(refused("image,question,antwort").contains("no column is called answer"));
        assert!(refused("image,question,answer,video").contains("`video` is not read"));
    }
}
