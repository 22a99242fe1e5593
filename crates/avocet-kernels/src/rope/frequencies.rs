//! How fast each pair of a head turns, and how long contexts slow the turning down.
//!
//! Every step rounds to f32 where the reference implementation (transformers'
//! `modeling_rope_utils`) does, so that its angles come out again far into a text.

use candle_core::{Result, bail};

/// The frequencies of a rotary embedding.
#[derive(Debug, Clone, PartialEq)]
pub struct RopeFrequencies {
    /// Radians that a pair turns with each position, one a pair.
    pub inverse: Vec<f64>,
    /// Multiplies cosines and sines: the attention factor of long rope, 1 otherwise.
    pub magnitude: f64,
}

/// How YaRN stretches frequencies; see [`RopeFrequencies::yarn`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Yarn {
    /// What slow pairs are divided by, 1 or more.
    pub factor: f64,
    /// Turns within `original` above which a pair is kept.
    pub fast: f64,
    /// Turns within `original` below which it is divided.
    pub slow: f64,
    /// Whether the bounds of blending are whole pairs.
    pub truncate: bool,
    /// What cosines and sines are multiplied by.
    pub magnitude: f64,
    /// The longest text of the pretraining, in positions.
    pub original: f64,
}

impl RopeFrequencies {
    /// `theta^(-2i/K)` for pair i of the `head_dim` components K that turn (RoFormer,
    /// arXiv:2104.09864).
    ///
    /// Errors if `head_dim` is odd or zero.
    pub fn plain(head_dim: usize, theta: f64) -> Result<Self> {
        if head_dim == 0 || !head_dim.is_multiple_of(2) {
            bail!("rope: head_dim {head_dim} is not a positive multiple of 2");
        }
        let inverse = |component: usize| {
            let exponent = component as f32 / head_dim as f32;
            let power = f64::from(theta as f32).powf(f64::from(exponent)) as f32;
            // Not rounded again, so that `scaled_by` finds the very power back.
            1.0 / f64::from(power)
        };
        Ok(Self {
            inverse: (0..head_dim).step_by(2).map(inverse).collect(),
            magnitude: 1.0,
        })
    }

    /// Slows every pair down by `factor` (position interpolation, arXiv:2306.15595).
    pub fn linear(self, factor: f64) -> Self {
        self.map(|inverse| inverse / factor as f32)
    }

    /// Slows the pairs of long wavelengths down by `factor`, keeps those of short ones, and
    /// blends in between (Llama 3.1, arXiv:2407.21783).
    ///
    /// A wavelength is long above `original / low` positions and short below `original / high`,
    /// `original` being the longest text of the pretraining.
    pub fn llama3(self, factor: f64, low: f64, high: f64, original: f64) -> Self {
        let (longest, shortest) = ((original / low) as f32, (original / high) as f32);
        let factor = factor as f32;
        self.map(|inverse| {
            let wavelength = std::f32::consts::TAU / inverse;
            if wavelength > longest {
                return inverse / factor;
            }
            if wavelength < shortest {
                return inverse;
            }
            let kept = (original as f32 / wavelength - low as f32) / (high - low) as f32;
            (1.0 - kept) * inverse / factor + kept * inverse
        })
    }

    /// Slows the pairs that turn fewer than `slow` times within `original` positions down by
    /// `factor`, keeps those that turn more than `fast` times, blends in between by their index,
    /// and sets the magnitude (YaRN, arXiv:2309.00071, section 3.2). `theta` is the base that the
    /// frequencies were made with; `truncate` rounds the bounds of blending to whole pairs.
    pub fn yarn(self, yarn: Yarn, theta: f64) -> Self {
        let pairs = self.inverse.len();
        let width = 2.0 * pairs as f64;
        // The index of the pair that turns so many times, as a fraction.
        let index_of = |turns: f64| {
            let positions = yarn.original / (turns * std::f64::consts::TAU);
            width * positions.ln() / (2.0 * theta.ln())
        };
        let (mut low, mut high) = (index_of(yarn.fast), index_of(yarn.slow));
        if yarn.truncate {
            (low, high) = (low.floor(), high.ceil());
        }
        (low, high) = (low.max(0.0), high.min(width - 1.0));
        if low == high {
            high += 0.001;
        }
        let (low, span) = (low as f32, (high - low) as f32);
        let factor = yarn.factor as f32;
        let blend = |(index, &inverse): (usize, &f64)| {
            let power = (1.0 / inverse) as f32;
            let kept = 1.0 - ((index as f32 - low) / span).clamp(0.0, 1.0);
            f64::from(1.0 / (factor * power) * (1.0 - kept) + 1.0 / power * kept)
        };
        Self {
            inverse: self.inverse.iter().enumerate().map(blend).collect(),
            magnitude: yarn.magnitude,
        }
    }

    /// Slows each pair down by a factor of its own and sets the magnitude (LongRoPE,
    /// arXiv:2402.13753).
    ///
    /// Errors if there is not one factor a pair.
    pub fn scaled_by(self, factors: &[f64], magnitude: f64) -> Result<Self> {
        if factors.len() != self.inverse.len() {
            bail!(
                "rope: {} factors but {} pairs",
                factors.len(),
                self.inverse.len()
            );
        }
        let scaled = |(inverse, factor): (&f64, &f64)| {
            let power = (1.0 / inverse) as f32;
            1.0 / f64::from(*factor as f32 * power)
        };
        Ok(Self {
            inverse: self.inverse.iter().zip(factors).map(scaled).collect(),
            magnitude,
        })
    }

    fn map(self, change: impl Fn(f32) -> f32) -> Self {
        let changed = |&inverse: &f64| f64::from(change(inverse as f32));
        Self {
            inverse: self.inverse.iter().map(changed).collect(),
            magnitude: self.magnitude,
        }
    }
}
