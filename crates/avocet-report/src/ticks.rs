//! The marks of an axis: few and round, with short labels.

use crate::numbers::short;

/// Marks of an axis, at most about this many.
const MOST: usize = 8;
/// Fewer marks than this say too little of a logarithmic axis.
const FEW: usize = 4;

/// Round numbers from `low` to `high`.
pub(crate) fn linear(low: f64, high: f64) -> Vec<f64> {
    let least = (high - low) / MOST as f64;
    let power = 10f64.powf(least.log10().floor());
    let round = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
    let step = round.into_iter().find(|step| *step >= least);
    let step = step.unwrap_or(10.0 * power);
    let (first, last) = ((low / step).ceil(), (high / step).floor());
    let count = (last - first) as usize;
    (0..=count)
        .map(|index| (first + index as f64) * step)
        .collect()
}

/// Round numbers for an axis that shows logarithms: powers of ten, or more where those are few.
pub(crate) fn logarithmic(low: f64, high: f64) -> Vec<f64> {
    let powers = low.log10().floor() as i32..=high.log10().ceil() as i32;
    for factors in [&[1.0][..], &[1.0, 3.0], &[1.0, 2.0, 5.0]] {
        let all = powers.clone().flat_map(|power| {
            let of = move |factor: &f64| factor * 10f64.powi(power);
            factors.iter().map(of)
        });
        let marks: Vec<f64> = all.filter(|mark| (low..=high).contains(mark)).collect();
        if marks.len() >= FEW {
            let every = marks.len().div_ceil(MOST);
            return marks.into_iter().step_by(every).collect();
        }
    }
    linear(low, high)
}

/// A number as an axis shows it, without what rounding left behind.
pub(crate) fn label(value: f64) -> String {
    if value != 0.0 && !(1e-3..1e18).contains(&value.abs()) {
        let rounded: f64 = format!("{value:.3e}").parse().unwrap_or(value);
        return format!("{rounded:e}");
    }
    short(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round_few_and_on_the_axis() {
        for (low, high) in [
            (0.0, 1.0),
            (-0.3, 0.2),
            (3.0, 3.001),
            (0.0, 7e12),
            (1e-9, 2e-9),
        ] {
            let marks = linear(low, high);
            assert!(
                (2..=MOST + 1).contains(&marks.len()),
                "{low} {high}: {marks:?}"
            );
            let room = 1e-9 * (high - low);
            let inside = low - room..=high + room;
            assert!(marks.iter().all(|mark| inside.contains(mark)), "{marks:?}");
        }
        assert_eq!(
            linear(0.0, 40.0),
            [0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 35.0, 40.0]
        );
    }

    #[test]
    fn a_logarithmic_axis_has_enough_marks_however_short_it_is() {
        assert_eq!(logarithmic(0.5, 3e4), [1.0, 10.0, 100.0, 1000.0, 10_000.0]);
        assert_eq!(logarithmic(0.9, 12.0), [1.0, 2.0, 5.0, 10.0]);
        assert_eq!(logarithmic(2.1, 3.1), linear(2.1, 3.1));
        assert!(logarithmic(1e-20, 1e20).len() <= MOST);
    }

    #[test]
    fn labels_are_short() {
        let numbers = [
            0.600_000_000_000_000_1,
            8.0,
            0.0014,
            5000.0,
            24_000.0,
            1.5e6,
            2e9,
            3e12,
            0.0,
            -0.25,
            2.5e-5,
            3e18,
        ];
        let shown = [
            "0.6", "8", "0.0014", "5 k", "24 k", "1.5 M", "2 B", "3 T", "0", "-0.25", "2.5e-5",
            "3e18",
        ];
        assert_eq!(numbers.map(label), shown);
    }
}
