//! Tokenizers, our own and those of public models: checked parts in, ids and text out.
//!
//! A `tokenizer.json` ([`json`]) or GGUF's byte-level vocabulary ([`gguf`]) becomes [`Parts`], every
//! field checked, and only then a tokenizer of the `tokenizers` library, which panics on some
//! files; a SentencePiece vocabulary with scores is applied here ([`spm`]). Decoding is our own
//! ([`pieces`]), so that a stream and a whole text agree. What [`train_bpe`] learns is such a file.

mod byte_level;
mod components;
mod decoder;
mod gguf;
#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod hostile_tests;
mod json;
mod library;
mod parts;
mod pieces;
mod post;
mod settings;
mod spm;
mod train;

use std::collections::{HashMap, HashSet};

use crate::error::TokenizerError;
use crate::guard::Guard;
use crate::utf8::Broken;
use decoder::Decoding;
pub use gguf::Gpt2Parts;
use library::Library;
use parts::{MAX_VOCAB, Parts};
pub(crate) use pieces::{DecodeStream, Pieces};
use post::Affixes;
pub use settings::{SideFiles, TokenizerConfig};
use spm::SpmEncoder;
pub use spm::SpmParts;
pub use train::train_bpe;

/// Text to ids and back.
///
/// Byte-level BPE and BPE with byte fallback are understood, as used by Llama, Mixtral, Phi, OLMo,
/// Granite, Qwen, MPT, GPT-NeoX, IDEFICS and Mllama; other models are refused by name.
pub struct Tokenizer {
    encoder: Encoder,
    vocab: HashMap<String, u32>,
    names: Vec<Option<String>>,
    special: HashSet<u32>,
    decoding: Decoding,
    pieces: Pieces,
    affixes: Affixes,
    /// A token behind all others, with its id.
    appended: Option<(String, u32)>,
}

enum Encoder {
    Library(Box<Library>),
    Spm(Box<SpmEncoder>),
}

impl Tokenizer {
    /// Loads a Hugging Face `tokenizer.json`, which may come from anyone.
    ///
    /// Padding and truncation in the file are ignored, as transformers does. Errors name the field
    /// that is broken or not supported.
    pub fn from_json(json: &[u8]) -> Result<Self, TokenizerError> {
        Self::from_parts(json::parse(json)?)
    }

    /// Loads a `tokenizer.json` of our own form: byte-level BPE that any text survives unchanged.
    ///
    /// Errors name the field that is broken, or that could change a text.
    pub(crate) fn from_byte_level_json(json: &[u8]) -> Result<Self, TokenizerError> {
        let parts = json::parse(json)?;
        byte_level::check(&parts)?;
        Self::from_parts(parts)
    }

    /// Loads GGUF's `gpt2` tokenizer: byte-level BPE whose way of cutting words has a name.
    ///
    /// Errors name the key that is broken, or the unknown `tokenizer.ggml.pre`.
    pub fn from_gpt2_parts(parts: Gpt2Parts) -> Result<Self, TokenizerError> {
        Self::from_parts(gguf::parts(parts)?)
    }

    /// Loads GGUF's `llama` tokenizer: SentencePiece BPE by scores with byte fallback, cut exactly
    /// as llama.cpp does.
    ///
    /// Errors name the key that is broken.
    pub fn from_spm_parts(mut parts: SpmParts) -> Result<Self, TokenizerError> {
        gguf::name_empty(&mut parts.tokens);
        let (encoder, decoding, affixes) = spm::build(&parts)?;
        let special = encoder.special().clone();
        let names: Vec<Option<String>> = parts.tokens.into_iter().map(Some).collect();
        let ids = 0..names.len() as u32;
        let vocab = names.iter().flatten().cloned().zip(ids).collect();
        let pieces = Pieces::new(&names, &special, &decoding);
        check_words(&pieces, "tokenizer.ggml.tokens")?;
        Ok(Self {
            encoder: Encoder::Spm(Box::new(encoder)),
            vocab,
            names,
            special,
            decoding,
            pieces,
            affixes,
            appended: None,
        })
    }

