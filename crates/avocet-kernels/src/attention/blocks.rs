//! How queries are cut into blocks, and blocks into the pieces of the backward.

use std::ops::Range;

use super::ranges::KeyRanges;

/// Rows (queries times the heads that share a key head) of a block, at most.
const BLOCK_ROWS: usize = 192;
/// Queries after which a piece of the backward may end, at least.
const PIECE_QUERIES: usize = 256;
/// A piece also has at least this fraction of its keys in queries, so that the partial key
/// gradients of long contexts stay few.
const PIECE_KEYS_PER_QUERY: usize = 8;

/// Consecutive queries with non-empty, overlapping key ranges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) queries: Range<usize>,
    /// The union of the queries' ranges.
    pub(super) keys: Range<usize>,
}

/// Cuts the queries into blocks of nearly equal size within each run of overlapping ranges.
///
/// `group` is the number of heads that are stacked in a block. Queries that see nothing are in no
/// block.
pub(super) fn blocks(ranges: &KeyRanges, group: usize) -> Vec<Block> {
    let most = (BLOCK_ROWS / group.max(1)).max(1);
    let ranges = ranges.as_slice();
    let mut blocks = Vec::new();
    let mut from = 0;
    while from < ranges.len() {
        let (mut lo, mut hi) = ranges[from];
        if lo >= hi {
            from += 1;
            continue;
        }
        let mut to = from + 1;
        while to < ranges.len() {
            let (next_lo, next_hi) = ranges[to];
            if next_lo >= next_hi || next_lo >= hi || next_hi <= lo {
                break;
            }
            (lo, hi) = (lo.min(next_lo), hi.max(next_hi));
            to += 1;
        }
        let count = (to - from).div_ceil(most);
        for i in 0..count {
            let start = from + (to - from) * i / count;
            let end = from + (to - from) * (i + 1) / count;
            blocks.push(Block {
                queries: start..end,
                keys: union(&ranges[start..end]),
            });
        }
        from = to;
    }
    blocks
}

fn union(ranges: &[(u32, u32)]) -> Range<usize> {
    let lo = ranges.iter().map(|r| r.0).min().unwrap_or(0);
    let hi = ranges.iter().map(|r| r.1).max().unwrap_or(0);
    lo as usize..hi as usize
}

/// Consecutive blocks whose key gradients are added up in one buffer.
#[derive(Debug)]
pub(super) struct Piece<'a> {
    pub(super) blocks: &'a [Block],
    /// The union of the blocks' keys.
    pub(super) keys: Range<usize>,
}

/// Cuts the blocks into pieces: a piece ends where the keys no longer overlap, or when it has
/// queries enough to pay for its own buffer.
pub(super) fn pieces(blocks: &[Block]) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut from = 0;
    while from < blocks.len() {
        let mut keys = blocks[from].keys.clone();
        let mut queries = blocks[from].queries.len();
        let mut to = from + 1;
        while to < blocks.len() {
            let next = &blocks[to].keys;
            let overlaps = next.start < keys.end && keys.start < next.end;
            if !overlaps || queries >= PIECE_QUERIES.max(keys.len() / PIECE_KEYS_PER_QUERY) {
                break;
            }
            keys = keys.start.min(next.start)..keys.end.max(next.end);
            queries += blocks[to].queries.len();
            to += 1;
        }
        pieces.push(Piece {
            blocks: &blocks[from..to],
            keys,
        });
        from = to;
    }
    pieces
}

/// Whether no key is in two pieces and they come in the order of their keys.
pub(super) fn are_disjoint(pieces: &[Piece<'_>]) -> bool {
    pieces
        .windows(2)
        .all(|pair| pair[0].keys.end <= pair[1].keys.start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_query_that_sees_something_is_in_one_block() {
        let mut ranges: Vec<(u32, u32)> = KeyRanges::causal(&[0, 300, 310]).as_slice().to_vec();
        ranges.insert(100, (7, 7));
        let blocks = blocks(&KeyRanges::new(ranges.clone()), 4);
        let mut seen = vec![0; ranges.len()];
        for block in &blocks {
            assert!(block.queries.len() * 4 <= BLOCK_ROWS);
            for query in block.queries.clone() {
                seen[query] += 1;
                let (lo, hi) = ranges[query];
                assert!(block.keys.start <= lo as usize && hi as usize <= block.keys.end);
            }
        }
        for (query, count) in seen.iter().enumerate() {
            assert_eq!(*count, usize::from(query != 100), "query {query}");
        }
        let in_pieces: usize = pieces(&blocks).iter().map(|piece| piece.blocks.len()).sum();
        assert_eq!(in_pieces, blocks.len());
    }

    #[test]
    fn packed_images_become_separate_pieces() {
        let blocks = blocks(&KeyRanges::within(&[0, 250, 314]), 1);
        assert_eq!(blocks.len(), 3);
        let pieces = pieces(&blocks);
        assert!(are_disjoint(&pieces));
        let keys: Vec<_> = pieces.into_iter().map(|piece| piece.keys).collect();
        assert_eq!(keys, [0..250, 250..314]);
    }
}
