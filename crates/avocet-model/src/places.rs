//! Where tokens stand, and which tokens they see.

use avocet_kernels::{KeyRanges, RopeAngles, RopeFrequencies, RopeLayout, alibi_slopes};
use candle_core::Result;

use crate::config::{DecoderConfig, RopeScaling};
use crate::input::TextBatch;
use crate::self_attention::Positions;

/// How a decoder marks positions.
#[derive(Debug, Clone)]
enum Scheme {
    Rotary {
        layout: RopeLayout,
        frequencies: RopeFrequencies,
        /// Other ones for texts longer than so many tokens.
        beyond: Option<(usize, RopeFrequencies)>,
    },
    Slopes(Vec<f32>),
}

/// Gives the tokens of a text their positions and the range of tokens that each sees.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    scheme: Scheme,
    window: Option<usize>,
}

/// Positions and ranges of the tokens of one pass.
pub(crate) struct Whereabouts<'a> {
    pub ranges: KeyRanges,
    marks: Marks<'a>,
}

enum Marks<'a> {
    Angles(RopeAngles),
    Slopes(&'a [f32]),
}

impl Whereabouts<'_> {
    pub fn positions(&self) -> Positions<'_> {
        match &self.marks {
            Marks::Angles(angles) => Positions::Rotary(angles),
            Marks::Slopes(slopes) => Positions::Slopes(slopes),
        }
    }
}

impl Places {
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
    pub fn of_texts(&self, text: &TextBatch) -> Result<Whereabouts<'_>> {
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
        Ok(Whereabouts {
            ranges,
            marks: self.marks(&text.positions(), longest.unwrap_or(0))?,
        })
    }

    /// Of `n` tokens that follow `past` ones.
    pub fn following(&self, past: usize, n: usize) -> Result<Whereabouts<'_>> {
        let ranges = match self.window {
            None => KeyRanges::causal_after(past, n),
            Some(window) => KeyRanges::new(
                (past..past + n)
                    .map(|row| windowed(0, row, window))
                    .collect(),
            ),
        };
        let positions: Vec<u32> = (past as u32..(past + n) as u32).collect();
        Ok(Whereabouts {
            ranges,
            marks: self.marks(&positions, past + n)?,
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
                let long = beyond.as_ref().filter(|(original, _)| length > *original);
                let frequencies = long.map_or(frequencies, |(_, frequencies)| frequencies);
                let angles = RopeAngles::with(positions, frequencies, *layout);
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
    let mut beyond = None;
    let frequencies = match &config.rope.scaling {
        None => plain,
        Some(RopeScaling::Linear { factor }) => plain.linear(*factor),
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
            beyond = Some((*original_max_position, long));
            plain.scaled_by(short_factors, *short_magnitude)?
        }
    };
    Ok(Scheme::Rotary {
        layout,
        frequencies,
        beyond,
    })
}
