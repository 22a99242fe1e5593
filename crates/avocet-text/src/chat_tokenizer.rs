//! How a model is spoken to: its tokenizer, the form of its prompts, and who sees which image.

mod typed;

use std::collections::HashSet;

use crate::error::TokenizerError;
use crate::form::PromptForm;
use crate::image_rule::ImageRule;
use crate::own_form::OwnForm;
use crate::prompt::Prompt;
use crate::special::Special;
use crate::tokenizer::{DecodeStream, Pieces, Tokenizer};
use crate::turn::{self, Part, Role, Turn, stretches};
use crate::utf8::Broken;

/// How a text as written begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BosRule {
    /// With what the tokenizer's post-processor puts there, once.
    PostProcessor,
    /// As it is written: IDEFICS' prompts spell `<s>` out.
    Spelled,
    /// With this token unless its name is anywhere in the text, after the image tokens that the
    /// text begins with: Mllama's `build_string_from_input`.
    AfterImages(u32),
}

/// How a model is spoken to.
pub struct ChatTokenizer {
    tokenizer: Tokenizer,
    form: PromptForm,
    image_token: Option<u32>,
    rule: ImageRule,
    stops: HashSet<u32>,
    /// The stop that finished answers end with.
    end: Option<u32>,
    banned: Vec<u32>,
    bos: BosRule,
    /// Tokens that only the form may write, and their names.
    structure: HashSet<u32>,
    names: Vec<String>,
}

impl ChatTokenizer {
    /// Our own form over the tokenizer of a `tokenizer.json`, such as
    /// [`train_bpe`](crate::train_bpe) gives: any special token stops an answer.
    ///
    /// Errors name the field if it is not byte-level BPE with our special tokens.
    pub fn own(json: &[u8]) -> Result<Self, TokenizerError> {
        let tokenizer = Tokenizer::from_byte_level_json(json)?;
        let own = OwnForm::new(&tokenizer)?;
        let image = Some(own.special(Special::Image));
        let end = own.special(Special::End);
        let stops = [end].into_iter().chain(own.special_ids()).collect();
        let (form, rule) = (PromptForm::Own(Box::new(own)), ImageRule::Latest);
        Self::new(
            tokenizer,
            form,
            image,
            rule,
            stops,
            Vec::new(),
            BosRule::Spelled,
        )
    }

    /// Speaks in `form`: `stops` end an answer, finished ones with the first of them; `banned` must
    /// never be generated.
    ///
    /// Errors if an id is not the tokenizer's.
    pub fn new(
        tokenizer: Tokenizer,
        form: PromptForm,
        image_token: Option<u32>,
        rule: ImageRule,
        stops: Vec<u32>,
        banned: Vec<u32>,
        bos: BosRule,
    ) -> Result<Self, TokenizerError> {
        let opening = match bos {
            BosRule::AfterImages(id) => Some(id),
            BosRule::PostProcessor | BosRule::Spelled => None,
        };
        let ids = stops
            .iter()
            .chain(&banned)
            .chain(&image_token)
            .chain(&opening);
        let ids_of_form: Vec<u32> = ids.copied().collect();
        let unknown = |id: &&u32| tokenizer.token(**id).is_none();
        if let Some(id) = ids_of_form.iter().find(unknown) {
            let reason = format!("token {id} is not in the vocabulary");
            return Err(TokenizerError::Prompt(reason));
        }
        let structure: HashSet<u32> = tokenizer.special().chain(ids_of_form).collect();
        let names = structure.iter().filter_map(|&id| tokenizer.token(id));
        Ok(Self {
            names: names.collect(),
            structure,
            tokenizer,
            form,
            image_token,
            rule,
            end: stops.first().copied(),
            stops: stops.into_iter().collect(),
            banned,
            bos,
        })
    }

    /// Ids of a conversation with the model's turn opened, ready for generation.
    ///
    /// What is typed is text: names of special tokens in it are letters, and only the form makes
    /// the tokens of structure.
    ///
    /// Errors if the form refuses the conversation, shows more or fewer images than it has, or
    /// makes no tokens of it.
    pub fn question(&self, turns: &[Turn]) -> Result<Prompt, TokenizerError> {
        if let PromptForm::Own(own) = &self.form {
            return own.question(&self.tokenizer, turns);
        }
        let (opening, image) = (self.spelled_opening(), self.image_name());
        let write = |words: &dyn Fn(&str) -> String| {
            let turns: Vec<Turn> = turns.iter().map(|turn| turn.reworded(words)).collect();
            self.form.write(&turns, &opening, image.as_deref())
        };
        let ids = self.typed(write, |text, guard| match self.form {
            PromptForm::Template(_) => self.tokenizer.encode_marked(text, guard),
            _ => self.encode_written(text, guard),
        })?;
        if ids.is_empty() {
            let reason = "the model's form makes no tokens of the conversation";
            return Err(TokenizerError::Prompt(reason.into()));
        }
        let images = turns.iter().map(Turn::num_images).sum();
        self.check_images(&ids, images)?;
        Ok(Prompt {
            answer: vec![false; ids.len()],
            ids,
            images,
        })
    }

    fn check_images(&self, ids: &[u32], images: usize) -> Result<(), TokenizerError> {
        let found = self.num_images(ids);
        if found == images {
            return Ok(());
        }
        let reason = format!("{found} image tokens for {images} images");
        Err(TokenizerError::Prompt(reason))
    }

