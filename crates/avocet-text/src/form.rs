//! The forms in which conversations are put to models.

use crate::error::TokenizerError;
use crate::own_form::OwnForm;
use crate::template::ChatTemplate;
use crate::turn::{Role, Turn, stretches};

/// IDEFICS' token on both sides of an image.
const FAKE: &str = "<fake_token_around_image>";
/// IDEFICS' token for an image; Flamingo's too.
const IMAGE: &str = "<image>";
/// Ends what a speaker says to an IDEFICS that was trained on instructions.
const END_OF_UTTERANCE: &str = "<end_of_utterance>";
/// Ends an answer of Flamingo's.
const END_OF_CHUNK: &str = "<|endofchunk|>";

/// The form in which a conversation is put to a model.
pub enum PromptForm {
    /// Our own models', of special tokens that no typed text can produce.
    Own(Box<OwnForm>),
    /// What a chat template writes.
    Template(ChatTemplate),
    /// `<s>User:<fake_token_around_image><image><fake_token_around_image>text<end_of_utterance>`,
    /// newline, `Assistant:`, as transformers' `IdeficsProcessor` joins it; the base model, not
    /// `instruct`, was trained without `<end_of_utterance>`.
    Idefics {
        /// Whether speakers end with `<end_of_utterance>`.
        instruct: bool,
    },
    /// `<image>Question:.. Short answer:`, OpenFlamingo's form for questions; earlier answers end
    /// with `<|endofchunk|>`.
    Flamingo,
    /// The texts of all turns, a line each, for language models that know no form.
    Plain,
}

impl PromptForm {
    /// The conversation's text, from which ids are made; `bos` and `image` are the names of those
    /// tokens.
    pub(crate) fn write(
        &self,
        turns: &[Turn],
        bos: &str,
        image: Option<&str>,
    ) -> Result<String, TokenizerError> {
        match self {
            Self::Own(_) => Err(TokenizerError::Prompt(
                "our own form is of tokens, not of text".into(),
            )),
            Self::Template(template) => template.render(turns),
            Self::Idefics { instruct } => Ok(idefics(turns, bos, *instruct)),
            Self::Flamingo => Ok(flamingo(turns)),
            Self::Plain => plain(turns, image),
        }
    }
}

/// Items as `IdeficsProcessor` joins them: texts without spaces around, adjacent images with one
/// token between. It knows no system turn: that text opens what the user says next.
fn idefics(turns: &[Turn], bos: &str, instruct: bool) -> String {
    let end = if instruct { END_OF_UTTERANCE } else { "" };
    let mut text = bos.to_owned();
    let mut first = true;
    let mut instructions = String::new();
    for turn in turns {
        let newline = if std::mem::take(&mut first) { "" } else { "\n" };
        match turn.role {
            Role::System => {
                first = newline.is_empty();
                instructions.push_str(&turn.text());
                instructions.push('\n');
            }
            Role::User => {
                text.push_str(newline);
                let mut said = stretches(&turn.parts);
                said[0].insert_str(0, &format!("User: {}", std::mem::take(&mut instructions)));
                let mut after_image = false;
                for (index, part) in said.iter().enumerate() {
                    if index > 0 {
                        text.push_str(if after_image { "" } else { FAKE });
                        text.push_str(IMAGE);
                        text.push_str(FAKE);
                        after_image = true;
                    }
                    let part = part.trim_matches(' ');
                    after_image &= part.is_empty();
                    text.push_str(part);
                }
                text.push_str(end);
            }
            Role::Assistant => {
                let said = format!("{newline}Assistant: {}", turn.text());
                text.push_str(said.trim_matches(' '));
                text.push_str(end);
            }
        }
    }
    text.push_str("\nAssistant:");
    text
}

/// A turn's images come first, as in every example that OpenFlamingo was asked.
fn flamingo(turns: &[Turn]) -> String {
    let mut text = String::new();
    for turn in turns {
        match turn.role {
            Role::System => text.push_str(&turn.text()),
            Role::User => {
                text.push_str(&IMAGE.repeat(turn.num_images()));
                text.push_str(&format!("Question:{} Short answer:", turn.text().trim()));
            }
            Role::Assistant => {
                text.push_str(&turn.text());
                text.push_str(END_OF_CHUNK);
            }
        }
    }
    text
}

fn plain(turns: &[Turn], image: Option<&str>) -> Result<String, TokenizerError> {
    let said = |turn: &Turn| match (turn.num_images(), image) {
        (0, _) => Ok(turn.text()),
        (_, Some(image)) => Ok(stretches(&turn.parts).join(image)),
        (_, None) => Err(TokenizerError::Prompt("the model sees no images".into())),
    };
    let lines: Result<Vec<String>, _> = turns.iter().map(said).collect();
    Ok(lines?.join("\n"))
}
