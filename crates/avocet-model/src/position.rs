//! Where tokens stand, and which tokens they see.

use std::borrow::Cow;

use avocet_kernels::{KeyRanges, RopeAngles, RopeFrequencies, RopeLayout, Yarn, alibi_slopes};
use candle_core::Result;

use crate::input::TextBatch;
use crate::self_attention::Positions;
use avocet_config::{DecoderConfig, RopeScaling};

/// How a decoder marks positions.
#[derive(Debug, Clone)]
enum Scheme {
    Rotary {
        layout: RopeLayout,
        frequencies: RopeFrequencies,
        beyond: Beyond,
    },
    Slopes(Vec<f32>),
}

/// The frequencies of texts that are longer than the first ones trained on.
#[derive(Debug, Clone)]
enum Beyond {
    /// The same.
    Same,
    /// Other ones for texts longer than so many tokens.
    Other(usize, RopeFrequencies),
    /// Those of a base that grows with the text (dynamic NTK).
    Growing {
        original: usize,
        factor: f64,
        dims: usize,
        theta: f64,
    },
}

impl Beyond {
    /// The frequencies of a text of `length` tokens, if they are not the usual ones.
    fn of(&self, length: usize) -> Result<Option<Cow<'_, RopeFrequencies>>> {
        match self {
            Self::Other(original, frequencies) if length > *original => {
                Ok(Some(Cow::Borrowed(frequencies)))
            }
            Self::Growing {
                original,
                factor,
                dims,
                theta,
            } if length > *original => {
                let stretch = factor * length as f64 / *original as f64 - (factor - 1.0);
                let power = *dims as f64 / (*dims as f64 - 2.0);
                let theta = theta * stretch.powf(power);
                RopeFrequencies::plain(*dims, theta).map(|grown| Some(Cow::Owned(grown)))
            }
            _ => Ok(None),
        }
    }
}

/// Gives the tokens of a text their positions and the range of tokens that each sees.
#[derive(Debug, Clone)]
pub(crate) struct PositionEncoding {
    scheme: Scheme,
    window: Option<usize>,
}

/// New tokens of a text that follow `past` ones, where `known` tokens of it are known.
pub(crate) struct Stretch {
    pub past: usize,
    pub new: usize,
    pub known: usize,
}

/// Positions and ranges of the tokens of one pass.
pub(crate) struct PositionInfo<'a> {
    pub ranges: KeyRanges,
    marks: Marks<'a>,
}

enum Marks<'a> {
    Angles(RopeAngles),
    Slopes(&'a [f32]),
}

impl PositionInfo<'_> {
    pub fn positions(&self) -> Positions<'_> {
        match &self.marks {
            Marks::Angles(angles) => Positions::Rotary(angles),
            Marks::Slopes(slopes) => Positions::Slopes(slopes),
        }
    }
}

impl PositionEncoding {
    pub fn new(config: &DecoderConfig) -> Result<Self> {
        let scheme = match config.alibi_max_bias {
            Some(max_bias) => Scheme::Slopes(alibi_slopes(config.num_heads, max_bias)),
            None => rotary(config)?,
        };
        Ok(Self {
            scheme,
            window: config.attention.window,
        })
    }

