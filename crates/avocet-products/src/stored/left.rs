//! The rows that stored rows are multiplied with, in the orders that the formats need.

use super::order::{Aligned, Order};

/// Numbers that share a scale, at most.
pub(crate) const GROUP: usize = 32;
/// Most rows that are put in an order: more are multiplied with widened rows.
pub(crate) const SIDE: usize = 4;

/// What products with rows of a format read of x beside its numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Needs {
    /// The rows in this order as well.
    pub(crate) order: Option<Order>,
    /// The sum of each group, for formats with minima.
    pub(crate) group_sums: bool,
}

impl Needs {
    /// The numbers alone.
    pub(crate) const NOTHING: Self = Self {
        order: None,
        group_sums: false,
    };
}

/// The rows that stored rows are multiplied with.
pub(crate) struct Left<'a> {
    pub(crate) numbers: &'a [f32],
    pub(crate) rows: usize,
    pub(crate) depth: usize,
    /// The sum of each whole group of 32 numbers, where it is needed.
    pub(crate) group_sums: Vec<f32>,
    /// The rows in the orders that are needed.
    arranged: Vec<(Order, Vec<Aligned>)>,
}

impl<'a> Left<'a> {
    /// `rows` rows of `depth` numbers, with all that is needed.
    pub(crate) fn new(
        numbers: &'a [f32],
        rows: usize,
        depth: usize,
        all_needs: impl Iterator<Item = Needs>,
    ) -> Self {
        let (mut arranged, mut sums) = (Vec::<(Order, Vec<Aligned>)>::new(), false);
        for needs in all_needs {
            sums |= needs.group_sums;
            if let Some(order) = needs.order
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
            group_sums: if sums {
                group_sums(numbers, depth)
            } else {
                Vec::new()
            },
            arranged,
        }
    }

    /// The rows in `order`, which must have been needed.
    pub(crate) fn arranged(&self, order: Order) -> &[Aligned] {
        let mut all = self.arranged.iter();
        let found = all.find(|(other, _)| *other == order);
        found.map_or(&[], |(_, numbers)| numbers)
    }
}

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
