//! Rows as lines of JSON, or as one list of objects.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};

use serde::Deserialize;

use super::fields::Fields;
use super::row::MAX_ROW_BYTES;

const CUT_OFF: &str = "is cut off: the list does not end";

/// A line's number, the first being 1, and what stands in it.
pub(super) type Numbered = (usize, Result<Fields, String>);

/// The objects of a file of JSON: one a line, or all in one list.
pub(super) fn objects(mut input: BufReader<File>) -> Box<dyn Iterator<Item = Numbered> + Send> {
    let start = input.fill_buf().unwrap_or_default();
    match start.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'[') => Box::new(List {
            input,
            line: 1,
            state: State::Before,
        }),
        _ => Box::new(Lines { input, line: 0 }),
    }
}

/// Lines of at most [`MAX_ROW_BYTES`]; after a longer one there are no more.
struct Lines {
    input: BufReader<File>,
    line: usize,
}

impl Iterator for Lines {
    type Item = Numbered;

    fn next(&mut self) -> Option<Numbered> {
        loop {
            let mut line = Vec::new();
            let mut limited = self.input.by_ref().take(MAX_ROW_BYTES);
            let read = limited.read_until(b'\n', &mut line);
            self.line += 1;
            let fields = match read {
                Ok(0) => return None,
                Err(error) => Err(error.to_string()),
                Ok(_) if line.len() as u64 == MAX_ROW_BYTES && !line.ends_with(b"\n") => {
                    // Without the end of the line nobody knows where the next begins.
                    let _ = std::io::copy(&mut self.input, &mut std::io::sink());
                    Err(format!("is longer than {MAX_ROW_BYTES} bytes"))
                }
                Ok(_) if line.trim_ascii().is_empty() => continue,
                Ok(_) => match std::str::from_utf8(&line) {
                    Ok(text) => serde_json::from_str(text).map_err(|error| error.to_string()),
                    Err(_) => Err("is not UTF-8".to_owned()),
                },
            };
            return Some((self.line, fields));
        }
    }
}

/// Where a list is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Before,
    Within,
    After,
}

/// The objects of a list, one at a time; after one that does not parse there are no more.
struct List {
    input: BufReader<File>,
    line: usize,
    state: State,
}

impl List {
    /// The next byte that is no space, which is not taken.
    fn peek(&mut self) -> std::io::Result<Option<u8>> {
        loop {
            let Some(&byte) = self.input.fill_buf()?.first() else {
                return Ok(None);
            };
            if !byte.is_ascii_whitespace() {
                return Ok(Some(byte));
            }
            self.line += usize::from(byte == b'\n');
            self.input.consume(1);
        }
    }

    /// Whether there is another object; it begins with the next byte.
    fn has_more(&mut self) -> Result<bool, String> {
        let wrong = |error: std::io::Error| error.to_string();
        let opening = match self.state {
            State::Before => b'[',
            State::Within => b',',
            State::After => return Ok(false),
        };
        let first = self.state == State::Before;
        match self.peek().map_err(wrong)? {
            Some(b']') if !first => {}
            Some(byte) if byte == opening => {
                self.input.consume(1);
                self.state = State::Within;
                if !first || self.peek().map_err(wrong)? != Some(b']') {
                    return Ok(true);
                }
            }
            Some(_) => return Err("is no list of objects: a comma or `]` is missing".into()),
            None => return Err(CUT_OFF.into()),
        }
        self.input.consume(1);
        self.state = State::After;
        match self.peek().map_err(wrong)? {
            None => Ok(false),
            Some(_) => Err("more follows after the list".into()),
        }
    }
}

impl Iterator for List {
    type Item = Numbered;

    fn next(&mut self) -> Option<Numbered> {
        let more = self.has_more();
        let peeked = self.peek();
        let line = self.line;
        let fields = match (more, peeked) {
            (Ok(false), _) => return None,
            (Err(reason), _) => Err(reason),
            (_, Err(error)) => Err(error.to_string()),
            (_, Ok(None)) => Err(CUT_OFF.into()),
            (Ok(true), Ok(Some(_))) => {
                let mut limited = self.input.by_ref().take(MAX_ROW_BYTES);
                let counted = Counted {
                    input: &mut limited,
                    lines: &mut self.line,
                };
                let read = Fields::deserialize(&mut serde_json::Deserializer::from_reader(counted));
                match limited.limit() {
                    0 => Err(format!("is longer than {MAX_ROW_BYTES} bytes")),
                    _ => read.map_err(|error| error.to_string()),
                }
            }
        };
        if fields.is_err() {
            self.state = State::After;
        }
        Some((line, fields))
    }
}

/// Counts the lines that are read.
struct Counted<'a, R> {
    input: R,
    lines: &'a mut usize,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let read = self.input.read(into)?;
        *self.lines += into[..read].iter().filter(|byte| **byte == b'\n').count();
        Ok(read)
    }
}