    /// Ids of a finished conversation, as it is learned: answers and their ends are targets.
    ///
    /// In our own form that is one row. A public form may write earlier turns anew once more is
    /// said, so there each answer is a row of its own behind the very ids that [`question`] gives,
    /// and ends with the first of the model's stops.
    ///
    /// Errors as [`question`] does.
    ///
    /// [`question`]: Self::question
    pub fn conversation(&self, turns: &[Turn]) -> Result<Vec<Prompt>, TokenizerError> {
        if let PromptForm::Own(own) = &self.form {
            return Ok(vec![own.conversation(&self.tokenizer, turns)?]);
        }
        let answers = (0..)
            .zip(turns)
            .filter(|(_, turn)| turn.role == Role::Assistant);
        let row = |(place, turn): (usize, &Turn)| {
            let mut row = self.question(&turns[..place])?;
            // Where a form is plain lines, an answer is the next line.
            let opening = match self.form {
                PromptForm::Plain => "\n",
                _ => "",
            };
            let said = turn.text();
            let answer = self.typed(
                |words| Ok(format!("{opening}{}", words(&said))),
                |text, guard| self.tokenizer.encode_marked(text, guard),
            )?;
            row.extend(answer, true);
            row.extend(self.end.into_iter().collect(), true);
            Ok(row)
        };
        answers.map(row).collect()
    }

    /// Ids of a document, which is learned whole but for the places of its images.
    ///
    /// Errors if it has images and the model sees none.
    pub fn document(&self, parts: &[Part]) -> Result<Prompt, TokenizerError> {
        if let PromptForm::Own(own) = &self.form {
            return own.document(&self.tokenizer, parts);
        }
        let image = self.image_name().unwrap_or_default();
        let said = stretches(parts);
        let mut ids = self.typed(
            |words| {
                let said: Vec<String> = said.iter().map(|text| words(text)).collect();
                Ok(said.join(&image))
            },
            |text, guard| self.encode_written(text, guard),
        )?;
        ids.extend(self.end);
        let images = turn::num_images(parts);
        self.check_images(&ids, images)?;
        Ok(Prompt {
            answer: ids.iter().map(|id| Some(*id) != self.image_token).collect(),
            ids,
            images,
        })
    }

    /// Ids of a text that is to be gone on with, without the frame of a conversation: it is text,
    /// and begins as the family's [`BosRule`] says.
    pub fn opening(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        match &self.form {
            PromptForm::Own(_) => self.tokenizer.encode_text(text),
            _ => self.typed(
                |words| Ok(words(text)),
                |text, guard| self.encode_written(text, guard),
            ),
        }
    }

    /// Ids of a text as written, for scoring: names of special tokens are those tokens, and the
    /// text begins as the family's [`BosRule`] says.
    pub fn encode_raw(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        self.encode_written(text, None)
    }

    /// For each token the images `first..end` that it sees; `first == end` means none.
    pub fn visible_images(&self, ids: &[u32]) -> Vec<(u32, u32)> {
        self.rule.seen(ids, self.image_token())
    }

    /// The token that stands for an image, if the model sees any.
    pub fn image_token(&self) -> Option<u32> {
        self.image_token
    }

    /// How many image tokens there are in `ids`.
    pub fn num_images(&self, ids: &[u32]) -> usize {
        let image_token = self.image_token();
        ids.iter().filter(|&&id| Some(id) == image_token).count()
    }

    /// Number of ids.
    pub fn vocab_size(&self) -> usize {
        self.tokenizer.vocab_size()
    }

    /// Whether `id` ends an answer.
    pub fn is_stop(&self, id: u32) -> bool {
        self.stops.contains(&id)
    }

    /// Ids that must never be generated.
    pub fn banned(&self) -> &[u32] {
        &self.banned
    }

    /// A decoder at the start of an answer.
    pub fn stream(&self) -> TextStream<'_> {
        TextStream {
            pieces: self.tokenizer.pieces(),
            decode_stream: self.tokenizer.decode_stream(Broken::LeftOut),
        }
    }

    /// The text of `ids`, special tokens skipped.
    pub fn decode(&self, ids: &[u32]) -> String {
        self.tokenizer.decode(ids)
    }

    /// The form in which conversations are put to the model.
    pub fn form(&self) -> &PromptForm {
        &self.form
    }

    /// How a text as written begins.
    pub fn bos_rule(&self) -> BosRule {
        self.bos
    }

    /// The name of a special token, or another token as its file writes it; `None` for ids that
    /// stand for nothing.
    pub fn token(&self, id: u32) -> Option<String> {
        self.tokenizer.token(id)
    }

    /// The text of `ids` with special tokens by their names, for people to read.
    pub fn decode_with_special(&self, ids: &[u32]) -> String {
        let is_special = |id: u32| self.tokenizer.is_special(id);
        let mut text = String::new();
        for run in ids.chunk_by(|&a, &b| !is_special(a) && !is_special(b)) {
            match run {
                [id] if is_special(*id) => text.push_str(&self.token(*id).unwrap_or_default()),
                _ => text.push_str(&self.decode(run)),
            }
        }
        text
    }

    /// Bytes of the longest token, names of special ones included: a text has at least its length
    /// over this many tokens.
    pub fn longest_token_bytes(&self) -> usize {
        self.tokenizer.longest_token_bytes()
    }

    /// Whether it is our own form.
    pub fn is_own(&self) -> bool {
        matches!(self.form, PromptForm::Own(_))
    }
}

/// Ids to text while they are being generated: whole characters, and no space before an answer
/// that SentencePiece put there.
///
/// A character that never comes whole, as where a limit cuts an answer, is left out.
pub struct TextStream<'a> {
    pieces: &'a Pieces,
    decode_stream: DecodeStream,
}

impl TextStream<'_> {
    /// The text that `id` completes; empty while a character is incomplete.
    pub fn push(&mut self, id: u32) -> String {
        self.decode_stream.push(self.pieces.get(id))
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod typed_tests;