    fn from_parts(parts: Parts) -> Result<Self, TokenizerError> {
        let names = names_of(&parts.vocab)?;
        parts.affixes.check(&names)?;
        let special: HashSet<u32> = parts
            .added
            .iter()
            .filter(|added| added.token.special)
            .map(|added| added.id)
            .collect();
        let pieces = Pieces::new(&names, &special, &parts.decoding);
        check_words(&pieces, "tokenizer.json: model.vocab")?;
        let (vocab, decoding) = (parts.vocab.clone(), parts.decoding.clone());
        let affixes = parts.affixes.clone();
        let encoder = Library::build(parts).map_err(TokenizerError::Library)?;
        Ok(Self {
            encoder: Encoder::Library(Box::new(encoder)),
            vocab,
            names,
            special,
            decoding,
            pieces,
            affixes,
            appended: None,
        })
    }

    /// Appends special tokens that the file lacks, in order, as a model's authors did with
    /// `add_special_tokens`; those that exist keep their ids.
    ///
    /// Errors if a name is empty, or for a SentencePiece vocabulary, whose size is fixed.
    pub fn add_special(&mut self, names: &[&str]) -> Result<(), TokenizerError> {
        let Encoder::Library(library) = &mut self.encoder else {
            let reason = "tokens can be appended to tokenizer.json alone";
            return Err(TokenizerError::Encode(reason.into()));
        };
        if names.iter().any(|name| name.is_empty()) {
            return Err(TokenizerError::Encode("a special token has no name".into()));
        }
        // Every earlier token is in the library's vocabulary, whose size is then the next id only
        // where ids have no gap.
        if library.vocab_size() != self.names.len() {
            let reason = format!(
                "{} tokens end at id {}: nothing can be appended",
                library.vocab_size(),
                self.names.len()
            );
            return Err(TokenizerError::field("model.vocab", reason));
        }
        for &name in names {
            library.add_special(name).map_err(TokenizerError::Library)?;
            let next = self.names.len() as u32;
            let id = *self.vocab.entry(name.to_owned()).or_insert(next);
            if id == next {
                self.names.push(Some(name.to_owned()));
            }
            self.special.insert(id);
        }
        self.pieces = Pieces::new(&self.names, &self.special, &self.decoding);
        Ok(())
    }

    /// Appends a token without text whose `id` lies behind all others, with a gap or without: what
    /// a model looks up in a row that was put behind its embedding table. Its name in a text is
    /// that token; [`vocab_size`](Self::vocab_size) leaves it out.
    ///
    /// Errors if the name is empty or the id is taken.
    pub fn append(&mut self, name: &str, id: u32) -> Result<(), TokenizerError> {
        if name.is_empty() {
            return Err(TokenizerError::Encode("a special token has no name".into()));
        }
        if (id as usize) < self.names.len() || self.appended.is_some() {
            let reason = format!("id {id} is taken: there are {} tokens", self.names.len());
            return Err(TokenizerError::field("model.vocab", reason));
        }
        self.appended = Some((name.to_owned(), id));
        Ok(())
    }

    /// Number of ids: the highest, of an added token or another, plus one.
    pub fn vocab_size(&self) -> usize {
        self.names.len()
    }

    /// The id of a token as the file writes it.
    pub fn id(&self, token: &str) -> Option<u32> {
        let appended = self.appended.as_ref().filter(|(name, _)| name == token);
        appended
            .map(|(_, id)| *id)
            .or_else(|| self.vocab.get(token).copied())
    }

    /// A token as the file writes it; `None` for ids that stand for nothing.
    pub fn token(&self, id: u32) -> Option<String> {
        match &self.appended {
            Some((name, appended)) if *appended == id => Some(name.clone()),
            _ => self.names.get(id as usize)?.clone(),
        }
    }

    /// Whether `id` is a special token, which has no text.
    pub(crate) fn is_special(&self, id: u32) -> bool {
        self.special.contains(&id) || self.is_appended(id)
    }

    fn is_appended(&self, id: u32) -> bool {
        self.appended.as_ref().is_some_and(|(_, last)| *last == id)
    }

    /// Cuts a text into tokens. Names of added tokens in it are those tokens; `add_special` puts
    /// before and after what the file's post-processor does.
    ///
    /// Errors if a character has no token and there is none for the unknown.
    pub fn encode(&self, text: &str, add_special: bool) -> Result<Vec<u32>, TokenizerError> {
        let ids = self.encode_marked(text, None)?;
        Ok(match add_special {
            true => self.affixes.around(ids),
            false => ids,
        })
    }

