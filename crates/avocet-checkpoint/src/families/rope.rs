//! Rotary positions: their base, and how contexts longer than the first are reached.

use super::fields::Fields;
use crate::error::Result;
use avocet_config::RopeScaling;

/// A number that newer files keep among the parameters of the scaling.
fn newer(fields: &Fields, name: &str) -> Result<Option<f64>> {
    let rope = fields.inner("rope_parameters")?;
    let number = rope.map(|rope| rope.number_if_there(name)).transpose()?;
    Ok(number.flatten())
}

/// The base of the frequencies.
pub(super) fn theta(fields: &Fields, default: f64) -> Result<f64> {
    let inner = newer(fields, "rope_theta")?;
    fields.number_or("rope_theta", inner.unwrap_or(default))
}

/// Components of a head that turn, by their share of it; `name` is that of older files.
pub(super) fn turning(fields: &Fields, head_dim: usize, name: &str, share: f64) -> Result<usize> {
    let inner = newer(fields, "partial_rotary_factor")?;
    let share = fields.number_or(name, inner.unwrap_or(share))?;
    Ok((head_dim as f64 * share) as usize)
}

/// How the frequencies are stretched, in the words of either generation of files.
pub(super) fn scaling(fields: &Fields, head_dim: usize) -> Result<Option<RopeScaling>> {
    let old = fields.inner("rope_scaling")?;
    let Some(rope) = old.map_or_else(|| fields.inner("rope_parameters"), |rope| Ok(Some(rope)))?
    else {
        return Ok(None);
    };
    let kind = rope
        .text_if_there("rope_type")?
        .map_or_else(|| rope.text_or("type", "default"), Ok)?;
    let original = || -> Result<usize> {
        let inner = rope.size_if_there("original_max_position_embeddings")?;
        let outer = fields.size_if_there("original_max_position_embeddings")?;
        inner
            .or(outer)
            .map_or_else(|| fields.size("max_position_embeddings"), Ok)
    };
    let factor = || -> Result<f64> {
        rope.number_if_there("factor")?
            .ok_or_else(|| rope.refuse("factor", "is missing"))
    };
    match kind.as_str() {
        "default" => Ok(None),
        "linear" => Ok(Some(RopeScaling::Linear { factor: factor()? })),
        "llama3" => Ok(Some(RopeScaling::Llama3 {
            factor: factor()?,
            low_freq_factor: rope.number_or("low_freq_factor", 1.0)?,
            high_freq_factor: rope.number_or("high_freq_factor", 4.0)?,
            original_max_position: original()?,
        })),
        "dynamic" => Ok(Some(RopeScaling::Dynamic {
            factor: factor()?,
            original_max_position: fields.size("max_position_embeddings")?,
        })),
        "yarn" => {
            let original_max_position = original()?;
            // Files that leave the factor out mean the ratio of the two lengths.
            let factor = match rope.number_if_there("factor")? {
                Some(factor) => factor,
                None => {
                    let longest = fields.size("max_position_embeddings")?;
                    longest as f64 / original_max_position.max(1) as f64
                }
            };
            let scales = (
                rope.number_if_there("mscale")?
                    .filter(|scale| *scale != 0.0),
                rope.number_if_there("mscale_all_dim")?
                    .filter(|scale| *scale != 0.0),
            );
            let magnitude = match scales {
                (Some(scale), Some(all)) => {
                    attention_factor(factor, scale) / attention_factor(factor, all)
                }
                _ => attention_factor(factor, 1.0),
            };
            Ok(Some(RopeScaling::Yarn {
                factor,
                beta_fast: rope.number_or("beta_fast", BETA_FAST)?,
                beta_slow: rope.number_or("beta_slow", BETA_SLOW)?,
                truncate: rope.flag_or("truncate", true)?,
                magnitude: rope.number_or("attention_factor", magnitude)?,
                original_max_position,
            }))
        }
        "longrope" => {
            let original_max_position = original()?;
            let longest = fields.size_or("max_position_embeddings", original_max_position)?;
            let stretch = longest as f64 / original_max_position.max(1) as f64;
            // The attention factor of LongRoPE, where the file does not give one.
            let magnitude = match stretch > 1.0 {
                true => (1.0 + stretch.ln() / (original_max_position as f64).ln()).sqrt(),
                false => 1.0,
            };
            let magnitude = rope.number_or("attention_factor", magnitude)?;
            let short_factors = rope.numbers("short_factor")?;
            let long_factors = rope.numbers("long_factor")?;
            if short_factors.len() != head_dim / 2 || long_factors.len() != head_dim / 2 {
                let reason = format!(
                    "{} and {} factors for {} pairs",
                    short_factors.len(),
                    long_factors.len(),
                    head_dim / 2
                );
                return Err(rope.refuse("short_factor, long_factor", reason));
            }
            Ok(Some(RopeScaling::Long {
                short_factors,
                long_factors,
                short_magnitude: rope.number_or("short_mscale", magnitude)?,
                long_magnitude: rope.number_or("long_mscale", magnitude)?,
                original_max_position,
            }))
        }
        other => Err(rope.refuse(
            "rope_type",
            format!(
                "is {other:?}; default, linear, dynamic, yarn, llama3 and longrope are computed"
            ),
        )),
    }
}

/// Turns within the first length above which YaRN keeps a pair's frequency, unless a file says.
pub(super) const BETA_FAST: f64 = 32.0;
/// Turns below which it divides it.
pub(super) const BETA_SLOW: f64 = 1.0;

/// What YaRN multiplies cosines and sines by (arXiv:2309.00071, section 3.4).
pub(super) fn attention_factor(factor: f64, scale: f64) -> f64 {
    if factor <= 1.0 {
        1.0
    } else {
        0.1 * scale * factor.ln() + 1.0
    }
}

/// The longest text that a decoder reads whose files say `max_position`: by the ways of stretching
/// that leave that field at the first length, as much longer as they stretch.
pub(super) fn context(max_position: usize, scaling: Option<&RopeScaling>) -> usize {
    match scaling {
        Some(
            RopeScaling::Dynamic {
                factor,
                original_max_position,
            }
            | RopeScaling::Yarn {
                factor,
                original_max_position,
                ..
            },
        ) => max_position.max((*original_max_position as f64 * factor) as usize),
        _ => max_position,
    }
}
