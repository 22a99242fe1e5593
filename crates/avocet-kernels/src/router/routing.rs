//! Which experts the rows chose.

/// The slot of a choice that its expert had no room for.
pub(super) const DROPPED: u32 = u32::MAX;

/// Which experts the rows chose, and the order in which the experts take them.
#[derive(Debug, Clone)]
pub struct Routing {
    num_experts: usize,
    top_k: usize,
    /// Expert of each choice, (S, k) row-major, the likeliest first.
    experts: Vec<u32>,
    /// Position of each choice in the dispatch order, or `DROPPED`.
    slots: Vec<u32>,
    /// The choice (row * k + its place) in each slot: sorted by expert, then by row.
    choices: Vec<u32>,
    /// Where each expert's slots begin, and their end.
    offsets: Vec<usize>,
    load: Vec<u32>,
}

impl Routing {
    pub(super) fn new(
        experts: Vec<u32>,
        num_experts: usize,
        top_k: usize,
        capacity: usize,
    ) -> Self {
        let mut load = vec![0u32; num_experts];
        let mut kept = vec![0usize; num_experts];
        let mut slots = vec![DROPPED; experts.len()];
        // First choices go before second ones, and earlier rows before later ones.
        for place in 0..top_k {
            for choice in (place..experts.len()).step_by(top_k) {
                let expert = experts[choice] as usize;
                load[expert] += 1;
                if kept[expert] < capacity {
                    kept[expert] += 1;
                    slots[choice] = 0;
                }
            }
        }
        let mut offsets = Vec::with_capacity(num_experts + 1);
        let mut total = 0;
        offsets.push(0);
        for count in &kept {
            total += count;
            offsets.push(total);
        }
        let mut next = offsets.clone();
        let mut choices = vec![0; total];
        for (choice, slot) in slots.iter_mut().enumerate() {
            if *slot != DROPPED {
                let at = &mut next[experts[choice] as usize];
                *slot = *at as u32;
                choices[*at] = choice as u32;
                *at += 1;
            }
        }
        Self {
            num_experts,
            top_k,
            experts,
            slots,
            choices,
            offsets,
            load,
        }
    }

    /// Number of experts there are.
    pub fn num_experts(&self) -> usize {
        self.num_experts
    }

    /// Number of experts each row chose.
    pub fn top_k(&self) -> usize {
        self.top_k
    }

    /// Number of rows.
    pub fn num_rows(&self) -> usize {
        self.experts.len() / self.top_k
    }

    /// The expert of every choice, (S, k) row-major, the likeliest first.
    pub fn experts(&self) -> &[u32] {
        &self.experts
    }

    /// How many choices fell on each expert, dropped ones included.
    pub fn load(&self) -> &[u32] {
        &self.load
    }

    /// How many choices an expert had no room for.
    pub fn dropped(&self) -> usize {
        self.experts.len() - self.choices.len()
    }

    /// Where each expert's slots begin, and their end: E + 1 numbers.
    pub(crate) fn offsets(&self) -> &[usize] {
        &self.offsets
    }

    /// The choice (row * k + its place) in each slot.
    pub(crate) fn choices(&self) -> &[u32] {
        &self.choices
    }

    /// The slot of each of a row's choices; `None` for a dropped one.
    pub(crate) fn slots_of(&self, row: usize) -> impl Iterator<Item = Option<usize>> {
        self.slots[row * self.top_k..(row + 1) * self.top_k]
            .iter()
            .map(|&slot| (slot != DROPPED).then_some(slot as usize))
    }
}
