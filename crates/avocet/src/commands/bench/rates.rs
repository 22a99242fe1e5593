//! How something is measured, and how a figure stands in a table.

use std::time::Instant;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::ui::output::Table;

/// Tokens that time decoding.
pub const DECODED: usize = 64;
/// Repeats of each measurement; the best counts, as others only add waiting.
const REPEATS: usize = 3;

/// A speed beside what the machine allows.
#[derive(Serialize, Deserialize)]
pub struct Rate {
    /// As measured.
    pub tokens_per_s: f64,
    /// What the machine's limit allows: the product peak for prefill, bandwidth for decode.
    pub limit_tokens_per_s: f64,
}

/// The shortest of some runs of `work`, in seconds.
pub fn best_of(mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..REPEATS {
        let start = Instant::now();
        work()?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    Ok(best)
}

/// The table that figures stand in.
pub fn head() -> Table {
    Table::new(&["figure", "measured", "limit", "share"])
}

/// Adds a figure, and its share of what is possible, if that is known.
pub fn add(table: &mut Table, name: &str, measured: f64, unit: &str, limit: Option<f64>) {
    let share = limit.map_or(String::new(), |limit| {
        format!("{:.0} %", 100.0 * measured / limit)
    });
    let limit = limit.map_or(String::new(), |limit| format!("{limit:.0} {unit}"));
    table.row(vec![
        name.to_owned(),
        format!("{measured:.1} {unit}"),
        limit,
        share,
    ]);
}
