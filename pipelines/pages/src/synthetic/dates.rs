//! Dates, written in the usual ways.

use avocet_text::MONTHS;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// A date in one of the usual forms.
pub fn date(rng: &mut ChaCha8Rng) -> String {
    let (day, month) = (rng.random_range(1..29), rng.random_range(0..12usize));
    let year = rng.random_range(1998..2027);
    match rng.random_range(0..4) {
        0 => format!("{day} {} {year}", MONTHS[month]),
        1 => format!("{} {day}, {year}", MONTHS[month]),
        2 => format!("{year}-{:02}-{day:02}", month + 1),
        _ => format!("{day} {} {year}", &MONTHS[month][..3]),
    }
}
