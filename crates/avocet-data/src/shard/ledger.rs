//! Reads a ledger line by line, however long it is.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::manifest::LEDGER;
use super::part::LedgerLine;
use crate::DataError;

/// Longest line that is read, against damaged or hostile ledgers.
const MAX_LINE_BYTES: u64 = 64 << 20;

/// The lines of a dataset's ledger.
pub(crate) struct Ledger {
    path: PathBuf,
    lines: BufReader<File>,
    number: u64,
}

impl Ledger {
    /// Opens the ledger of the dataset in `folder`.
    pub(crate) fn open(folder: &Path) -> Result<Self, DataError> {
        let path = folder.join(LEDGER);
        let file = File::open(&path).map_err(DataError::io(&path))?;
        Ok(Self {
            path,
            lines: BufReader::new(file),
            number: 0,
        })
    }

    /// Says what is wrong with the line read last.
    pub(crate) fn broken(&self, reason: impl std::fmt::Display) -> DataError {
        DataError::broken(&self.path, format!("line {}: {reason}", self.number))
    }

    fn read(&mut self) -> Result<Option<LedgerLine>, DataError> {
        self.number += 1;
        let mut line = Vec::new();
        let mut lines = (&mut self.lines).take(MAX_LINE_BYTES);
        let read = lines.read_until(b'\n', &mut line);
        read.map_err(DataError::io(&self.path))?;
        if line.is_empty() {
            return Ok(None);
        }
        serde_json::from_slice(&line)
            .map(Some)
            .map_err(|error| self.broken(error))
    }
}

impl Iterator for Ledger {
    type Item = Result<LedgerLine, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}