    /// Cuts a text into tokens; names of added tokens in it are text too, and the post-processor
    /// adds none.
    pub(crate) fn encode_text(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        match &self.encoder {
            Encoder::Library(library) => library.encode_text(text).map_err(TokenizerError::Encode),
            Encoder::Spm(spm) => spm.encode_text(text),
        }
    }

    /// As [`encode`](Self::encode) without the post-processor's tokens; in a name of a special
    /// token a `guard` keeps it from being that token, and is no part of the text.
    pub(crate) fn encode_marked(
        &self,
        text: &str,
        guard: Option<Guard>,
    ) -> Result<Vec<u32>, TokenizerError> {
        let Some((name, id)) = &self.appended else {
            return self.cut(text, guard);
        };
        let mut ids = Vec::new();
        for (index, part) in text.split(name.as_str()).enumerate() {
            ids.extend((index > 0).then_some(*id));
            if !part.is_empty() {
                ids.extend(self.cut(part, guard)?);
            }
        }
        Ok(ids)
    }

    fn cut(&self, text: &str, guard: Option<Guard>) -> Result<Vec<u32>, TokenizerError> {
        match &self.encoder {
            Encoder::Library(library) => {
                library.encode(text, guard).map_err(TokenizerError::Encode)
            }
            Encoder::Spm(spm) => spm.encode(text, guard),
        }
    }

    /// As [`encode_marked`](Self::encode_marked) with the post-processor's tokens, but none that
    /// the text already begins or ends with.
    pub(crate) fn encode_once(
        &self,
        text: &str,
        guard: Option<Guard>,
    ) -> Result<Vec<u32>, TokenizerError> {
        Ok(self.affixes.once_around(self.encode_marked(text, guard)?))
    }

    /// The special tokens, those that stand for structure.
    pub(crate) fn special(&self) -> impl Iterator<Item = u32> {
        let appended = self.appended.as_ref().map(|(_, id)| *id);
        self.special.iter().copied().chain(appended)
    }

    /// The text of `ids`, special tokens skipped.
    ///
    /// Bytes that are no UTF-8, and ids that stand for nothing, become U+FFFD. transformers'
    /// `clean_up_tokenization_spaces` is not applied: it changes texts.
    pub fn decode(&self, ids: &[u32]) -> String {
        let mut decode_stream = self.decode_stream(Broken::Replaced);
        let mut text = String::new();
        for &id in ids.iter().filter(|&&id| !self.is_appended(id)) {
            text.push_str(&decode_stream.push(self.pieces.get(id)));
        }
        text.push_str(&decode_stream.finish());
        text
    }

    /// Bytes of each token's text.
    pub(crate) fn pieces(&self) -> &Pieces {
        &self.pieces
    }

    /// A decoder at the start of a text.
    pub(crate) fn decode_stream(&self, broken: Broken) -> DecodeStream {
        DecodeStream::new(self.decoding.leading, broken)
    }

    /// Bytes of the longest token's text or name.
    pub(crate) fn longest_token_bytes(&self) -> usize {
        let names = self
            .special
            .iter()
            .filter_map(|&id| self.names.get(id as usize)?.as_ref());
        let appended = self.appended.as_ref().map(|(name, _)| name);
        let longest = names.chain(appended).map(String::len).max().unwrap_or(1);
        longest.max(self.pieces.longest()).max(1)
    }
}

/// Tokens by id; errors if an id is too high or taken twice.
fn names_of(vocab: &HashMap<String, u32>) -> Result<Vec<Option<String>>, TokenizerError> {
    let field = |token: &str| format!("model.vocab[{token:?}]");
    let mut size = 0;
    for (token, &id) in vocab {
        if id >= MAX_VOCAB {
            let reason = format!("id {id}, ids below {MAX_VOCAB} are read");
            return Err(TokenizerError::field(field(token), reason));
        }
        size = size.max(id as usize + 1);
    }
    let mut names = vec![None; size];
    for (token, &id) in vocab {
        let place = &mut names[id as usize];
        if place.is_some() {
            let reason = format!("id {id} is taken twice");
            return Err(TokenizerError::field(field(token), reason));
        }
        *place = Some(token.clone());
    }
    Ok(names)
}

/// Errors if no token has a text: nothing that is asked would reach the model.
fn check_words(pieces: &Pieces, field: &str) -> Result<(), TokenizerError> {
    match pieces.longest() {
        0 => Err(TokenizerError::metadata(
            field,
            "holds no word: a text becomes no tokens",
        )),
        _ => Ok(()),
    }
}
