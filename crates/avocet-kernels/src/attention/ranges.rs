//! Which keys each query attends to: one contiguous range a query.

use std::sync::Arc;

/// The key range `[lo, hi)` of every query of an attention; an empty range gives zero output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRanges {
    ranges: Arc<[(u32, u32)]>,
}

impl KeyRanges {
    /// One range a query; `lo >= hi` means no keys.
    pub fn new(ranges: Vec<(u32, u32)>) -> Self {
        Self {
            ranges: ranges.into(),
        }
    }

    /// Bidirectional attention within packed rows: sequence n holds rows
    /// `offsets[n]..offsets[n + 1]`, and each of them sees them all.
    pub fn within(offsets: &[usize]) -> Self {
        let spans = offsets.windows(2).map(|span| (span[0], span[1]));
        Self::new(
            spans
                .flat_map(|(from, to)| (from..to).map(move |_| (from as u32, to as u32)))
                .collect(),
        )
    }

    /// Causal attention within packed rows: each row sees its sequence up to and with itself.
    pub fn causal(offsets: &[usize]) -> Self {
        let spans = offsets.windows(2).map(|span| (span[0], span[1]));
        Self::new(
            spans
                .flat_map(|(from, to)| (from..to).map(move |i| (from as u32, i as u32 + 1)))
                .collect(),
        )
    }

    /// Causal attention of `n` new rows that follow `past` cached ones.
    pub fn causal_after(past: usize, n: usize) -> Self {
        Self::new((0..n).map(|i| (0, (past + i + 1) as u32)).collect())
    }

    /// Number of queries.
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Whether there are no queries.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The ranges, one a query.
    pub fn as_slice(&self) -> &[(u32, u32)] {
        &self.ranges
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_sequences_see_only_themselves() {
        let offsets = [0, 2, 2, 5];
        let within = KeyRanges::within(&offsets);
        assert_eq!(within.as_slice(), [(0, 2), (0, 2), (2, 5), (2, 5), (2, 5)]);
        let causal = KeyRanges::causal(&offsets);
        assert_eq!(causal.as_slice(), [(0, 1), (0, 2), (2, 3), (2, 4), (2, 5)]);
    }

    #[test]
    fn new_rows_see_the_cache_and_what_precedes_them() {
        assert_eq!(KeyRanges::causal_after(3, 2).as_slice(), [(0, 4), (0, 5)]);
    }
}
