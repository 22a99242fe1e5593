//! The counts at the head of a contact sheet: numbers, and lists as bars.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{MOST_LINES, Summary};

/// The numbers at the head of the page, each with what it counts.
pub(super) fn figures(summary: &Summary) -> Vec<(&'static str, String)> {
    let percent = 100.0 * summary.kept as f64 / summary.inputs.max(1) as f64;
    vec![
        ("samples", thousands(summary.samples)),
        ("pictures", thousands(summary.images)),
        ("shards", thousands(summary.shards)),
        ("MB", format!("{:.1}", summary.bytes as f64 / 1e6)),
        ("inputs", thousands(summary.inputs)),
        ("of inputs kept", format!("{percent:.1} %")),
    ]
}

/// Counts as bars.
#[derive(Serialize)]
pub(super) struct List {
    title: &'static str,
    bad: bool,
    rows: Vec<ListRow>,
}

#[derive(Serialize)]
struct ListRow {
    name: String,
    count: String,
    percent: f64,
}

/// What there is of each kind, source and licence, and what was rejected why.
pub(super) fn lists(summary: &Summary) -> Vec<List> {
    let list = |title, bad, counts: &BTreeMap<String, u64>, total: u64| {
        let mut most: Vec<_> = counts.iter().collect();
        most.sort_by_key(|&(name, &count)| (std::cmp::Reverse(count), name));
        let (shown, rest) = most.split_at(most.len().min(MOST_LINES));
        let row = |name: String, count: u64| ListRow {
            name,
            count: thousands(count),
            percent: (1e4 * count as f64 / total.max(1) as f64).round() / 100.0,
        };
        let mut rows: Vec<ListRow> = shown
            .iter()
            .map(|&(name, &count)| row(name.clone(), count))
            .collect();
        if !rest.is_empty() {
            let sum = rest.iter().map(|(_, count)| **count).sum();
            rows.push(row(format!("{} others", rest.len()), sum));
        }
        List { title, bad, rows }
    };
    let all = [
        list("Samples by kind", false, &summary.kinds, summary.samples),
        list(
            "Samples by source",
            false,
            &summary.sources,
            summary.samples,
        ),
        list(
            "Samples by licence",
            false,
            &summary.licences,
            summary.samples,
        ),
        list(
            "Rejected inputs by reason",
            true,
            &summary.rejected,
            summary.inputs,
        ),
    ];
    all.into_iter()
        .filter(|list| !list.rows.is_empty())
        .collect()
}

/// 1234567 as 1,234,567.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_are_grouped() {
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_234_567), "1,234,567");
    }
}
