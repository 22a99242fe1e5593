//! Attention with linear biases: scores fall with the distance of the key (ALiBi,
//! arXiv:2108.12409).

use avocet_products::simd::vectorised;

use std::ops::Range;

use super::Attention;
use super::blocks::Block;

/// The slopes of `num_heads` heads: powers of two from `2^(-max_bias / n)` to `2^-max_bias`, n
/// being the heads rounded up to a power of two.
///
/// Where n is more than the heads there are, every second power comes first, as in MPT.
pub fn alibi_slopes(num_heads: usize, max_bias: f64) -> Vec<f32> {
    let powers = num_heads.next_power_of_two();
    let step = (max_bias / powers as f64) as f32;
    let exponent = |head: usize| match head {
        _ if powers == num_heads => head + 1,
        _ if head < powers / 2 => 2 * head + 2,
        _ => 2 * (head - powers / 2) + 1,
    };
    (0..num_heads)
        .map(|head| 1.0 / (exponent(head) as f32 * step).exp2())
        .collect()
}

impl Attention {
    /// Adds the biases, if there are any, to a block's scores of a tile: (queries * group, keys).
    pub(super) fn add_alibi(
        &self,
        block: &Block,
        kv_head: usize,
        tile: &Range<usize>,
        scores: &mut [f32],
    ) {
        let Some(slopes) = &self.slopes else {
            return;
        };
        let group = self.shape.group();
        let slopes = &slopes[kv_head * group..(kv_head + 1) * group];
        let ranges = &self.ranges.as_slice()[block.queries.clone()];
        let queries = scores.chunks_exact_mut((group * tile.len()).max(1));
        for (scores, &(_, end)) in queries.zip(ranges) {
            // Exact below 2^24 keys, beyond any model's context.
            let first = (tile.start as i64 + 1 - i64::from(end)) as f32;
            for (row, slope) in scores.chunks_exact_mut(tile.len()).zip(slopes) {
                add_distances(row, first, *slope);
            }
        }
    }
}

vectorised! {
    /// Adds `slope * (first + i)` to element i.
    fn add_distances(row: &mut [f32], first: f32, slope: f32) {
        for (i, score) in row.iter_mut().enumerate() {
            *score += slope * (first + i as i32 as f32);
        }
    }
}
