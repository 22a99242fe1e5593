//! Bytes of every token, and how a row of them becomes text, whole or as it comes.

use std::collections::HashSet;

use super::decoder::{Decoding, Leading};
use crate::utf8::{Broken, take_text};

/// The bytes of every token, laid one after another; none for special tokens.
pub(crate) struct Pieces {
    bytes: Vec<u8>,
    /// Where each id's bytes end.
    ends: Vec<usize>,
    /// Ids that stand for nothing.
    missing: HashSet<u32>,
}

impl Pieces {
    /// Decodes every token once.
    pub fn new(names: &[Option<String>], special: &HashSet<u32>, decoding: &Decoding) -> Self {
        let (mut bytes, mut ends) = (Vec::new(), Vec::with_capacity(names.len()));
        let mut missing = HashSet::new();
        for (name, id) in names.iter().zip(0u32..) {
            match name {
                Some(name) if !special.contains(&id) => bytes.extend(decoding.bytes_of(name)),
                Some(_) => {}
                None => {
                    missing.insert(id);
                }
            }
            ends.push(bytes.len());
        }
        Self {
            bytes,
            ends,
            missing,
        }
    }

    /// The bytes of `id`, none for a special token; U+FFFD's for an id that stands for nothing.
    pub fn get(&self, id: u32) -> &[u8] {
        let index = id as usize;
        match self.ends.get(index) {
            Some(&end) if !self.missing.contains(&id) => {
                let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
                &self.bytes[start..end]
            }
            _ => "\u{FFFD}".as_bytes(),
        }
    }

    /// Length of the longest in bytes.
    pub fn longest(&self) -> usize {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let lengths = self.ends.iter().zip(starts).map(|(end, start)| end - start);
        lengths.max().unwrap_or(0)
    }
}

/// Joins pieces to text, giving out whole characters only.
#[derive(Debug, Clone)]
pub(crate) struct DecodeStream {
    pending: Vec<u8>,
    leading: Leading,
    broken: Broken,
}

impl DecodeStream {
    /// A decoder at the start of a text.
    pub fn new(leading: Leading, broken: Broken) -> Self {
        Self {
            pending: Vec::new(),
            leading,
            broken,
        }
    }

    /// The text that `piece` completes; empty while a character is incomplete.
    pub fn push(&mut self, mut piece: &[u8]) -> String {
        if piece.is_empty() {
            return String::new();
        }
        match &mut self.leading {
            Leading::Kept => {}
            Leading::Spaces(left) => {
                while let (1.., Some(rest)) = (*left, piece.strip_prefix(b" ")) {
                    piece = rest;
                    *left -= 1;
                }
                if !piece.is_empty() {
                    self.leading = Leading::Kept;
                }
            }
            Leading::FirstToken => {
                self.pending
                    .extend(piece.iter().filter(|&&byte| byte != b' '));
                self.leading = Leading::Kept;
                return take_text(&mut self.pending, self.broken);
            }
        }
        self.pending.extend_from_slice(piece);
        take_text(&mut self.pending, self.broken)
    }

    /// What is left at the end: U+FFFD for a character that was never completed.
    pub fn finish(self) -> String {
        String::from_utf8_lossy(&self.pending).into_owned()
    }
}
