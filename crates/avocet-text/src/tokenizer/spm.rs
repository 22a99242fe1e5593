//! GGUF's `llama` tokenizer: SentencePiece BPE (arXiv:1808.06226), pairs joined by score.
//!
//! Follows llama.cpp to the id: among adjacent symbols whose joining is a token, the one with the
//! highest score is joined first, of equals the leftmost; a character without token becomes its
//! bytes. Every stretch of text between special tokens gets a space before it.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap, HashSet};

use super::decoder::{Decoding, Leading, fallback_byte};
use super::gguf::{CONTROL, UNKNOWN, USER_DEFINED, affixes, check_lengths};
use super::post::Affixes;
use crate::error::TokenizerError;
use crate::guard::Guard;

/// Longest name of a special token in bytes that is found in texts.
const MAX_NAME: usize = 128;

/// GGUF metadata of a `llama` tokenizer.
#[derive(Debug, Clone, Default)]
pub struct SpmParts {
    /// `tokenizer.ggml.tokens`, by id, with U+2581 for a space.
    pub tokens: Vec<String>,
    /// `tokenizer.ggml.scores`, by id; empty if all are zero.
    pub scores: Vec<f32>,
    /// `tokenizer.ggml.token_type`, as in [`Gpt2Parts`](super::Gpt2Parts).
    pub types: Vec<i32>,
    /// `tokenizer.ggml.bos_token_id`.
    pub bos: Option<u32>,
    /// `tokenizer.ggml.eos_token_id`.
    pub eos: Option<u32>,
    /// `tokenizer.ggml.unknown_token_id`.
    pub unk: Option<u32>,
    /// `tokenizer.ggml.add_bos_token`; absent it is true.
    pub add_bos: Option<bool>,
    /// `tokenizer.ggml.add_eos_token`; absent it is false.
    pub add_eos: Option<bool>,
    /// `tokenizer.ggml.add_space_prefix`; absent it is true.
    pub add_space_prefix: Option<bool>,
}

/// Cuts texts into the tokens of a SentencePiece vocabulary.
pub(super) struct SpmEncoder {
    ids: HashMap<String, u32>,
    scores: Vec<f32>,
    byte_ids: [Option<u32>; 256],
    /// Names of tokens found before anything else, and the lengths they have, longest first.
    named: HashMap<String, u32>,
    lengths: Vec<usize>,
    special: HashSet<u32>,
    unk: Option<u32>,
    space_prefix: bool,
}

/// Checks the metadata and builds the encoder, its decoding and what is put around a text.
pub(super) fn build(parts: &SpmParts) -> Result<(SpmEncoder, Decoding, Affixes), TokenizerError> {
    check_lengths(&parts.tokens, &parts.types)?;
    let num_tokens = parts.tokens.len();
    if !parts.scores.is_empty() && parts.scores.len() != num_tokens {
        let reason = format!("{} scores for {num_tokens} tokens", parts.scores.len());
        return Err(TokenizerError::metadata("tokenizer.ggml.scores", reason));
    }
    if let Some(index) = parts.scores.iter().position(|score| score.is_nan()) {
        let field = format!("tokenizer.ggml.scores[{index}]");
        return Err(TokenizerError::metadata(field, "is not a number"));
    }
    if let Some(unk) = parts.unk.filter(|&unk| unk as usize >= num_tokens) {
        let reason = format!("id {unk}, but there are {num_tokens} tokens");
        return Err(TokenizerError::metadata(
            "tokenizer.ggml.unknown_token_id",
            reason,
        ));
    }
    let mut ids = HashMap::with_capacity(num_tokens);
    let (mut named, mut special, mut byte_ids) = (HashMap::new(), HashSet::new(), [None; 256]);
    for (token, id) in parts.tokens.iter().zip(0u32..) {
        let kind = parts.types.get(id as usize).copied().unwrap_or(1);
        if let Some(other) = ids.insert(token.clone(), id) {
            let field = format!("tokenizer.ggml.tokens[{id}]");
            let reason = format!("{token:?} is token {other} too");
            return Err(TokenizerError::metadata(field, reason));
        }
        if let Some(byte) = fallback_byte(token) {
            byte_ids[usize::from(byte)] = Some(id);
        }
        if [CONTROL, UNKNOWN, USER_DEFINED].contains(&kind) && (1..=MAX_NAME).contains(&token.len())
        {
            named.insert(token.clone(), id);
        }
        if [CONTROL, UNKNOWN].contains(&kind) {
            special.insert(id);
        }
    }
    let mut lengths: Vec<usize> = named.keys().map(String::len).collect();
    lengths.sort_unstable_by(|a, b| b.cmp(a));
    lengths.dedup();
    let affixes = affixes(
        (parts.bos, parts.add_bos.unwrap_or(true)),
        (parts.eos, parts.add_eos.unwrap_or(false)),
        num_tokens,
    )?;
    let space_prefix = parts.add_space_prefix.unwrap_or(true);
    let leading = match space_prefix {
        true => Leading::Spaces(1),
        false => Leading::Kept,
    };
    let mut scores = parts.scores.clone();
    scores.resize(num_tokens, 0.0);
    let encoder = SpmEncoder {
        ids,
        scores,
        byte_ids,
        named,
        lengths,
        special,
        unk: parts.unk,
        space_prefix,
    };
    Ok((encoder, Decoding::sentence_piece(leading), affixes))
}

