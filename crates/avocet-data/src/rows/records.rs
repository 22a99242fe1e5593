//! Records of a CSV file, with the lines that they begin in.

use std::fs::File;
use std::io::{BufRead, BufReader};

use super::MAX_ROW_BYTES;

/// Records of a CSV file (RFC 4180).
pub(super) struct Records {
    input: BufReader<File>,
    reader: csv_core::Reader,
    /// The line that is read next, the first being 1.
    line: usize,
}

impl Records {
    /// The records of `file` from its beginning.
    pub fn new(file: File) -> Self {
        Self {
            input: BufReader::new(file),
            reader: csv_core::Reader::new(),
            line: 1,
        }
    }

    /// Passes over ends of lines: after a record the reader may leave half of one.
    fn skip_ends(&mut self) -> std::io::Result<()> {
        loop {
            let input = self.input.fill_buf()?;
            let ends = input
                .iter()
                .take_while(|byte| matches!(byte, b'\r' | b'\n'));
            let (count, lines) = ends.fold((0, 0), |(count, lines), byte| {
                (count + 1, lines + usize::from(*byte == b'\n'))
            });
            self.line += lines;
            self.input.consume(count);
            if count == 0 {
                return Ok(());
            }
        }
    }
}

impl Iterator for Records {
    type Item = (usize, Result<Vec<String>, String>);

    fn next(&mut self) -> Option<Self::Item> {
        let skipped = self.skip_ends();
        let line = self.line;
        if let Err(error) = skipped {
            return Some((line, Err(error.to_string())));
        }
        let (mut output, mut ends) = (vec![0; 1024], vec![0; 16]);
        let (mut written, mut num_ends) = (0, 0);
        loop {
            let input = match self.input.fill_buf() {
                Ok(input) => input,
                Err(error) => return Some((line, Err(error.to_string()))),
            };
            let (into, of) = (&mut output[written..], &mut ends[num_ends..]);
            let (result, read, wrote, ended) = self.reader.read_record(input, into, of);
            self.line += input[..read].iter().filter(|byte| **byte == b'\n').count();
            self.input.consume(read);
            (written, num_ends) = (written + wrote, num_ends + ended);
            match result {
                csv_core::ReadRecordResult::End => return None,
                csv_core::ReadRecordResult::Record => break,
                csv_core::ReadRecordResult::InputEmpty => {}
                csv_core::ReadRecordResult::OutputFull => output.resize(2 * output.len(), 0),
                csv_core::ReadRecordResult::OutputEndsFull => ends.resize(2 * ends.len(), 0),
            }
            if output.len() as u64 > MAX_ROW_BYTES || ends.len() as u64 > MAX_ROW_BYTES / 8 {
                // Without the end of the record nobody knows where the next begins.
                let _ = std::io::copy(&mut self.input, &mut std::io::sink());
                return Some((line, Err(format!("is longer than {MAX_ROW_BYTES} bytes"))));
            }
        }
        let starts = std::iter::once(0).chain(ends[..num_ends].iter().copied());
        let cells = starts.zip(&ends[..num_ends]).map(|(start, &end)| {
            let cell = String::from_utf8(output[start..end].to_vec());
            cell.map_err(|_| "is not UTF-8".to_owned())
        });
        Some((line, cells.collect()))
    }
}
