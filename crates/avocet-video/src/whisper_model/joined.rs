//! One file, or several that are one cut in parts: read by position, within its length.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::error::WhisperModelError;

/// Files that are read as one.
#[derive(Debug)]
pub(super) struct Joined {
    parts: Vec<Part>,
    length: u64,
}

#[derive(Debug)]
struct Part {
    path: PathBuf,
    file: File,
    start: u64,
    length: u64,
}

impl Joined {
    /// Opens the files at `paths`, of which there is at least one.
    ///
    /// Errors if one cannot be opened or is no file.
    pub fn open(paths: &[PathBuf]) -> Result<Self, WhisperModelError> {
        let (mut parts, mut start) = (Vec::new(), 0u64);
        for path in paths {
            let file = File::open(path).map_err(WhisperModelError::io(path))?;
            let metadata = file.metadata().map_err(WhisperModelError::io(path))?;
            if !metadata.is_file() {
                return Err(WhisperModelError::model(path, "the model", "is no file"));
            }
            let length = metadata.len();
            parts.push(Part {
                path: path.clone(),
                file,
                start,
                length,
            });
            start = start.saturating_add(length);
        }
        Ok(Self {
            parts,
            length: start,
        })
    }

    /// Bytes in all.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The file that messages name.
    pub fn path(&self) -> &Path {
        self.parts.first().map_or(Path::new(""), |part| &part.path)
    }

    /// Fills `buffer` from `position` on.
    ///
    /// Errors if the file ends before.
    pub fn read(&self, mut position: u64, mut buffer: &mut [u8]) -> Result<(), WhisperModelError> {
        for part in &self.parts {
            if buffer.is_empty() {
                break;
            }
            let end = part.start + part.length;
            if position < part.start || position >= end {
                continue;
            }
            let here = usize::try_from(end - position).unwrap_or(usize::MAX);
            let (now, later) = buffer.split_at_mut(here.min(buffer.len()));
            let mut file = &part.file;
            file.seek(SeekFrom::Start(position - part.start))
                .and_then(|_| file.read_exact(now))
                .map_err(WhisperModelError::io(&part.path))?;
            position += now.len() as u64;
            buffer = later;
        }
        if buffer.is_empty() {
            return Ok(());
        }
        let reason = format!("ends after {} bytes", self.length);
        Err(WhisperModelError::model(self.path(), "the file", reason))
    }
}

/// Bytes read ahead: a vocabulary is 100,000 numbers and names, each of a few bytes.
const AHEAD: u64 = 1 << 16;

/// Reads a header from front to back.
pub(super) struct Cursor<'a> {
    pub file: &'a Joined,
    pub position: u64,
    ahead: Vec<u8>,
    ahead_at: u64,
}

impl<'a> Cursor<'a> {
    /// Reads `file` from `position` on.
    pub fn new(file: &'a Joined, position: u64) -> Self {
        Self {
            file,
            position,
            ahead: Vec::new(),
            ahead_at: 0,
        }
    }
    /// `count` bytes, for which memory is taken only if the file has them.
    pub fn bytes(&mut self, count: u64) -> Result<Vec<u8>, WhisperModelError> {
        self.needs(count)?;
        let mut bytes = vec![0; count as usize];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), WhisperModelError> {
        let count = bytes.len() as u64;
        if count > AHEAD {
            self.file.read(self.position, bytes)?;
        } else {
            let known = self.ahead_at..self.ahead_at + self.ahead.len() as u64;
            if !known.contains(&self.position) || self.position + count > known.end {
                let left = self.file.length().saturating_sub(self.position);
                self.ahead.resize(AHEAD.min(left).max(count) as usize, 0);
                self.file.read(self.position, &mut self.ahead)?;
                self.ahead_at = self.position;
            }
            let start = (self.position - self.ahead_at) as usize;
            bytes.copy_from_slice(&self.ahead[start..start + bytes.len()]);
        }
        self.position += count;
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WhisperModelError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    pub fn u8(&mut self) -> Result<u8, WhisperModelError> {
        self.array().map(u8::from_le_bytes)
    }

    pub fn u16(&mut self) -> Result<u16, WhisperModelError> {
        self.array().map(u16::from_le_bytes)
    }

    pub fn u32(&mut self) -> Result<u32, WhisperModelError> {
        self.array().map(u32::from_le_bytes)
    }

    /// Whether the file ends here.
    pub fn at_end(&self) -> bool {
        self.position >= self.file.length()
    }

    /// Goes on `count` bytes later.
    ///
    /// Errors if the file ends before.
    pub fn skip(&mut self, count: u64) -> Result<(), WhisperModelError> {
        self.needs(count)?;
        self.position += count;
        Ok(())
    }

    fn needs(&self, count: u64) -> Result<(), WhisperModelError> {
        let left = self.file.length().saturating_sub(self.position);
        if count <= left {
            return Ok(());
        }
        let at = self.position;
        let reason = format!("needs {count} bytes at {at}, but {left} are left");
        Err(WhisperModelError::model(
            self.file.path(),
            "the file",
            reason,
        ))
    }
}
