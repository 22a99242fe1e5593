//! What a model expects of prompts.

use crate::files::ModelFiles;
use avocet_media::ImageProcessor;
use avocet_text::{BosRule, ChatTokenizer, Prompt, PromptForm, TokenizerError, Turn};
use serde::Serialize;
use std::fmt;

/// Longest example that is shown, in characters.
const MOST_SHOWN: usize = 300;

/// What a model expects of prompts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prompts {
    /// The form that conversations are put in.
    pub form: &'static str,
    /// How a text as written begins.
    pub opening: String,
    /// The token that stands for an image, if the model sees any.
    pub image_token: Option<Token>,
    /// Tokens that end an answer.
    pub ends: Vec<Token>,
    /// Tokens that are never generated.
    pub never: Vec<Token>,
    /// Longest text with its answer, in tokens.
    pub context: usize,
    /// What pictures become, if the model sees any.
    pub picture: Option<String>,
    /// A question as the model gets it, special tokens by their names, at most 300 characters; or
    /// why the form refuses it.
    pub example: String,
    /// The questions that the form refuses, whatever they ask, if there are such.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
}

/// Questions that a form refuses, whatever they ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// Whether it takes none at all; otherwise it is those about a picture.
    pub all: bool,
    /// Why.
    pub reason: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let about = if self.all { "" } else { " about a picture" };
        write!(f, "every question{about} is refused: {}", self.reason)
    }
}

/// A token by id and name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Token {
    /// Its id.
    pub id: u32,
    /// Its name, or its text.
    pub name: String,
}

pub(super) fn prompts(files: &ModelFiles, language: &ChatTokenizer) -> Prompts {
    let token = |id: u32| Token {
        id,
        name: language.token(id).unwrap_or_default(),
    };
    let sees = files.config().sees();
    let ids = 0..u32::try_from(language.vocab_size()).unwrap_or(u32::MAX);
    let asked = asked(language, usize::from(sees));
    let refused = asked.as_ref().err().map(|error| Refused {
        all: !sees || self::asked(language, 0).is_err(),
        reason: error.to_string(),
    });
    let example = match asked {
        Ok(prompt) => shortened(&language.decode_with_special(&prompt.ids)),
        Err(error) => shortened(&format!("refused: {error}")),
    };
    Prompts {
        form: form(language.form()),
        opening: opening(language, token),
        image_token: language.image_token().filter(|_| sees).map(token),
        ends: ids.filter(|&id| language.is_stop(id)).map(token).collect(),
        never: language.banned().iter().copied().map(token).collect(),
        context: files.config().decoder.max_context,
        picture: files.processor().map(picture),
        example,
        refused,
    }
}

/// A question about `images` pictures as the model gets it; with instructions before it where it
/// is refused without.
fn asked(language: &ChatTokenizer, images: usize) -> Result<Prompt, TokenizerError> {
    let question = Turn::about(images, "What is this?");
    let instructions = Turn::system("Answer briefly.");
    let alone = language.question(std::slice::from_ref(&question));
    alone.or_else(|error| {
        language
            .question(&[instructions, question])
            .map_err(|_| error)
    })
}

fn form(form: &PromptForm) -> &'static str {
    match form {
        PromptForm::Own(_) => "our own, of special tokens that no typed text can produce",
        PromptForm::Template(_) => "the model's chat template",
        PromptForm::Idefics { instruct: true } => {
            "IDEFICS' dialogue, each turn ended by <end_of_utterance>"
        }
        PromptForm::Idefics { instruct: false } => "IDEFICS' dialogue",
        PromptForm::Flamingo => "OpenFlamingo's questions and short answers",
        PromptForm::Plain => "none: the text as it is",
    }
}

fn opening(language: &ChatTokenizer, token: impl Fn(u32) -> Token) -> String {
    match language.bos_rule() {
        BosRule::Spelled => "as it is written".into(),
        BosRule::AfterImages(id) => {
            format!("with {} after its first images", token(id).name)
        }
        BosRule::PostProcessor => match language.encode_raw("") {
            Ok(ids) if ids.is_empty() => "as it is written".into(),
            Ok(ids) => format!("with {}", language.decode_with_special(&ids)),
            Err(error) => format!("refused: {error}"),
        },
    }
}

fn picture(processor: &ImageProcessor) -> String {
    match processor {
        ImageProcessor::Native {
            patch_size,
            max_patches,
        } => format!("any shape, at most {max_patches} patches of {patch_size} x {patch_size}"),
        ImageProcessor::Square {
            side, patch_size, ..
        } => format!("{side} x {side} pixels, patches of {patch_size} x {patch_size}"),
        ImageProcessor::Tiles {
            side,
            patch_size,
            max_tiles,
            ..
        } => format!(
            "at most {max_tiles} tiles of {side} x {side} pixels, patches of {patch_size} x {patch_size}"
        ),
    }
}

/// The beginning and the end of a longer text: the question stands at the end.
fn shortened(text: &str) -> String {
    const GAP: &str = " ... ";
    let length = text.chars().count();
    if length <= MOST_SHOWN {
        return text.to_owned();
    }
    let half = (MOST_SHOWN - GAP.len()) / 2;
    let first: String = text.chars().take(half).collect();
    let last: String = text.chars().skip(length - half).collect();
    format!("{first}{GAP}{last}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_examples_keep_both_ends() {
        assert_eq!(shortened("short é"), "short é");
        let long = format!("<s>{}?", "é".repeat(1000));
        let shown = shortened(&long);
        assert!(shown.chars().count() <= MOST_SHOWN, "{shown}");
        assert!(shown.starts_with("<s>é") && shown.ends_with("é?"));
    }
}
