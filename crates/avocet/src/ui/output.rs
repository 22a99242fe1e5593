//! What goes to stdout, text as it comes, JSON values, tables; and to files.

use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use super::log;

/// Prints `text` and shows it at once.
pub fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

/// Says something on stderr; nobody reading it is no reason to stop.
pub fn note(text: &str) {
    if !log::tell(text) {
        let _ = io::stderr().write_all(text.as_bytes());
    }
}

/// Prints one JSON value on a line of its own.
pub fn print_json(value: &impl Serialize) -> Result<()> {
    print(&format!("{}\n", serde_json::to_string(value)?))
}

/// Writes a file, whole or not at all.
///
/// Errors name it.
pub fn save(path: &Path, bytes: &[u8]) -> Result<()> {
    let written = avocet_files::write(path, bytes);
    written
        .map_err(|error| error.cause)
        .with_context(|| path.display().to_string())
}

/// A table of text: the first column to the left, the others to the right.
#[derive(Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with its head.
    pub fn new(head: &[&str]) -> Self {
        Self {
            rows: vec![head.iter().map(|cell| (*cell).to_owned()).collect()],
        }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The table as lines, columns two spaces apart.
    pub fn to_text(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let cell =
            |row: &'_ Vec<String>, column: usize| row.get(column).cloned().unwrap_or_default();
        let widths: Vec<usize> = (0..columns)
            .map(|column| {
                self.rows
                    .iter()
                    .map(|row| cell(row, column).chars().count())
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        let mut text = String::new();
        for row in &self.rows {
            let line: Vec<String> = (0..columns)
                .map(|column| {
                    let (words, width) = (cell(row, column), widths[column]);
                    if column == 0 {
                        format!("{words:<width$}")
                    } else {
                        format!("{words:>width$}")
                    }
                })
                .collect();
            text.push_str(line.join("  ").trim_end());
            text.push('\n');
        }
        text
    }
}

/// A count for people: 1.834 T, 11.2 M, 812.
pub fn count(value: u64) -> String {
    let units = [(1e12, " T"), (1e9, " B"), (1e6, " M"), (1e3, " k")];
    let number = value as f64;
    match units.iter().find(|(size, _)| number >= *size) {
        None => value.to_string(),
        Some((size, unit)) => {
            let scaled = number / size;
            let decimals = if scaled < 10.0 {
                3
            } else if scaled < 100.0 {
                2
            } else {
                1
            };
            format!("{scaled:.decimals$}{unit}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_read_as_people_say_them() {
        assert_eq!(count(812), "812");
        assert_eq!(count(1_834_000_000_000), "1.834 T");
        assert_eq!(count(280_040_000_000), "280.0 B");
        assert_eq!(count(11_230_000), "11.23 M");
    }

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(&["kind", "n"]);
        table.row(vec!["flags".into(), "7".into()]);
        table.row(vec!["é".into(), "1234".into()]);
        assert_eq!(table.to_text(), "kind      n\nflags     7\né      1234\n");
    }
}
