//! Patterns over parameter names, such as `vision.*` or `decoder.layers.*.gate`.

/// Whether `name` matches `pattern`, in which `*` stands for any run of characters.
pub fn matches(pattern: &str, name: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let pieces: Vec<&str> = pieces.collect();
    let Some((last, middle)) = pieces.split_last() else {
        return rest.is_empty();
    };
    for piece in middle {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Whether `name` matches any of `patterns`.
pub(crate) fn matches_any(patterns: &[String], name: &str) -> bool {
    patterns.iter().any(|pattern| matches(pattern, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_run_of_characters() {
        assert!(matches("*", "decoder.embed.weight"));
        assert!(matches("vision.*", "vision.stem.0.weight"));
        assert!(!matches("vision.*", "decoder.vision.weight"));
        assert!(matches("*gate*", "cross.0.attention_gate"));
        assert!(matches("a.*.b.*.c", "a.1.b.2.c"));
        assert!(!matches("a.*.b.*.c", "a.1.c"));
        assert!(matches("exact", "exact"));
        assert!(!matches("exact", "exactly"));
        assert!(!matches("ab*b", "ab"));
    }
}
