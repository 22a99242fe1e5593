//! How probable a token was among all that could have been said. It is asked of every token of every
//! answer, so the exponentials are computed side by side, without a branch.

/// Numbers that are added up side by side.
const LANES: usize = 16;
/// Numbers after which the lanes are added up, so that no rounding error grows.
const BLOCK: usize = 64 * LANES;
/// Differences of logits beyond this are as good as infinite.
const FARTHEST: f32 = 80.0;

/// `log p(id)` under the softmax of `logits` (V), exact to 1e-5 of itself; minus infinity where the
/// logit is no number. NaN among the others counts as impossible.
pub(crate) fn log_likelihood(logits: &[f32], id: u32) -> f64 {
    let place = id as usize;
    match logits.get(place) {
        Some(&chosen) if chosen.is_finite() => {
            // The token itself is left out: what remains of 1 is seen even where it is tiny.
            let others = sum(&logits[..place], chosen) + sum(&logits[place + 1..], chosen);
            -others.ln_1p()
        }
        _ => f64::NEG_INFINITY,
    }
}

/// Sum of the exponentials of how far each logit is above `chosen`.
fn sum(logits: &[f32], chosen: f32) -> f64 {
    let mut total = 0.0;
    for block in logits.chunks(BLOCK) {
        let mut lanes = [0.0f32; LANES];
        let rows = block.chunks_exact(LANES);
        let rest = rows.remainder();
        for row in rows {
            for (lane, logit) in lanes.iter_mut().zip(row) {
                *lane += exp(logit - chosen);
            }
        }
        for (lane, logit) in lanes.iter_mut().zip(rest) {
            *lane += exp(logit - chosen);
        }
        total += lanes.iter().map(|lane| f64::from(*lane)).sum::<f64>();
    }
    total
}

/// `e^x` as a power of two and the series of 2^f, f within half of 0.
fn exp(x: f32) -> f32 {
    /// Adding it rounds to whole numbers, which then are the last bits.
    const ROUND: f32 = 12_582_912.0;
    // A NaN becomes the least.
    let x = if x.is_nan() {
        -FARTHEST
    } else {
        x.clamp(-FARTHEST, FARTHEST)
    };
    let twos = x * std::f32::consts::LOG2_E;
    let rounded = twos + ROUND;
    let f = twos - (rounded - ROUND);
    let series = [
        0.000_154_035_3,
        0.001_333_356,
        0.009_618_129,
        0.055_504_11,
        0.240_226_5,
    ];
    let series = series.into_iter().fold(0.0, |sum, next| sum * f + next);
    let series = (series * f + std::f32::consts::LN_2) * f + 1.0;
    let power = rounded.to_bits().wrapping_sub(ROUND.to_bits()) << 23;
    series * f32::from_bits(1.0f32.to_bits().wrapping_add(power))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampler::log_probability;

    #[test]
    fn a_token_is_as_probable_as_the_softmax_says() {
        for count in [1usize, 2, 15, 16, 17, 5000] {
            let logits: Vec<f32> = (0..count)
                .map(|n| ((n * 7919 % 613) as f32 - 300.0) / 17.0)
                .collect();
            for id in [0, count / 2, count - 1] {
                let exact = log_probability(&logits, id as u32).expect("a number");
                let ours = log_likelihood(&logits, id as u32);
                assert!(
                    (ours - exact).abs() <= 1e-5 * exact.abs().max(1e-6),
                    "{count}, {id}: {ours} against {exact}"
                );
            }
        }
    }

    #[test]
    fn what_remains_of_certainty_is_seen() {
        let logits = [40.0, 0.0, f32::NEG_INFINITY, f32::NAN];
        let ours = log_likelihood(&logits, 0);
        let exact = -(-40.0f64).exp();
        assert!((ours / exact - 1.0).abs() < 1e-4, "{ours} against {exact}");
    }

    #[test]
    fn what_is_no_number_is_impossible() {
        assert_eq!(log_likelihood(&[f32::NAN, 1.0], 0), f64::NEG_INFINITY);
        assert_eq!(log_likelihood(&[1.0], 1), f64::NEG_INFINITY);
        assert!(log_likelihood(&[0.0, 1e30], 0) < -50.0);
    }
}
