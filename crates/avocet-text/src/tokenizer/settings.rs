//! What the files beside a `tokenizer.json` say: special tokens, chat template, ends of answers.

use serde_json::Value;

use super::Tokenizer;
use super::parts::MAX_BYTES;
use crate::error::TokenizerError;

/// Most ids that may end an answer.
const MAX_ENDS: usize = 64;

/// The files beside a `tokenizer.json`, those that there are.
#[derive(Debug, Clone, Copy, Default)]
pub struct SideFiles<'a> {
    /// `tokenizer_config.json`.
    pub tokenizer_config: Option<&'a [u8]>,
    /// `special_tokens_map.json`.
    pub special_tokens_map: Option<&'a [u8]>,
    /// `chat_template.json`.
    pub chat_template_json: Option<&'a [u8]>,
    /// `chat_template.jinja`.
    pub chat_template_jinja: Option<&'a [u8]>,
    /// `generation_config.json`.
    pub generation_config: Option<&'a [u8]>,
}

/// What they say together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenizerConfig {
    /// Name of the token that begins texts.
    pub bos: Option<String>,
    /// Name of the token that ends them.
    pub eos: Option<String>,
    /// Name of the token that fills up short texts of a batch.
    pub pad: Option<String>,
    /// Jinja source of the chat template; of several, the one named `default`.
    pub chat_template: Option<String>,
    /// Ids that `generation_config.json` says end an answer.
    pub eos_ids: Vec<u32>,
}

impl TokenizerConfig {
    /// Reads the files. As in transformers, a template in a file of its own comes before the one
    /// in `tokenizer_config.json`, and that file's tokens before `special_tokens_map.json`'s.
    ///
    /// Errors name the file and field.
    pub fn parse(files: SideFiles) -> Result<Self, TokenizerError> {
        let config = parse("tokenizer_config.json", files.tokenizer_config)?;
        let map = parse("special_tokens_map.json", files.special_tokens_map)?;
        let own_file = parse("chat_template.json", files.chat_template_json)?;
        let generation = parse("generation_config.json", files.generation_config)?;
        let token = |name: &str| match token("tokenizer_config.json", &config, name)? {
            None => token("special_tokens_map.json", &map, name),
            found => Ok(found),
        };
        let jinja = files.chat_template_jinja.map(|bytes| {
            std::str::from_utf8(bytes)
                .map(str::to_owned)
                .map_err(|error| TokenizerError::metadata("chat_template.jinja", error.to_string()))
        });
        let chat_template = match jinja.transpose()? {
            None => match template("chat_template.json", &own_file)? {
                None => template("tokenizer_config.json", &config)?,
                found => found,
            },
            found => found,
        };
        Ok(Self {
            bos: token("bos_token")?,
            eos: token("eos_token")?,
            pad: token("pad_token")?,
            chat_template,
            eos_ids: eos_ids(&generation["eos_token_id"])?,
        })
    }

    /// Every id that ends an answer: the end of texts and those of `generation_config.json` that
    /// are the tokenizer's.
    pub fn stops(&self, tokenizer: &Tokenizer) -> Vec<u32> {
        let eos = self.eos.as_deref().and_then(|eos| tokenizer.id(eos));
        let mut stops: Vec<u32> = self.eos_ids.iter().copied().chain(eos).collect();
        stops.retain(|&id| tokenizer.token(id).is_some());
        stops.sort_unstable();
        stops.dedup();
        stops
    }
}

fn parse(name: &str, bytes: Option<&[u8]>) -> Result<Value, TokenizerError> {
    let Some(bytes) = bytes else {
        return Ok(Value::Null);
    };
    if bytes.len() > MAX_BYTES {
        let reason = format!("{} bytes, at most {MAX_BYTES} are read", bytes.len());
        return Err(TokenizerError::metadata(name, reason));
    }
    serde_json::from_slice(bytes).map_err(|error| TokenizerError::metadata(name, error.to_string()))
}

/// A token's name: a text, or an object with the text as its `content`.
fn token(file: &str, value: &Value, name: &str) -> Result<Option<String>, TokenizerError> {
    let text = match &value[name] {
        Value::Null => return Ok(None),
        Value::Object(token) => token.get("content").and_then(Value::as_str),
        other => other.as_str(),
    };
    match text {
        Some(text) => Ok(Some(text.to_owned())),
        None => Err(TokenizerError::metadata(
            format!("{file}: {name}"),
            "is no token",
        )),
    }
}

