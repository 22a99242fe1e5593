//! A public model's form: typed words in it, and how its texts begin.

use super::{BosRule, ChatTokenizer};
use crate::error::TokenizerError;
use crate::form::PromptForm;
use crate::guard::Guard;

impl ChatTokenizer {
    /// What an IDEFICS prompt spells out at its start; the other forms get it from the tokenizer.
    pub(super) fn spelled_opening(&self) -> String {
        match self.form {
            PromptForm::Idefics { .. } => "<s>".into(),
            _ => String::new(),
        }
    }

    /// The name of the token that stands for an image.
    pub(super) fn image_name(&self) -> Option<String> {
        self.image_token.and_then(|id| self.tokenizer.token(id))
    }

    pub(super) fn encode_written(
        &self,
        text: &str,
        guard: Option<Guard>,
    ) -> Result<Vec<u32>, TokenizerError> {
        match self.bos {
            BosRule::PostProcessor => self.tokenizer.encode_once(text, guard),
            BosRule::Spelled => self.tokenizer.encode_marked(text, guard),
            BosRule::AfterImages(bos) => {
                let bos = self.tokenizer.token(bos).unwrap_or_default();
                let text = opened(text, &bos, &self.image_name().unwrap_or_default());
                self.tokenizer.encode_marked(&text, guard)
            }
        }
    }

    /// Ids of what `write` makes of typed words, none of which becomes structure.
    ///
    /// `write` gets what is done to the words. The names in them are marked; in words without any
    /// nothing is. Then all letters are: where the form writes the same around those, as it does
    /// unless it measures or searches the words, a name that is whole is its own, and none may be
    /// put together of typed and written letters.
    pub(super) fn typed(
        &self,
        write: impl Fn(&dyn Fn(&str) -> String) -> Result<String, TokenizerError>,
        encode: impl Fn(&str, Option<Guard>) -> Result<Vec<u32>, TokenizerError>,
    ) -> Result<Vec<u32>, TokenizerError> {
        let plain = write(&str::to_owned)?;
        let guard = Guard::unused_in(&plain)?;
        let named = write(&|words| guard.within(words, &self.names))?;
        let named = encode(&named, Some(guard).filter(|guard| named.contains(guard.0)))?;
        let sure = match write(&|words| guard.between(words)) {
            Ok(marked) if guard.removed(&marked) == plain => encode(&marked, Some(guard))?,
            _ => return Ok(named),
        };
        let structure = |ids: &[u32]| -> Vec<u32> {
            let of_form = ids.iter().filter(|id| self.structure.contains(id));
            of_form.copied().collect()
        };
        // Tokens of text that are found by their names, such as runs of spaces, are left whole.
        match structure(&named) == structure(&sure) {
            true => Ok(named),
            false => Ok(sure),
        }
    }
}

/// Mllama's `build_string_from_input`.
fn opened(text: &str, bos: &str, image: &str) -> String {
    if text.contains(bos) {
        return text.to_owned();
    }
    let rest = match image.is_empty() {
        true => text,
        false => text.trim_start_matches(image),
    };
    let (images, rest) = text.split_at(text.len() - rest.len());
    format!("{images}{bos}{rest}")
}