    /// Of packed texts.
    pub fn of_texts(&self, text: &TextBatch) -> Result<PositionInfo<'_>> {
        let longest = text.offsets.windows(2).map(|span| span[1] - span[0]).max();
        let ranges = match self.window {
            None => KeyRanges::causal(&text.offsets),
            Some(window) => {
                let spans = text.offsets.windows(2);
                let rows = spans.flat_map(|span| {
                    (span[0]..span[1]).map(move |row| windowed(span[0], row, window))
                });
                KeyRanges::new(rows.collect())
            }
        };
        Ok(PositionInfo {
            ranges,
            marks: self.marks(&text.positions(), longest.unwrap_or(0))?,
        })
    }

    /// Of the new tokens of several texts, one text after another. Ranges count a text's own
    /// tokens.
    pub fn of_stretches(
        &self,
        stretches: impl Iterator<Item = Stretch>,
    ) -> Result<PositionInfo<'_>> {
        let (mut ranges, mut angles) = (Vec::new(), Vec::new());
        for Stretch { past, new, known } in stretches {
            let window = self.window.unwrap_or(usize::MAX);
            ranges.extend((past..past + new).map(|row| windowed(0, row, window)));
            let positions: Vec<u32> = (past as u32..(past + new) as u32).collect();
            match self.marks(&positions, known.max(past + new))? {
                Marks::Angles(own) => angles.push(own),
                Marks::Slopes(_) => {}
            }
        }
        let marks = match &self.scheme {
            Scheme::Slopes(slopes) => Marks::Slopes(slopes),
            Scheme::Rotary { .. } if angles.is_empty() => self.marks(&[], 0)?,
            Scheme::Rotary { .. } => Marks::Angles(RopeAngles::concat(&angles)?),
        };
        Ok(PositionInfo {
            ranges: KeyRanges::new(ranges),
            marks,
        })
    }

    fn marks(&self, positions: &[u32], length: usize) -> Result<Marks<'_>> {
        match &self.scheme {
            Scheme::Slopes(slopes) => Ok(Marks::Slopes(slopes)),
            Scheme::Rotary {
                layout,
                frequencies,
                beyond,
            } => {
                let beyond = beyond.of(length)?;
                let frequencies = beyond.as_deref().unwrap_or(frequencies);
                let angles = RopeAngles::from_frequencies(positions, frequencies, *layout);
                Ok(Marks::Angles(angles))
            }
        }
    }
}

/// The tokens that the one at `row` sees of a text that begins at `start`.
fn windowed(start: usize, row: usize, window: usize) -> (u32, u32) {
    let from = (row + 1).saturating_sub(window).max(start);
    (from as u32, row as u32 + 1)
}

fn rotary(config: &DecoderConfig) -> Result<Scheme> {
    let layout = if config.rope.interleaved {
        RopeLayout::Interleaved
    } else {
        RopeLayout::Halves
    };
    let plain = RopeFrequencies::plain(config.rope_dims(), config.rope_theta)?;
    let mut beyond = Beyond::Same;
    let frequencies = match &config.rope.scaling {
        None => plain,
        Some(RopeScaling::Linear { factor }) => plain.linear(*factor),
        Some(RopeScaling::Dynamic {
            factor,
            original_max_position,
        }) => {
            beyond = Beyond::Growing {
                original: *original_max_position,
                factor: *factor,
                dims: config.rope_dims(),
                theta: config.rope_theta,
            };
            plain
        }
        Some(RopeScaling::Yarn {
            factor,
            beta_fast,
            beta_slow,
            truncate,
            magnitude,
            original_max_position,
        }) => plain.yarn(
            Yarn {
                factor: *factor,
                fast: *beta_fast,
                slow: *beta_slow,
                truncate: *truncate,
                magnitude: *magnitude,
                original: *original_max_position as f64,
            },
            config.rope_theta,
        ),
        Some(RopeScaling::Llama3 {
            factor,
            low_freq_factor,
            high_freq_factor,
            original_max_position,
        }) => plain.llama3(
            *factor,
            *low_freq_factor,
            *high_freq_factor,
            *original_max_position as f64,
        ),
        Some(RopeScaling::Long {
            short_factors,
            long_factors,
            short_magnitude,
            long_magnitude,
            original_max_position,
        }) => {
            let long = plain.clone().scaled_by(long_factors, *long_magnitude)?;
            beyond = Beyond::Other(*original_max_position, long);
            plain.scaled_by(short_factors, *short_magnitude)?
        }
    };
    Ok(Scheme::Rotary {
        layout,
        frequencies,
        beyond,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with `_compute_dynamic_ntk_parameters` of version 5 of the transformers library.
    #[test]
    fn a_base_that_grows_is_that_of_the_reference_implementation() -> Result<()> {
        let beyond = Beyond::Growing {
            original: 2048,
            factor: 2.0,
            dims: 16,
            theta: 10_000.0,
        };
        assert!(beyond.of(2048)?.is_none(), "as trained");
        let grown = beyond.of(3000)?.expect("longer than trained");
        let inverse: Vec<f32> = grown.inverse.iter().map(|&f| f as f32).collect();
        let expected = [
            1.0,
            0.287_883_07,
            0.082_876_67,
            0.023_858_791,
            0.006_868_542_6,
            0.001_977_337,
            0.000_569_241_9,
            0.000_163_875_13,
        ];
        assert_eq!(inverse, expected);
        Ok(())
    }
}
