//! Chat templates: Jinja, as transformers 4.51.3 renders it, over a conversation.
//!
//! A template comes with a model and may come from anyone: it runs under a budget of steps and
//! memory, sees nothing but the conversation, and its output is bounded.

mod clock;
mod python;
mod source;
mod tojson;
mod width;

use std::io::{self, Write};
use std::time::SystemTime;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, Value, context};

use crate::error::TokenizerError;
use crate::turn::{Part, Role, Turn, shown, stretches};

pub use clock::MONTHS;

/// Longest template in bytes; public ones stay below 20 kB.
const MAX_SOURCE: usize = 256 << 10;
/// Longest rendered conversation in bytes.
const MAX_OUTPUT: usize = 16 << 20;
/// Steps, and 64 bytes of values each, that a rendering may take beside the conversation's own.
const FUEL: u64 = 2_000_000;
const NAME: &str = "chat_template";

/// How a turn's content reaches a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// A string, as text models expect; images cannot be shown.
    Text,
    /// A string in which [`IMAGE_MARKER`](crate::turn::IMAGE_MARKER) is the name of the token that
    /// stands for an image: a text model that was given eyes.
    Marked,
    /// A list of `{"type": "image"}` and `{"type": "text", "text": ..}`, as Mllama expects; a
    /// system turn stays a string.
    Parts,
}

/// A compiled chat template and the names that it sees.
pub struct ChatTemplate {
    environment: Box<Environment<'static>>,
    bos: String,
    eos: String,
    content: Content,
}

impl ChatTemplate {
    /// Compiles a template; `bos` and `eos` are the texts of `bos_token` and `eos_token`, empty
    /// where the model has none.
    ///
    /// Errors if it is too long or no Jinja.
    pub fn new(
        source: &str,
        bos: &str,
        eos: &str,
        content: Content,
    ) -> Result<Self, TokenizerError> {
        if source.len() > MAX_SOURCE {
            let reason = format!("{} bytes, at most {MAX_SOURCE} are read", source.len());
            return Err(TokenizerError::Template(reason));
        }
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build();
        environment.set_syntax(syntax.map_err(template_error)?);
        environment.set_fuel(Some(FUEL));
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        python::add_to(&mut environment);
        environment
            .add_template_owned(NAME, source::adapted(source))
            .map_err(template_error)?;
        Ok(Self {
            environment: Box::new(environment),
            bos: bos.to_owned(),
            eos: eos.to_owned(),
            content,
        })
    }

    /// The conversation's text, with the model's turn opened.
    ///
    /// Errors if the template refuses the conversation, spends its budget, or the conversation
    /// has images and the template's content is [`Content::Text`].
    pub fn render(&self, turns: &[Turn]) -> Result<String, TokenizerError> {
        self.render_at(turns, SystemTime::now())
    }

    /// As [`render`](Self::render), with the time that `strftime_now` tells (UTC).
    pub(crate) fn render_at(
        &self,
        turns: &[Turn],
        now: SystemTime,
    ) -> Result<String, TokenizerError> {
        let messages: Result<Vec<Value>, _> = turns.iter().map(|turn| self.message(turn)).collect();
        let strftime_now = move |format: &str| clock::strftime(format, now);
        let values = context! {
            messages => messages?,
            tools => Value::from(()),
            documents => Value::from(()),
            add_generation_prompt => true,
            bos_token => defined(&self.bos),
            eos_token => defined(&self.eos),
            strftime_now => Value::from_function(strftime_now),
        };
        let template = self
            .environment
            .get_template(NAME)
            .map_err(template_error)?;
        let mut output = Bounded::default();
        match template.render_captured_to(values, &mut output) {
            _ if output.overflowed => {
                let reason = format!("wrote more than {MAX_OUTPUT} bytes");
                Err(TokenizerError::Template(reason))
            }
            Err(error) => Err(template_error(error)),
            Ok(_) => String::from_utf8(output.bytes)
                .map_err(|_| TokenizerError::Template("wrote what is no UTF-8".into())),
        }
    }

    fn message(&self, turn: &Turn) -> Result<Value, TokenizerError> {
        let content = match (self.content, turn.role) {
            (Content::Text, _) if turn.num_images() > 0 => {
                let reason = "the model's template takes no images";
                return Err(TokenizerError::Prompt(reason.into()));
            }
            (Content::Text | Content::Marked, _) | (Content::Parts, Role::System) => {
                Value::from(shown(&turn.parts))
            }
            (Content::Parts, Role::Assistant) => Value::from(vec![text_part(&turn.text())]),
            (Content::Parts, Role::User) => Value::from(parts(&turn.parts)),
        };
        let role = match turn.role {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        Ok(Value::from_pairs([
            ("role", Value::from(role)),
            ("content", content),
        ]))
    }
}

fn parts(said: &[Part]) -> Vec<Value> {
    let mut parts = Vec::new();
    for (index, text) in stretches(said).iter().enumerate() {
        if index > 0 {
            parts.push(Value::from_pairs([("type", "image")]));
        }
        if !text.is_empty() {
            parts.push(text_part(text));
        }
    }
    parts
}

/// A token's text; a token that the model lacks is undefined, as in transformers.
fn defined(token: &str) -> Value {
    match token {
        "" => Value::UNDEFINED,
        token => Value::from(token),
    }
}

fn text_part(text: &str) -> Value {
    Value::from_pairs([("type", "text"), ("text", text)])
}

fn template_error(error: Error) -> TokenizerError {
    let mut reason = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(inner) = source {
        reason = format!("{reason}: {inner}");
        source = inner.source();
    }
    TokenizerError::Template(reason)
}

/// A buffer that takes no more than [`MAX_OUTPUT`].
#[derive(Default)]
struct Bounded {
    bytes: Vec<u8>,
    overflowed: bool,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > MAX_OUTPUT {
            self.overflowed = true;
            return Err(io::Error::other("too long"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
