//! The counts at the head of a contact sheet: numbers, and lists as bars.

use std::collections::BTreeMap;

use avocet_report::numbers::thousands;
use serde::Serialize;

use super::{MOST_LINES, Summary};

/// The numbers at the head of the page, each with what it counts.
pub(super) fn figures(summary: &Summary) -> Vec<(&'static str, String)> {
    let percent = 100.0 * summary.kept as f64 / summary.inputs.max(1) as f64;
    vec![
        ("samples", thousands(summary.samples as f64)),
        ("pictures", thousands(summary.images as f64)),
        ("shards", thousands(summary.shards as f64)),
        ("MB", format!("{:.1}", summary.bytes as f64 / 1e6)),
        ("inputs", thousands(summary.inputs as f64)),
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
            count: thousands(count as f64),
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
