//! The orders in which packed blocks hold their numbers, in which the rows of x are put as well.

/// Numbers of a vector of bytes.
pub(crate) const VECTOR: usize = 64;

/// 16 numbers that are one vector, and do not straddle lines of the cache.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Aligned([f32; 16]);

/// Ways in which the numbers of a step lie in its vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Four blocks of 32: their first halves, then their second.
    Halves,
    /// Groups of 32: 0 and 2, 1 and 3, and so on.
    Alternate,
    /// One after another.
    Plain,
}

impl Order {
    /// Which of 128 numbers byte `b` of vector `v`, of two, is.
    fn number(self, v: usize, b: usize) -> usize {
        match self {
            Self::Halves => b / 16 * 32 + v * 16 + b % 16,
            Self::Alternate => b / 32 * 64 + v * 32 + b % 32,
            Self::Plain => v * VECTOR + b,
        }
    }

    /// `x` in this order: for each vector the numbers of its lanes' first bytes, then of their
    /// second, and so on. What follows the last 128 numbers of a row of `depth` is left out.
    pub(crate) fn arrange(self, x: &[f32], depth: usize) -> Vec<Aligned> {
        let mut out = Vec::with_capacity(x.len() / 16);
        for row in x.chunks_exact(depth) {
            for numbers in row.chunks_exact(2 * VECTOR) {
                for (v, byte) in (0..8).map(|i| (i / 4, i % 4)) {
                    out.push(Aligned(std::array::from_fn(|lane| {
                        numbers[self.number(v, 4 * lane + byte)]
                    })));
                }
            }
        }
        out
    }
}
