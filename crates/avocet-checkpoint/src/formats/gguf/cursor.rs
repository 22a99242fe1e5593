//! Reads the fields of a GGUF file one after another, never beyond its end.

use super::error::{GgufError, Problem};

/// A place in a file.
pub(super) struct Cursor<'a> {
    file: &'a [u8],
    offset: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(file: &'a [u8]) -> Self {
        Self { file, offset: 0 }
    }

    pub fn offset(&self) -> usize {
        self.offset
    }

    pub fn remaining(&self) -> usize {
        self.file.len() - self.offset
    }

    pub fn bytes(&mut self, length: u64, field: &str) -> Result<&'a [u8], GgufError> {
        let available = self.remaining();
        let fits = usize::try_from(length).ok().filter(|&l| l <= available);
        let Some(length) = fits else {
            let problem = Problem::TooShort {
                wanted: length,
                available,
            };
            return Err(fail(field, self.offset, problem));
        };
        let bytes = &self.file[self.offset..self.offset + length];
        self.offset += length;
        Ok(bytes)
    }

    pub fn array<const N: usize>(&mut self, field: &str) -> Result<[u8; N], GgufError> {
        let mut array = [0; N];
        array.copy_from_slice(self.bytes(N as u64, field)?);
        Ok(array)
    }

    pub fn u32(&mut self, field: &str) -> Result<u32, GgufError> {
        self.array(field).map(u32::from_le_bytes)
    }

    pub fn u64(&mut self, field: &str) -> Result<u64, GgufError> {
        self.array(field).map(u64::from_le_bytes)
    }

    /// A number of things that take at least `least` bytes each; the rest of the file can hold
    /// that many.
    pub fn count(&mut self, least: usize, field: &str) -> Result<usize, GgufError> {
        let start = self.offset;
        let found = self.u64(field)?;
        let limit = self.remaining() / least;
        match usize::try_from(found) {
            Ok(count) if count <= limit => Ok(count),
            _ => {
                let limit = limit as u64;
                Err(fail(field, start, Problem::TooMany { found, limit }))
            }
        }
    }

    /// A string of at most `limit` bytes.
    pub fn text(&mut self, limit: u64, field: &str) -> Result<&'a str, GgufError> {
        let start = self.offset;
        let found = self.u64(field)?;
        if found > limit {
            return Err(fail(field, start, Problem::TooMany { found, limit }));
        }
        let bytes = self.bytes(found, field)?;
        std::str::from_utf8(bytes).map_err(|_| fail(field, start, Problem::Text))
    }
}

pub(super) fn fail(field: &str, offset: usize, problem: Problem) -> GgufError {
    let field = field.to_owned();
    GgufError {
        field,
        offset,
        problem,
    }
}
