//! Records of a table, with the lines that they begin in, whatever parts their cells.

use std::fs::File;
use std::io::{BufRead, BufReader};

use super::fields::field_of;
use super::row::MAX_ROW_BYTES;

/// What parts cells, the likeliest first.
const DELIMITERS: [u8; 4] = *b",;\t|";

/// Records of a CSV file (RFC 4180), or one with semicolons, tabs or bars for its commas.
pub(super) struct Records {
    input: BufReader<File>,
    reader: csv_core::Reader,
    /// The line that is read next, the first being 1.
    line: usize,
}

impl Records {
    /// The records of `input` from its beginning: what parts their cells is what a line `sep=`
    /// says, as spreadsheets write it, or else what gives the head the most known columns.
    ///
    /// Errors if it cannot be read.
    pub fn new(mut input: BufReader<File>) -> std::io::Result<Self> {
        let start = input.fill_buf()?;
        let end = start.iter().position(|byte| *byte == b'\n');
        let said = end.and_then(|end| separator(&start[..end]));
        let delimiter = match said {
            Some(delimiter) => delimiter,
            None => likeliest(start),
        };
        if let (Some(_), Some(end)) = (said, end) {
            input.consume(end + 1);
        }
        Ok(Self {
            input,
            reader: csv_core::ReaderBuilder::new().delimiter(delimiter).build(),
            line: 1 + usize::from(said.is_some()),
        })
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

/// What a line such as `sep=;` says.
fn separator(line: &[u8]) -> Option<u8> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = line.strip_prefix(b"\"").unwrap_or(line);
    let (name, delimiter) = line.split_at_checked(4)?;
    let delimiter = delimiter.strip_suffix(b"\"").unwrap_or(delimiter);
    match delimiter {
        [delimiter] if name.eq_ignore_ascii_case(b"sep=") => Some(*delimiter),
        _ => None,
    }
}

/// The delimiter by which the head has the most known columns, or else the most columns.
fn likeliest(start: &[u8]) -> u8 {
    let columns = |delimiter: u8| {
        let mut reader = csv_core::ReaderBuilder::new().delimiter(delimiter).build();
        let (mut output, mut ends) = (vec![0; start.len() + 1], vec![0; start.len() + 1]);
        // A head longer than what is looked at ends where the look does.
        let (_, _, _, cells) = reader.read_record(start, &mut output, &mut ends);
        let starts = std::iter::once(0).chain(ends[..cells].iter().copied());
        let cells = starts.zip(&ends[..cells]);
        let names = cells.map(|(start, &end)| String::from_utf8_lossy(&output[start..end]));
        let known = |name: std::borrow::Cow<'_, str>| field_of(name.trim()).is_some();
        let known: Vec<bool> = names.map(known).collect();
        (known.iter().filter(|known| **known).count(), known.len())
    };
    // The last of equals is the greatest: the likeliest comes last.
    let found = DELIMITERS.into_iter().rev().max_by_key(|one| columns(*one));
    found.unwrap_or(b',')
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
