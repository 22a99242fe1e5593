//! How a model is spoken to: its tokenizer, the form of its prompts, and who sees which image.

mod hub;

use std::collections::HashSet;

use crate::error::TokenizerError;
use crate::form::PromptForm;
use crate::hub::{HubTokenizer, Joiner};
use crate::prompt::{self, Prompt};
use crate::seen::ImageRule;
use crate::special::Special;
use crate::stream::StreamDecoder;
use crate::tokenizer::Tokenizer;
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
pub struct Language {
    kind: Kind,
}

enum Kind {
    Own(Box<Tokenizer>),
    Hub(Box<Hub>),
}

struct Hub {
    tokenizer: HubTokenizer,
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

impl Language {
    /// Our own tokenizer and form: any special token stops an answer.
    pub fn own(tokenizer: Tokenizer) -> Self {
        Self {
            kind: Kind::Own(Box::new(tokenizer)),
        }
    }

    /// A public model's: `stops` end an answer, `banned` must never be generated.
    ///
    /// Errors if an id is not the tokenizer's, or if `form` is [`PromptForm::Own`].
    pub fn hub(
        tokenizer: HubTokenizer,
        form: PromptForm,
        image_token: Option<u32>,
        rule: ImageRule,
        stops: Vec<u32>,
        banned: Vec<u32>,
        bos: BosRule,
    ) -> Result<Self, TokenizerError> {
        if matches!(form, PromptForm::Own) {
            let reason = "our own form needs our own tokenizer";
            return Err(TokenizerError::Prompt(reason.into()));
        }
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
            kind: Kind::Hub(Box::new(Hub {
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
            })),
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
        let hub = match &self.kind {
            Kind::Own(tokenizer) => return Ok(prompt::encode_question(tokenizer, turns)),
            Kind::Hub(hub) => hub,
        };
        let (opening, image) = (hub.opening(), hub.image_name());
        let write = |words: &dyn Fn(&str) -> String| {
            let turns: Vec<Turn> = turns.iter().map(|turn| turn.reworded(words)).collect();
            hub.form.write(&turns, &opening, image.as_deref())
        };
        let ids = hub.typed(write, |text, guard| match hub.form {
            PromptForm::Template(_) => hub.tokenizer.encode_marked(text, guard),
            _ => hub.as_written(text, guard),
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
        let hub = match &self.kind {
            Kind::Own(tokenizer) => return Ok(vec![prompt::encode(tokenizer, turns)]),
            Kind::Hub(hub) => hub,
        };
        let answers = (0..)
            .zip(turns)
            .filter(|(_, turn)| turn.role == Role::Assistant);
        let row = |(place, turn): (usize, &Turn)| {
            let mut row = self.question(&turns[..place])?;
            // Where a form is plain lines, an answer is the next line.
            let opening = match hub.form {
                PromptForm::Plain => "\n",
                _ => "",
            };
            let said = turn.text();
            let answer = hub.typed(
                |words| Ok(format!("{opening}{}", words(&said))),
                |text, guard| hub.tokenizer.encode_marked(text, guard),
            )?;
            row.extend(answer, true);
            row.extend(hub.end.into_iter().collect(), true);
            Ok(row)
        };
        answers.map(row).collect()
    }

    /// Ids of a document, which is learned whole but for the places of its images.
    ///
    /// Errors if it has images and the model sees none.
    pub fn document(&self, parts: &[Part]) -> Result<Prompt, TokenizerError> {
        let hub = match &self.kind {
            Kind::Own(tokenizer) => return Ok(prompt::document(tokenizer, parts)),
            Kind::Hub(hub) => hub,
        };
        let image = hub.image_name().unwrap_or_default();
        let said = stretches(parts);
        let mut ids = hub.typed(
            |words| {
                let said: Vec<String> = said.iter().map(|text| words(text)).collect();
                Ok(said.join(&image))
            },
            |text, guard| hub.as_written(text, guard),
        )?;
        ids.extend(hub.end);
        let images = turn::num_images(parts);
        self.check_images(&ids, images)?;
        Ok(Prompt {
            answer: ids.iter().map(|id| Some(*id) != hub.image_token).collect(),
            ids,
            images,
        })
    }

    /// Ids of a text that is to be gone on with, without the frame of a conversation: it is text,
    /// and begins as the family's [`BosRule`] says.
    pub fn opening(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        match &self.kind {
            Kind::Own(tokenizer) => Ok(tokenizer.encode(text)),
            Kind::Hub(hub) => hub.typed(
                |words| Ok(words(text)),
                |text, guard| hub.as_written(text, guard),
            ),
        }
    }

    /// Ids of a text as written, for scoring: names of special tokens are those tokens, and the
    /// text begins as the family's [`BosRule`] says.
    pub fn as_written(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        match &self.kind {
            Kind::Own(tokenizer) => Ok(own_as_written(tokenizer, text)),
            Kind::Hub(hub) => hub.as_written(text, None),
        }
    }

    /// For each token the images `first..end` that it sees; `first == end` means none.
    pub fn seen_images(&self, ids: &[u32]) -> Vec<(u32, u32)> {
        let rule = match &self.kind {
            Kind::Own(_) => ImageRule::Latest,
            Kind::Hub(hub) => hub.rule,
        };
        rule.seen(ids, self.image_token())
    }

    /// The token that stands for an image, if the model sees any.
    pub fn image_token(&self) -> Option<u32> {
        match &self.kind {
            Kind::Own(tokenizer) => Some(tokenizer.special(Special::Image)),
            Kind::Hub(hub) => hub.image_token,
        }
    }

    /// How many image tokens there are in `ids`.
    pub fn num_images(&self, ids: &[u32]) -> usize {
        let image_token = self.image_token();
        ids.iter().filter(|&&id| Some(id) == image_token).count()
    }

    /// Number of ids.
    pub fn vocab_size(&self) -> usize {
        match &self.kind {
            Kind::Own(tokenizer) => tokenizer.vocab_size(),
            Kind::Hub(hub) => hub.tokenizer.vocab_size(),
        }
    }

    /// Whether `id` ends an answer.
    pub fn is_stop(&self, id: u32) -> bool {
        match &self.kind {
            Kind::Own(tokenizer) => tokenizer.is_special(id),
            Kind::Hub(hub) => hub.stops.contains(&id),
        }
    }

    /// Ids that must never be generated.
    pub fn banned(&self) -> &[u32] {
        match &self.kind {
            Kind::Own(_) => &[],
            Kind::Hub(hub) => &hub.banned,
        }
    }

    /// A decoder at the start of an answer.
    pub fn stream(&self) -> TextStream<'_> {
        TextStream {
            source: match &self.kind {
                Kind::Own(tokenizer) => Source::Own(tokenizer, StreamDecoder::new()),
                Kind::Hub(hub) => {
                    Source::Hub(&hub.tokenizer, hub.tokenizer.joiner(Broken::LeftOut))
                }
            },
        }
    }

    /// The text of `ids`, special tokens skipped.
    pub fn decode(&self, ids: &[u32]) -> String {
        match &self.kind {
            Kind::Own(tokenizer) => tokenizer.decode(ids),
            Kind::Hub(hub) => hub.tokenizer.decode(ids),
        }
    }

    /// The form in which conversations are put to the model.
    pub fn form(&self) -> &PromptForm {
        match &self.kind {
            Kind::Own(_) => &PromptForm::Own,
            Kind::Hub(hub) => &hub.form,
        }
    }

    /// How a text as written begins.
    pub fn bos_rule(&self) -> BosRule {
        match &self.kind {
            Kind::Own(_) => BosRule::Spelled,
            Kind::Hub(hub) => hub.bos,
        }
    }

    /// The name of a special token, or another token as its file writes it; `None` for ids that
    /// stand for nothing.
    pub fn token(&self, id: u32) -> Option<String> {
        match &self.kind {
            Kind::Own(tokenizer) => {
                let special = |special: &&Special| tokenizer.special(**special) == id;
                match Special::ALL.iter().find(special) {
                    Some(special) => Some(special.name().to_owned()),
                    None => Some(String::from_utf8_lossy(tokenizer.piece(id)?).into_owned()),
                }
            }
            Kind::Hub(hub) => hub.tokenizer.token(id),
        }
    }

    /// The text of `ids` with special tokens by their names, for people to read.
    pub fn spelled(&self, ids: &[u32]) -> String {
        let is_special = |id: u32| match &self.kind {
            Kind::Own(tokenizer) => tokenizer.is_special(id),
            Kind::Hub(hub) => hub.tokenizer.is_special(id),
        };
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
        match &self.kind {
            Kind::Own(tokenizer) => {
                let ids = 0..u32::try_from(tokenizer.vocab_size()).unwrap_or(u32::MAX);
                let pieces = ids.filter_map(|id| tokenizer.piece(id)).map(<[u8]>::len);
                let names = Special::ALL.iter().map(|special| special.name().len());
                pieces.chain(names).max().unwrap_or(1)
            }
            Kind::Hub(hub) => hub.tokenizer.longest_token_bytes(),
        }
    }

    /// Our own tokenizer, if it is one.
    pub fn own_tokenizer(&self) -> Option<&Tokenizer> {
        match &self.kind {
            Kind::Own(tokenizer) => Some(tokenizer),
            Kind::Hub(_) => None,
        }
    }

    /// A public model's tokenizer, if it is one.
    pub fn hub_tokenizer(&self) -> Option<&HubTokenizer> {
        match &self.kind {
            Kind::Own(_) => None,
            Kind::Hub(hub) => Some(&hub.tokenizer),
        }
    }
}

fn own_as_written(tokenizer: &Tokenizer, text: &str) -> Vec<u32> {
    let mut ids = Vec::new();
    let mut rest = text;
    let first = |text: &str| {
        let place = |special: &Special| text.find(special.name()).map(|at| (at, *special));
        Special::ALL
            .iter()
            .filter_map(place)
            .min_by_key(|&(at, _)| at)
    };
    while let Some((at, special)) = first(rest) {
        ids.extend(tokenizer.encode(&rest[..at]));
        ids.push(tokenizer.special(special));
        rest = &rest[at + special.name().len()..];
    }
    ids.extend(tokenizer.encode(rest));
    ids
}

/// Ids to text while they are being generated: whole characters, and no space before an answer
/// that SentencePiece put there.
///
/// A character that never comes whole, as where a limit cuts an answer, is left out.
pub struct TextStream<'a> {
    source: Source<'a>,
}

enum Source<'a> {
    Own(&'a Tokenizer, StreamDecoder),
    Hub(&'a HubTokenizer, Joiner),
}

impl TextStream<'_> {
    /// The text that `id` completes; empty while a character is incomplete.
    pub fn push(&mut self, id: u32) -> String {
        match &mut self.source {
            Source::Own(tokenizer, decoder) => decoder.push(tokenizer, id),
            Source::Hub(tokenizer, joiner) => joiner.push(tokenizer.pieces().get(id)),
        }
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod typed_tests;
