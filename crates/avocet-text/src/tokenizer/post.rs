//! The `post_processor` of a `tokenizer.json`: tokens put before and after a text.

use serde_json::Value;

use super::components::{check_kind, steps};
use crate::error::TokenizerError;

/// Most tokens before or after a text.
const MAX_AFFIX: usize = 16;

const POST_PROCESSORS: [&str; 4] = [
    "ByteLevel",
    "TemplateProcessing",
    "RobertaProcessing",
    "BertProcessing",
];

/// Tokens put around every text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Affixes {
    /// Ids before it.
    pub before: Vec<u32>,
    /// Ids after it.
    pub after: Vec<u32>,
}

impl Affixes {
    /// Reads what a file does to one text; pairs of texts are not encoded here.
    pub fn parse(value: &Value) -> Result<Self, TokenizerError> {
        let mut affixes = Self::default();
        for (field, step) in steps("post_processor", value, "processors")? {
            match check_kind(&field, step, &POST_PROCESSORS)? {
                "ByteLevel" => {}
                "TemplateProcessing" => affixes.wrap(template(&field, step)?),
                _ => {
                    let id = |name: &str| {
                        let field = format!("{field}.{name}");
                        Ok::<_, TokenizerError>(vec![id_of(&field, &step[name][1])?])
                    };
                    affixes.wrap((id("cls")?, id("sep")?));
                }
            }
        }
        if affixes.before.len().max(affixes.after.len()) > MAX_AFFIX {
            let reason = format!("over {MAX_AFFIX} tokens before or after a text");
            return Err(TokenizerError::field("post_processor", reason));
        }
        Ok(affixes)
    }

    fn wrap(&mut self, (mut before, after): (Vec<u32>, Vec<u32>)) {
        before.append(&mut self.before);
        self.before = before;
        self.after.extend(after);
    }

    /// Errors if an id stands for nothing.
    pub fn check(&self, names: &[Option<String>]) -> Result<(), TokenizerError> {
        let known = |&&id: &&u32| !matches!(names.get(id as usize), Some(Some(_)));
        match self.before.iter().chain(&self.after).find(known) {
            Some(id) => {
                let reason = format!("id {id} stands for no token");
                Err(TokenizerError::field("post_processor", reason))
            }
            None => Ok(()),
        }
    }

    /// The ids with all of them around.
    pub fn around(&self, ids: Vec<u32>) -> Vec<u32> {
        [&self.before[..], &ids, &self.after].concat()
    }

    /// The ids with those around that are not there yet.
    pub fn once_around(&self, ids: Vec<u32>) -> Vec<u32> {
        let before = match ids.starts_with(&self.before) {
            true => &[],
            false => &self.before[..],
        };
        let after = match ids.ends_with(&self.after) {
            true => &[],
            false => &self.after[..],
        };
        [before, &ids, after].concat()
    }
}

/// `{"single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}], "special_tokens": ..}`
fn template(field: &str, step: &Value) -> Result<(Vec<u32>, Vec<u32>), TokenizerError> {
    let place = format!("{field}.single");
    let Some(single) = step["single"].as_array() else {
        return Err(TokenizerError::field(place, "is no list"));
    };
    let (mut before, mut after, mut texts) = (Vec::new(), Vec::new(), 0);
    for part in single.iter().take(2 * MAX_AFFIX + 2) {
        if let Some(name) = part["SpecialToken"]["id"].as_str() {
            let field = format!("{field}.special_tokens[{name:?}].ids");
            let Some(ids) = step["special_tokens"][name]["ids"].as_array() else {
                return Err(TokenizerError::field(field, "is no list"));
            };
            for id in ids.iter().take(MAX_AFFIX + 1) {
                let id = id_of(&field, id)?;
                match texts {
                    0 => before.push(id),
                    _ => after.push(id),
                }
            }
        } else if part["Sequence"]["id"] == "A" {
            texts += 1;
        } else {
            return Err(TokenizerError::field(
                place,
                "a part is neither token nor text",
            ));
        }
    }
    match texts {
        1 => Ok((before, after)),
        _ => Err(TokenizerError::field(
            place,
            format!("holds the text {texts} times"),
        )),
    }
}

fn id_of(field: &str, value: &Value) -> Result<u32, TokenizerError> {
    let id = value.as_u64().and_then(|id| u32::try_from(id).ok());
    id.ok_or_else(|| TokenizerError::field(field, "is no token id"))
}
