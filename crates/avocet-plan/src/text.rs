//! Plans as text for a terminal of 100 columns, and as tables of a page.

use crate::described::{Claim, WITHOUT_FIGURE};
use crate::figure::Figure;
use crate::published::Truth;
use avocet_report::Table;
use avocet_report::numbers::{digits, percent, short, thousands};

/// Columns of a terminal that every line fits.
const WIDTH: usize = 100;

/// What stays on a line with the number before it.
const UNITS: [&str; 10] = ["%", "P", "T", "B", "M", "k", "s", "ms", "GB", "MB"];

/// Text in lines of at most `width` characters, words kept whole where they fit.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut words: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let unit = word.trim_end_matches([',', ';', '.', ':', ')']);
        match words.last_mut() {
            Some(number)
                if UNITS.contains(&unit) && number.ends_with(|c: char| c.is_ascii_digit()) =>
            {
                number.push(' ');
                number.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
    }
    for word in &words {
        let mut word = word.as_str();
        loop {
            let line = lines.last_mut().expect("there is a line");
            let used = line.chars().count();
            let space = usize::from(used > 0);
            let length = word.chars().count();
            if used + space + length <= width {
                if space > 0 {
                    line.push(' ');
                }
                line.push_str(word);
                break;
            }
            if used == 0 {
                // A word longer than the column is cut.
                let end = word
                    .char_indices()
                    .nth(width)
                    .map_or(word.len(), |(at, _)| at);
                line.push_str(&word[..end]);
                word = &word[end..];
            }
            lines.push(String::new());
        }
    }
    lines
}

/// Rows of cells in columns of these widths, two spaces apart, cells wrapped.
pub fn columns(rows: &[Vec<String>], widths: &[usize]) -> String {
    let mut text = String::new();
    for row in rows {
        let cells: Vec<Vec<String>> = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| wrapped(cell, *width))
            .collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(0);
        for index in 0..height {
            let line: Vec<String> = cells
                .iter()
                .zip(widths)
                .map(|(lines, &width)| {
                    let words = lines.get(index).map_or("", String::as_str);
                    format!("{words:<width$}")
                })
                .collect();
            text.push_str(line.join("  ").trim_end());
            text.push('\n');
        }
    }
    text
}

fn strings<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

/// The table "described | recomputed | agrees?", remarks below their rows.
pub fn claims(claims: &[Claim]) -> String {
    const WIDTHS: [usize; 4] = [18, 30, 32, 14];
    let mut text = columns(
        &[strings(["part", "described", "recomputed", "agrees?"])],
        &WIDTHS,
    );
    for claim in claims {
        let row = strings([
            claim.part,
            claim.described,
            &claim.recomputed,
            &claim.agrees,
        ]);
        text.push_str(&columns(&[row], &WIDTHS));
        if !claim.remark.is_empty() {
            for line in wrapped(&claim.remark, WIDTH - 24) {
                text.push_str(&format!("{:20}  {line}\n", ""));
            }
        }
    }
    for line in wrapped(
        &format!("Described without a figure: {WITHOUT_FIGURE}."),
        WIDTH,
    ) {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// The same for a page.
pub fn claims_table(claims: &[Claim]) -> Table {
    Table {
        title: "The described system, recomputed".into(),
        head: strings(["part", "described", "recomputed", "agrees?", "remark"]),
        rows: claims
            .iter()
            .map(|claim| {
                strings([
                    claim.part,
                    claim.described,
                    &claim.recomputed,
                    &claim.agrees,
                    &claim.remark,
                ])
            })
            .collect(),
        ..Table::default()
    }
}

/// Each number with its formula and the values put in.
pub fn explained(figures: &[&Figure]) -> String {
    let mut text = String::new();
    for figure in figures {
        let unit = match figure.unit {
            "" => String::new(),
            unit => format!(" {unit}"),
        };
        text.push_str(&format!(
            "{} = {}{unit}\n",
            figure.name,
            plain(figure.value)
        ));
        let values: Vec<String> = figure
            .inputs
            .iter()
            .map(|(name, value)| format!("{name} = {}", plain(*value)))
            .collect();
        for line in wrapped(&format!("= {}", figure.formula), WIDTH - 4) {
            text.push_str(&format!("    {line}\n"));
        }
        for line in wrapped(&values.join(", "), WIDTH - 4) {
            text.push_str(&format!("    {line}\n"));
        }
    }
    text
}

/// A number with all its digits if they are few.
fn plain(value: f64) -> String {
    if value == value.trunc() && value.abs() < 1e15 {
        thousands(value)
    } else {
        digits(value)
    }
}

/// Published runs beside ours.
pub fn truth(rows: &[Truth]) -> String {
    const WIDTHS: [usize; 6] = [38, 21, 9, 9, 7, 6];
    let head = strings([
        "published run",
        "quantity",
        "published",
        "planned",
        "off by",
        "fitted",
    ]);
    let mut all = vec![head];
    all.extend(rows.iter().map(|row| {
        vec![
            row.run.clone(),
            format!("{}, {}", row.quantity, row.unit),
            digits(row.published),
            digits(row.planned),
            format!("{:+.1} %", 100.0 * row.error()),
            if row.fitted { "yes" } else { "" }.to_owned(),
        ]
    }));
    columns(&all, &WIDTHS)
}

/// Bytes in GB, or in MB if they are few.
pub fn gb(bytes: f64) -> String {
    if bytes > 0.0 && bytes < 1e8 {
        format!("{} MB", digits(bytes / 1e6))
    } else {
        format!("{:.1} GB", bytes / 1e9)
    }
}

/// A line of parts with their counts.
pub fn parts(parts: &[(&'static str, u64)], total: f64) -> String {
    let named: Vec<String> = parts
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| {
            format!(
                "{name} {} ({})",
                short(*count as f64),
                percent(*count as f64 / total)
            )
        })
        .collect();
    wrapped(&named.join(", "), WIDTH).join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_a_terminal_and_no_word_is_lost() {
        let long = "word ".repeat(40) + &"x".repeat(60);
        let text = columns(&[strings([&long, "b", &long])], &[30, 10, 40]);
        assert!(
            text.lines().all(|line| line.chars().count() <= WIDTH),
            "{text}"
        );
        assert_eq!(text.matches("word").count(), 80);
        assert_eq!(text.matches('x').count(), 120);
    }
}
