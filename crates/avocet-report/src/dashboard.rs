//! A page of figures: the main ones at its head, then plots, then tables.

use serde::Serialize;

use crate::page::Page;
use crate::plot::{Drawing, Plot};

const TEMPLATE: &str = include_str!("../templates/dashboard.html");

/// What a page of figures shows; whatever is empty is left out.
#[derive(Debug, Clone, Default)]
pub struct Dashboard {
    /// Its heading.
    pub title: String,
    /// A sentence below.
    pub intro: String,
    /// The main figures: name and value.
    pub figures: Vec<(&'static str, String)>,
    /// Its plots; one that has nothing to draw is left out.
    pub plots: Vec<Plot>,
    /// Its tables.
    pub tables: Vec<Table>,
}

/// A table of a page.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// What it shows.
    pub title: String,
    /// A sentence about it.
    pub note: String,
    /// Its head.
    pub head: Vec<String>,
    /// Its rows.
    pub rows: Vec<Vec<String>>,
}

#[derive(Serialize)]
struct Body<'a> {
    title: &'a str,
    intro: &'a str,
    figures: &'a [(&'static str, String)],
    plots: Vec<Drawing<'a>>,
    tables: Vec<Shown<'a>>,
}

#[derive(Serialize)]
struct Shown<'a> {
    title: &'a str,
    note: &'a str,
    head: &'a [String],
    rows: &'a [Vec<String>],
    numeric: Vec<bool>,
}

impl Dashboard {
    /// The page.
    pub fn to_html(&self) -> String {
        let body = Body {
            title: &self.title,
            intro: &self.intro,
            figures: &self.figures,
            plots: self.plots.iter().filter_map(Drawing::of).collect(),
            tables: self.tables.iter().map(Shown::of).collect(),
        };
        let page = Page {
            title: &self.title,
            ..Page::default()
        };
        page.render(TEMPLATE, &body)
    }
}

impl<'a> Shown<'a> {
    fn of(table: &'a Table) -> Self {
        let columns = table.rows.iter().map(Vec::len).max().unwrap_or(0);
        Self {
            title: &table.title,
            note: &table.note,
            head: &table.head,
            rows: &table.rows,
            numeric: (0..columns)
                .map(|column| table.is_numeric(column))
                .collect(),
        }
    }
}

impl Table {
    /// Whether a column holds numbers, which stand below each other at the right.
    fn is_numeric(&self, column: usize) -> bool {
        let cells = self.rows.iter().filter_map(|row| row.get(column));
        let mut cells = cells.filter(|cell| !cell.is_empty()).peekable();
        let is_number = |cell: &String| {
            let digits = cell.trim_start_matches(['+', '-', '−', '$']);
            digits.starts_with(|c: char| c.is_ascii_digit()) && cell.len() < 16
        };
        cells.peek().is_some() && cells.all(is_number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::{Axis, Series};

    fn strings<const N: usize>(cells: [&str; N]) -> Vec<String> {
        cells.map(str::to_owned).to_vec()
    }

    fn plot(title: &str, points: Vec<(f64, f64)>) -> Plot {
        Plot {
            title: title.into(),
            note: "<note>".into(),
            x: Axis::linear("<x>"),
            y: Axis::linear("<y>"),
            series: ["<one>", "<two>"]
                .map(|label| Series {
                    label: label.into(),
                    points: points.clone(),
                })
                .to_vec(),
        }
    }

    #[test]
    fn everything_is_on_the_page_and_no_text_of_it_is_markup() {
        let dashboard = Dashboard {
            title: "<title>".into(),
            intro: "<intro>".into(),
            figures: vec![("loss", "<0.5>".into())],
            plots: vec![plot("<plot>", vec![(1.0, 2.0), (3.0, 4.0)])],
            tables: vec![Table {
                title: "<table>".into(),
                note: "<about>".into(),
                head: strings(["<head>", "count"]),
                rows: vec![strings(["<cell>", "5"]), strings(["b", ""])],
            }],
        };
        let html = dashboard.to_html();
        for text in [
            "title", "intro", "0.5", "plot", "note", "x", "y", "one", "two", "table", "about",
            "head", "cell",
        ] {
            let escaped = format!("&lt;{text}&gt;");
            assert!(html.contains(&escaped), "{text}: {html}");
        }
        for text in ["<0.5>", "<plot>", "<note>", "<x>", "<one>", "<cell>"] {
            assert!(!html.contains(text), "{text}");
        }
        assert!(html.contains("<th class=\"number\">count") && html.contains("<td>&lt;cell"));
        assert!(!html.contains("src=") && !html.contains("href="));
    }

    #[test]
    fn what_has_nothing_to_show_is_left_out() {
        let dashboard = Dashboard {
            title: "run".into(),
            plots: vec![plot("empty", vec![]), plot("broken", vec![(1.0, f64::NAN)])],
            ..Dashboard::default()
        };
        let html = dashboard.to_html();
        for tag in ["<figure", "<table", "<dl", "class=\"where\""] {
            assert!(!html.contains(tag), "{tag}");
        }
    }
}
