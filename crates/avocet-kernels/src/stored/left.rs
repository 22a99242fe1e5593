//! The rows that stored rows are multiplied with, in the orders that the formats need.

#[cfg(target_arch = "x86_64")]
use super::format::GROUP;
use super::format::StoredFormat;

/// Numbers of a vector of bytes.
#[cfg(target_arch = "x86_64")]
pub(super) const VECTOR: usize = 64;
/// Rows of the left operand, and plain rows of the right one, that are read side by side.
#[cfg(target_arch = "x86_64")]
pub(super) const SIDE: usize = 4;

/// The rows that stored rows are multiplied with.
pub(super) struct Left<'a> {
    pub(super) numbers: &'a [f32],
    pub(super) rows: usize,
    pub(super) depth: usize,
    /// The sum of each whole group of 32 numbers, for formats with minima.
    #[cfg(target_arch = "x86_64")]
    pub(super) group_sums: Vec<f32>,
    /// The rows in the orders of the formats that they are multiplied with.
    #[cfg(target_arch = "x86_64")]
    arranged: Vec<(Order, Vec<Aligned>)>,
}

impl<'a> Left<'a> {
    /// `rows` rows of `depth` numbers, to be multiplied with stored rows of `formats`.
    pub(super) fn new(
        numbers: &'a [f32],
        rows: usize,
        depth: usize,
        formats: impl Iterator<Item = StoredFormat>,
    ) -> Self {
        #[cfg(target_arch = "x86_64")]
        let (mut arranged, mut minima) = (Vec::<(Order, Vec<Aligned>)>::new(), false);
        for format in formats {
            #[cfg(target_arch = "x86_64")]
            {
                minima |= format.has_minima();
            }
            #[cfg(target_arch = "x86_64")]
            if let Some(order) = Order::of(format)
                && rows <= SIDE
                && arranged.iter().all(|(other, _)| *other != order)
            {
                arranged.push((order, order.arrange(numbers, depth)));
            }
        }
        Self {
            numbers,
            rows,
            depth,
            #[cfg(target_arch = "x86_64")]
            group_sums: match minima {
                true => group_sums(numbers, depth),
                false => Vec::new(),
            },
            #[cfg(target_arch = "x86_64")]
            arranged,
        }
    }

    /// The rows in `order`, which must be that of a format they were made for.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn arranged(&self, order: Order) -> &[Aligned] {
        let mut all = self.arranged.iter();
        let found = all.find(|(other, _)| *other == order);
        found.map_or(&[], |(_, numbers)| numbers)
    }
}

#[cfg(target_arch = "x86_64")]
fn group_sums(numbers: &[f32], depth: usize) -> Vec<f32> {
    let rows = numbers.chunks_exact(depth.max(1));
    let mut sums = Vec::with_capacity(numbers.len() / GROUP);
    for group in rows.flat_map(|row| row.chunks_exact(GROUP)) {
        // Eight sums side by side are one vector.
        let mut lanes = [0.0; 8];
        for numbers in group.chunks_exact(lanes.len()) {
            lanes
                .iter_mut()
                .zip(numbers)
                .for_each(|(lane, v)| *lane += v);
        }
        sums.push(lanes.iter().sum());
    }
    sums
}

/// 16 numbers that are one vector, and do not straddle lines of the cache.
#[cfg(target_arch = "x86_64")]
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Aligned([f32; 16]);

/// Ways in which the numbers of a step lie in its vectors.
#[cfg(target_arch = "x86_64")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Four blocks of 32: their first halves, then their second.
    Halves,
    /// Groups of 32: 0 and 2, 1 and 3, and so on.
    Alternate,
    /// One after another.
    Plain,
}

#[cfg(target_arch = "x86_64")]
impl Order {
    /// How `format` lies, if it is read in this way.
    pub(super) fn of(format: StoredFormat) -> Option<Self> {
        match format {
            StoredFormat::Q4_0 | StoredFormat::Q4_1 => Some(Self::Halves),
            StoredFormat::Q4K | StoredFormat::Q5K => Some(Self::Alternate),
            StoredFormat::Q6K => Some(Self::Plain),
            _ => None,
        }
    }

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
    pub(super) fn arrange(self, x: &[f32], depth: usize) -> Vec<Aligned> {
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
