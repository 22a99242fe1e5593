//! Checks of single fields; each names the field it refuses.

use crate::error::ConfigError;

/// Larger sizes than this are a mistake in the file, and would overflow products of sizes.
pub(crate) const LARGEST_SIZE: usize = 1 << 24;

/// Most layers of a tower. Each is made one by one, also when only counting, so a file that claims
/// millions would keep a command busy for minutes.
const MOST_LAYERS: usize = 4096;

pub(crate) fn refuse(field: &'static str, reason: String) -> Result<(), ConfigError> {
    Err(ConfigError::Field { field, reason })
}

pub(crate) fn layers(field: &'static str, value: usize) -> Result<(), ConfigError> {
    if (1..=MOST_LAYERS).contains(&value) {
        Ok(())
    } else {
        refuse(field, format!("is {value}, must be 1 to {MOST_LAYERS}"))
    }
}

pub(crate) fn size(field: &'static str, value: usize) -> Result<(), ConfigError> {
    if (1..=LARGEST_SIZE).contains(&value) {
        Ok(())
    } else {
        refuse(field, format!("is {value}, must be 1 to {LARGEST_SIZE}"))
    }
}

/// As [`size`], of the product of `values`, which could overflow with others otherwise.
pub(crate) fn product(
    field: &'static str,
    values: &[usize],
    limit: usize,
) -> Result<(), ConfigError> {
    let product = values.iter().try_fold(1usize, |n, &v| n.checked_mul(v));
    match product.filter(|product| *product <= limit) {
        Some(_) => Ok(()),
        None => {
            let factors: Vec<String> = values.iter().map(usize::to_string).collect();
            let reason = format!("is {}, at most {limit} is computed", factors.join(" * "));
            refuse(field, reason)
        }
    }
}

pub(crate) fn multiple(field: &'static str, value: usize, of: usize) -> Result<(), ConfigError> {
    size(field, value)?;
    if value.is_multiple_of(of) {
        Ok(())
    } else {
        refuse(field, format!("is {value}, must be a multiple of {of}"))
    }
}

pub(crate) fn divides(
    field: &'static str,
    value: usize,
    whole_name: &str,
    whole: usize,
) -> Result<(), ConfigError> {
    size(field, value)?;
    if whole.is_multiple_of(value) {
        Ok(())
    } else {
        refuse(
            field,
            format!("is {value}, does not divide {whole_name}, which is {whole}"),
        )
    }
}

pub(crate) fn positive(field: &'static str, value: f64) -> Result<(), ConfigError> {
    if value.is_finite() && value > 0.0 {
        Ok(())
    } else {
        refuse(field, format!("is {value}, must be above 0"))
    }
}

pub(crate) fn below(
    field: &'static str,
    values: &[usize],
    limit: usize,
) -> Result<(), ConfigError> {
    if !values.is_sorted_by(|a, b| a < b) {
        return refuse(field, "does not rise".into());
    }
    match values.last() {
        Some(&last) if last >= limit => {
            refuse(field, format!("names {last}, must be below {limit}"))
        }
        _ => Ok(()),
    }
}

/// `value`, as serde skips fields that hold their default.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
