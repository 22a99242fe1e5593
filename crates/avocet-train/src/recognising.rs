//! A recogniser lent to the loader: each picture is looked at once, and what was seen is kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use avocet_data::Recognise;
use avocet_infer::Onlooker;
use avocet_media::{Limits, Recognition, decode};
use sha2::{Digest, Sha256};

/// Most bytes of recognitions that are kept.
const MOST_BYTES: usize = 512 << 20;

/// Features as they are kept, in bf16, and the logarithms of probabilities.
struct Kept {
    features: Vec<u16>,
    log_probs: Vec<f32>,
}

#[derive(Default)]
struct Cache {
    seen: HashMap<[u8; 32], Kept>,
    bytes: usize,
}

/// What `onlooker` makes of pictures, in a form that the loader takes. A picture gives the same
/// whether it is seen for the first time or remembered.
pub(crate) fn lend(onlooker: Arc<Onlooker>) -> Recognise {
    let cache = Mutex::new(Cache::default());
    Arc::new(move |bytes: &[u8]| {
        let key: [u8; 32] = Sha256::digest(bytes).into();
        let lock = || cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = lock().seen.get(&key) {
            return Ok(Arc::new(kept.shown()));
        }
        let picture = decode(bytes, &Limits::default()).map_err(|error| error.to_string())?;
        let seen = onlooker
            .recognise(&picture)
            .map_err(|error| error.to_string())?;
        let kept = Kept::of(&seen);
        let shown = Arc::new(kept.shown());
        let mut cache = lock();
        let bytes = kept.features.len() * 2 + kept.log_probs.len() * 4;
        if cache.bytes + bytes <= MOST_BYTES {
            cache.bytes += bytes;
            cache.seen.insert(key, kept);
        }
        Ok(shown)
    })
}

impl Kept {
    fn of(seen: &Recognition) -> Self {
        Self {
            features: seen.features.iter().map(|value| rounded(*value)).collect(),
            log_probs: seen.log_probs.clone(),
        }
    }

    fn shown(&self) -> Recognition {
        let whole = |bits: &u16| f32::from_bits(u32::from(*bits) << 16);
        Recognition {
            features: self.features.iter().map(whole).collect(),
            log_probs: self.log_probs.clone(),
        }
    }
}

/// The upper half of a number, to the nearest: bf16. Features are finite and far from the largest.
fn rounded(value: f32) -> u16 {
    (value.to_bits().saturating_add(0x8000) >> 16) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_kept_to_three_figures_and_rounding_again_changes_nothing() {
        let features: Vec<f32> = (0..1000).map(|n| n as f32 * 0.006).collect();
        let seen = Recognition {
            features: features.clone(),
            log_probs: vec![-1.25, -0.3],
        };
        let shown = Kept::of(&seen).shown();
        for (kept, value) in shown.features.iter().zip(&features) {
            assert!((kept - value).abs() <= value * 0.004, "{kept} {value}");
        }
        assert_eq!(Kept::of(&shown).shown(), shown);
    }
}
