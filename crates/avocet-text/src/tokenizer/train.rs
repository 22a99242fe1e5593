//! Learns a byte-level BPE tokenizer from texts.

use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::{AddedToken, NormalizerWrapper, Trainer};

use super::library::{byte_level, words};
use crate::bytes;
use crate::error::TokenizerError;
use crate::special::Special;

/// Longest token in characters of the byte alphabet that training makes.
const MAX_TOKEN_LENGTH: usize = 24;

/// The `tokenizer.json` of `vocab_size` tokens (fewer if `texts` have no more pairs) learned from
/// `texts`: special tokens first, then the 256 bytes, then merges.
///
/// The same texts in any order give the same file, byte for byte. Errors if `vocab_size` is below
/// 262.
pub fn train_bpe<I, S>(texts: I, vocab_size: usize) -> Result<Vec<u8>, TokenizerError>
where
    I: IntoIterator<Item = S>,
    I::IntoIter: Send,
    S: AsRef<str> + Send,
{
    let least = Special::ALL.len() + 256;
    if vocab_size < least {
        return Err(TokenizerError::VocabularyTooSmall {
            wished: vocab_size,
            least,
        });
    }
    let special = Special::ALL.map(|special| AddedToken::from(special.name(), true));
    let mut trainer = BpeTrainer::builder()
        .vocab_size(vocab_size)
        .show_progress(false)
        .min_frequency(2)
        .max_token_length(Some(MAX_TOKEN_LENGTH))
        .initial_alphabet((0..=255).map(bytes::char_of).collect())
        .special_tokens(special.to_vec())
        .build();
    let library = |error: tokenizers::Error| TokenizerError::Library(error.to_string());
    let byte_level = byte_level();
    let cut = |text: &str| words(text, None::<&NormalizerWrapper>, Some(&byte_level));
    trainer.feed(texts.into_iter(), cut).map_err(library)?;
    let mut bpe = BPE::default();
    trainer.train(&mut bpe).map_err(library)?;
    let mut tokenizer = tokenizers::Tokenizer::new(bpe);
    tokenizer.with_pre_tokenizer(Some(byte_level));
    tokenizer.with_decoder(Some(byte_level));
    tokenizer.add_special_tokens(special).map_err(library)?;
    Ok(tokenizer.to_string(false).map_err(library)?.into_bytes())
}
