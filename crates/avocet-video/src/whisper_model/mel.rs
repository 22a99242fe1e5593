//! The triangular filters that sum a spectrum into mel bands, computed as Whisper's were.

/// Bins of the spectrum: half of a 400-sample window, and one.
pub(super) const BINS: usize = 201;

const SAMPLE_RATE_HZ: f64 = 16000.0;
/// Below this the scale is linear, above it logarithmic (Slaney's Auditory Toolbox).
const KNEE_HZ: f64 = 1000.0;
const LINEAR_HZ: f64 = 200.0 / 3.0;

fn log_step() -> f64 {
    6.4f64.ln() / 27.0
}

fn to_mel(hz: f64) -> f64 {
    if hz >= KNEE_HZ {
        KNEE_HZ / LINEAR_HZ + (hz / KNEE_HZ).ln() / log_step()
    } else {
        hz / LINEAR_HZ
    }
}

fn to_hz(mel: f64) -> f64 {
    let knee = KNEE_HZ / LINEAR_HZ;
    if mel >= knee {
        KNEE_HZ * (log_step() * (mel - knee)).exp()
    } else {
        mel * LINEAR_HZ
    }
}

/// Filters (mels, [`BINS`]), row by row, each of unit area.
///
/// Rounded to 32 bits where Whisper's own were, so that they are the same to the last bit.
pub(super) fn filters(mels: usize) -> Vec<f32> {
    let top = to_mel(SAMPLE_RATE_HZ / 2.0);
    let step = top / (mels + 1) as f64;
    let edges: Vec<f64> = (0..=mels)
        .map(|index| to_hz(index as f64 * step))
        .chain([to_hz(top)])
        .collect();
    let bin_hz = SAMPLE_RATE_HZ / 400.0;
    edges
        .windows(3)
        .flat_map(|edge| {
            let (low, peak, high) = (edge[0], edge[1], edge[2]);
            let area = 2.0 / (high - low);
            (0..BINS).map(move |bin| {
                let hz = bin as f64 * bin_hz;
                let rising = (hz - low) / (peak - low);
                let falling = (high - hz) / (high - peak);
                // Where a filter begins on a bin, its zero has a sign: the original's has.
                let height = if hz == low {
                    -0.0
                } else {
                    rising.min(falling).max(0.0) as f32
                };
                (f64::from(height) * area) as f32
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    /// The sums are of `mel_80` and `mel_128` in openai-whisper 20250625's mel_filters.npz.
    #[test]
    fn the_filters_are_whispers_own_to_the_last_bit() {
        for (mels, expected) in [
            (
                80,
                "4f2701b1d287d74a0dc9871026e9519d98cb76426615f2539b0d151a0ae4ec2e",
            ),
            (
                128,
                "2a5f9822897750e047c85dea37cc268d3be0ecfd23c28a5f10da129d99d05afe",
            ),
        ] {
            let filters = filters(mels);
            assert_eq!(filters.len(), mels * BINS);
            let bytes: Vec<u8> = filters.iter().flat_map(|f| f.to_le_bytes()).collect();
            let sum: String = Sha256::digest(&bytes)
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            assert_eq!(sum, expected, "{mels} bands");
        }
    }
}
