//! A tokenizer of the `tokenizers` library behind checks: it panics on some input.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{
    AddedToken, Model, NormalizedString, Normalizer, NormalizerWrapper, OffsetReferential,
    OffsetType, PreTokenizedString, PreTokenizer, PreTokenizerWrapper,
};

use super::parts::Parts;
use crate::guard::Guard;

/// The library's tokenizer of one model.
pub(super) struct Library {
    tokenizer: tokenizers::Tokenizer,
    /// Whether names of special tokens are found in the normalised text, as in LLaMA's first files.
    finds_normalized: bool,
}

impl Library {
    pub fn build(parts: Parts) -> Result<Self, String> {
        let mut added = parts.added.iter().map(|added| &added.token);
        let finds_normalized = added.any(|token| token.special && token.normalized);
        let tokenizer = guarded(|| library(parts))?;
        Ok(Self {
            tokenizer,
            finds_normalized,
        })
    }

    pub fn vocab_size(&self) -> usize {
        self.tokenizer.get_vocab_size(true)
    }

    pub fn add_special(&mut self, name: &str) -> Result<(), String> {
        let token = AddedToken::from(name, true);
        let added = guarded(|| {
            let added = self.tokenizer.add_special_tokens([token]);
            added.map_err(|e| e.to_string())
        });
        added.map(drop)
    }

    /// Cuts a text without looking for names in it.
    pub fn encode_text(&self, text: &str) -> Result<Vec<u32>, String> {
        let (normalizer, cut) = (
            self.tokenizer.get_normalizer(),
            self.tokenizer.get_pre_tokenizer(),
        );
        let encode = || -> tokenizers::Result<Vec<u32>> {
            let mut ids = Vec::with_capacity(text.len() / 3 + 1);
            for word in words(text, normalizer, cut)? {
                let tokens = self.tokenizer.get_model().tokenize(&word)?;
                ids.extend(tokens.into_iter().map(|token| token.id));
            }
            Ok(ids)
        };
        guarded(|| encode().map_err(|e| e.to_string()))
    }

    /// Cuts a text; a `guard` in it keeps names apart and is then left out.
    pub fn encode(&self, text: &str, guard: Option<Guard>) -> Result<Vec<u32>, String> {
        let encode = || match guard {
            None => self.tokenizer.encode_fast(text, false),
            Some(guard) => self.encode_marked(text, guard),
        };
        guarded(|| {
            let encoding = encode().map_err(|e| e.to_string())?;
            Ok(encoding.get_ids().to_vec())
        })
    }

    /// The library's own steps, with the marks taken out as soon as names have been found.
    fn encode_marked(
        &self,
        text: &str,
        guard: Guard,
    ) -> Result<tokenizers::Encoding, tokenizers::Error> {
        let unmarked = Unmarked {
            guard: (!self.finds_normalized).then_some(guard),
            then: self.tokenizer.get_normalizer(),
        };
        let added = self.tokenizer.get_added_vocabulary();
        let mut words = added.extract_and_normalize(Some(&unmarked), text);
        words.normalize(|word| {
            take_out(guard, word);
            Ok(())
        })?;
        if let Some(cut) = self.tokenizer.get_pre_tokenizer() {
            cut.pre_tokenize(&mut words)?;
        }
        let model = self.tokenizer.get_model();
        model.tokenize_in_pretokenized(&mut words, None)?;
        words.into_encoding(None, 0, OffsetType::None)
    }
}

/// GPT-2's way of cutting texts into words of the byte alphabet.
pub(super) fn byte_level() -> ByteLevel {
    ByteLevel::new(false, false, true)
}

/// The words of `text` that merges stay within.
pub(super) fn words(
    text: &str,
    normalizer: Option<&impl Normalizer>,
    cut: Option<&impl PreTokenizer>,
) -> tokenizers::Result<Vec<String>> {
    let mut words = PreTokenizedString::from(text);
    if let Some(normalizer) = normalizer {
        words.normalize(|word| normalizer.normalize(word))?;
    }
    if let Some(cut) = cut {
        cut.pre_tokenize(&mut words)?;
    }
    let splits = words.get_splits(OffsetReferential::Original, OffsetType::None);
    Ok(splits
        .into_iter()
        .map(|(word, _, _)| word.to_owned())
        .collect())
}

/// A normaliser behind the taking out of marks.
struct Unmarked<'a> {
    guard: Option<Guard>,
    then: Option<&'a NormalizerWrapper>,
}

impl Normalizer for Unmarked<'_> {
    fn normalize(&self, text: &mut NormalizedString) -> tokenizers::Result<()> {
        if let Some(guard) = self.guard {
            take_out(guard, text);
        }
        match self.then {
            Some(then) => then.normalize(text),
            None => Ok(()),
        }
    }
}

fn take_out(guard: Guard, text: &mut NormalizedString) {
    if text.get().contains(guard.0) {
        text.filter(|letter| letter != guard.0);
    }
}

/// Runs the library, which panics on some input, and turns that into an error.
fn guarded<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err("the library failed on it".into()))
}

fn library(parts: Parts) -> Result<tokenizers::Tokenizer, String> {
    let text = |error: tokenizers::Error| error.to_string();
    let vocab: Vocab = parts.vocab.into_iter().collect();
    let mut builder = BPE::builder()
        .vocab_and_merges(vocab, parts.merges)
        .fuse_unk(parts.options.fuse_unk)
        .byte_fallback(parts.options.byte_fallback)
        .ignore_merges(parts.options.ignore_merges);
    if let Some(unk) = parts.options.unk_token {
        builder = builder.unk_token(unk);
    }
    let mut tokenizer = tokenizers::Tokenizer::new(builder.build().map_err(text)?);
    if !parts.normalizer.is_null() {
        let normalizer: NormalizerWrapper =
            serde_json::from_value(parts.normalizer).map_err(|e| format!("normalizer: {e}"))?;
        tokenizer.with_normalizer(Some(normalizer)).map_err(text)?;
    }
    if !parts.pre_tokenizer.is_null() {
        let pre_tokenizer: PreTokenizerWrapper = serde_json::from_value(parts.pre_tokenizer)
            .map_err(|e| format!("pre_tokenizer: {e}"))?;
        tokenizer.with_pre_tokenizer(Some(pre_tokenizer));
    }
    let added = parts.added.into_iter().map(|added| added.token);
    tokenizer.add_tokens(added).map_err(text)?;
    Ok(tokenizer)
}
