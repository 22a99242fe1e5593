//! The rows that stored rows are multiplied with, in the orders that the formats need.

#[cfg(target_arch = "x86_64")]
use super::format::GROUP;
use super::format::StoredFormat;
#[cfg(target_arch = "x86_64")]
use super::order::{Aligned, Order, SIDE};

/// The rows that stored rows are multiplied with.
pub(crate) struct Left<'a> {
    pub(crate) numbers: &'a [f32],
    pub(crate) rows: usize,
    pub(crate) depth: usize,
    /// The sum of each whole group of 32 numbers, for formats with minima.
    #[cfg(target_arch = "x86_64")]
    pub(crate) group_sums: Vec<f32>,
    /// The rows in the orders of the formats that they are multiplied with.
    #[cfg(target_arch = "x86_64")]
    arranged: Vec<(Order, Vec<Aligned>)>,
}

impl<'a> Left<'a> {
    /// `rows` rows of `depth` numbers, to be multiplied with stored rows of `formats`.
    pub(crate) fn new(
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
    pub(crate) fn arranged(&self, order: Order) -> &[Aligned] {
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