/// A template, or a list of named ones.
fn template(file: &str, value: &Value) -> Result<Option<String>, TokenizerError> {
    let found = match &value["chat_template"] {
        Value::Null => return Ok(None),
        Value::Array(named) => {
            let default = named.iter().find(|one| one["name"] == "default");
            default.and_then(|one| one["template"].as_str())
        }
        other => other.as_str(),
    };
    match found {
        Some(text) => Ok(Some(text.to_owned())),
        None => {
            let reason = "is neither a template nor a list with a default";
            Err(TokenizerError::metadata(
                format!("{file}: chat_template"),
                reason,
            ))
        }
    }
}

fn eos_ids(value: &Value) -> Result<Vec<u32>, TokenizerError> {
    let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    let ids = match value {
        Value::Null => Some(Vec::new()),
        Value::Array(ids) if ids.len() <= MAX_ENDS => ids.iter().map(id).collect(),
        one => id(one).map(|id| vec![id]),
    };
    let field = "generation_config.json: eos_token_id";
    ids.ok_or_else(|| TokenizerError::metadata(field, "is neither an id nor a short list of ids"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_their_own_come_first() {
        let files = SideFiles {
            tokenizer_config: Some(
                br#"{"bos_token": {"content": "<s>"}, "eos_token": null,
                "chat_template": [{"name": "tool", "template": "t"}, {"name": "default", "template": "d"}]}"#,
            ),
            special_tokens_map: Some(br#"{"bos_token": "<x>", "eos_token": "</s>"}"#),
            generation_config: Some(br#"{"eos_token_id": [2, 7]}"#),
            ..SideFiles::default()
        };
        let settings = TokenizerConfig::parse(files).unwrap();
        assert_eq!(settings.bos.as_deref(), Some("<s>"));
        assert_eq!(settings.eos.as_deref(), Some("</s>"));
        assert_eq!(settings.chat_template.as_deref(), Some("d"));
        assert_eq!(settings.eos_ids, [2, 7]);
        let json = SideFiles {
            chat_template_json: Some(br#"{"chat_template": "own"}"#),
            ..files
        };
        assert_eq!(
            TokenizerConfig::parse(json)
                .unwrap()
                .chat_template
                .as_deref(),
            Some("own")
        );
        let jinja = SideFiles {
            chat_template_jinja: Some(b"first"),
            ..json
        };
        assert_eq!(
            TokenizerConfig::parse(jinja)
                .unwrap()
                .chat_template
                .as_deref(),
            Some("first")
        );
        assert_eq!(
            TokenizerConfig::parse(SideFiles::default()).unwrap(),
            TokenizerConfig::default()
        );
    }

    #[test]
    fn every_end_that_is_a_token_stops_an_answer() {
        let golden = include_str!("../../../../tests/golden/text/llama3.json");
        let golden: Value = serde_json::from_str(golden).unwrap();
        let file = golden["tokenizer"].to_string();
        let tokenizer = Tokenizer::from_json(file.as_bytes()).unwrap();
        let settings = TokenizerConfig {
            eos: Some("<|eot_id|>".into()),
            eos_ids: vec![7, 128_009, 3, 7],
            ..TokenizerConfig::default()
        };
        let eot = tokenizer.id("<|eot_id|>").unwrap();
        assert_eq!(settings.stops(&tokenizer), [3, 7, eot]);
    }

    #[test]
    fn broken_files_are_refused_by_name_and_field() {
        let refused = |files: SideFiles<'_>| TokenizerConfig::parse(files).unwrap_err().to_string();
        let config = |bytes| SideFiles {
            tokenizer_config: Some(bytes),
            ..SideFiles::default()
        };
        assert!(refused(config(b"{")).starts_with("tokenizer_config.json: "));
        assert!(refused(config(br#"{"bos_token": 1}"#)).contains("bos_token"));
        assert!(refused(config(br#"{"chat_template": {}}"#)).contains("chat_template"));
        for eos in [r#""x""#, "-1", "4294967296", "[1.5]"] {
            let bytes = format!("{{\"eos_token_id\": {eos}}}");
            let files = SideFiles {
                generation_config: Some(bytes.as_bytes()),
                ..SideFiles::default()
            };
            assert!(refused(files).contains("generation_config.json: eos_token_id"));
        }
        let jinja = SideFiles {
            chat_template_jinja: Some(b"\xFF"),
            ..SideFiles::default()
        };
        assert!(refused(jinja).contains("chat_template.jinja"));
    }
}