/// A stretch of the text that is one token so far; empty once it is joined to its left neighbour.
struct Symbol {
    start: usize,
    len: usize,
    previous: Option<usize>,
    next: Option<usize>,
}

/// Two neighbours whose joining is a token.
struct Pair {
    score: f32,
    left: usize,
    right: usize,
    len: usize,
}

impl Ord for Pair {
    fn cmp(&self, other: &Self) -> Ordering {
        // The heap gives the greatest: the best score, then the leftmost.
        let by_score = self.score.total_cmp(&other.score);
        by_score.then_with(|| other.left.cmp(&self.left))
    }
}

impl PartialOrd for Pair {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Pair {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Pair {}

impl SpmEncoder {
    /// Tokens of structure, which have no text.
    pub fn special(&self) -> &HashSet<u32> {
        &self.special
    }

    /// Cuts a text; names of control and user-defined tokens in it are those tokens, unless a
    /// `guard`, which is no part of the text, keeps their letters apart.
    pub fn encode(&self, text: &str, guard: Option<Guard>) -> Result<Vec<u32>, TokenizerError> {
        let (mut ids, mut start, mut at) = (Vec::new(), 0, 0);
        while at < text.len() {
            match self.name_at(&text[at..]) {
                Some((len, id)) => {
                    self.cut(&text[start..at], guard, &mut ids)?;
                    ids.push(id);
                    at += len;
                    start = at;
                }
                None => at += text[at..].chars().next().map_or(1, char::len_utf8),
            }
        }
        self.cut(&text[start..], guard, &mut ids)?;
        Ok(ids)
    }

    /// Cuts a text without looking for names in it.
    pub fn encode_text(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        let mut ids = Vec::new();
        self.cut(text, None, &mut ids)?;
        Ok(ids)
    }

    /// The longest name that `text` begins with.
    fn name_at(&self, text: &str) -> Option<(usize, u32)> {
        let found = |&len: &usize| Some((len, *self.named.get(text.get(..len)?)?));
        self.lengths.iter().find_map(found)
    }

    fn cut(
        &self,
        text: &str,
        guard: Option<Guard>,
        ids: &mut Vec<u32>,
    ) -> Result<(), TokenizerError> {
        if text.is_empty() {
            return Ok(());
        }
        let mut marked = String::with_capacity(text.len() + 3);
        if self.space_prefix {
            marked.push('\u{2581}');
        }
        let typed = text.chars().filter(|&letter| Some(Guard(letter)) != guard);
        marked.extend(typed.map(|letter| match letter {
            ' ' => '\u{2581}',
            other => other,
        }));
        for piece in self.joined(&marked) {
            self.emit(piece, ids)?;
        }
        Ok(())
    }

    fn joined<'a>(&self, text: &'a str) -> Vec<&'a str> {
        let mut symbols: Vec<Symbol> = Vec::with_capacity(text.len());
        for (index, (start, letter)) in text.char_indices().enumerate() {
            symbols.push(Symbol {
                start,
                len: letter.len_utf8(),
                previous: index.checked_sub(1),
                next: Some(index + 1),
            });
        }
        if let Some(last) = symbols.last_mut() {
            last.next = None;
        }
        let mut heap = BinaryHeap::new();
        for right in 1..symbols.len() {
            heap.extend(self.pair(text, &symbols, Some(right - 1), Some(right)));
        }
        while let Some(Pair {
            left, right, len, ..
        }) = heap.pop()
        {
            // A symbol that was joined since is empty or longer.
            let (left_len, right_len) = (symbols[left].len, symbols[right].len);
            if left_len == 0 || right_len == 0 || left_len + right_len != len {
                continue;
            }
            let next = symbols[right].next;
            symbols[left].len = len;
            symbols[left].next = next;
            symbols[right].len = 0;
            if let Some(next) = next {
                symbols[next].previous = Some(left);
            }
            heap.extend(self.pair(text, &symbols, symbols[left].previous, Some(left)));
            heap.extend(self.pair(text, &symbols, Some(left), next));
        }
        let whole = symbols.iter().filter(|symbol| symbol.len > 0);
        whole
            .map(|symbol| &text[symbol.start..symbol.start + symbol.len])
            .collect()
    }

    fn pair(
        &self,
        text: &str,
        symbols: &[Symbol],
        left: Option<usize>,
        right: Option<usize>,
    ) -> Option<Pair> {
        let (left, right) = (left?, right?);
        let len = symbols[left].len + symbols[right].len;
        let start = symbols[left].start;
        let id = *self.ids.get(&text[start..start + len])?;
        Some(Pair {
            score: self.scores[id as usize],
            left,
            right,
            len,
        })
    }

    /// The token of a piece, or those of its bytes, or the unknown one.
    fn emit(&self, piece: &str, ids: &mut Vec<u32>) -> Result<(), TokenizerError> {
        if let Some(&id) = self.ids.get(piece) {
            ids.push(id);
            return Ok(());
        }
        for byte in piece.bytes() {
            let id = self.byte_ids[usize::from(byte)]
                .or(self.unk)
                .ok_or_else(|| {
                    TokenizerError::Encode(format!(
                        "no token for {piece:?}, nor for byte {byte:#04x}"
                    ))
                })?;
            ids.push(id);
        }
        Ok(())
    }
}
