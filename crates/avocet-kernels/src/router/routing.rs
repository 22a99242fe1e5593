//! Which experts the rows chose.

use std::sync::{Arc, OnceLock};

use candle_core::{Device, Result, Tensor};

/// The slot of a choice that its expert had no room for.
const DROPPED: u32 = u32::MAX;

/// Which experts the rows chose, and the order in which the experts take them; cheap to clone.
#[derive(Debug, Clone)]
pub struct Routing(Arc<Choices>);

#[derive(Debug)]
struct Choices {
    num_rows: usize,
    num_experts: usize,
    top_k: usize,
    /// Choices an expert takes, at most.
    capacity: usize,
    /// Expert of each choice (S, k), where another device than the CPU chose.
    on_device: Option<Tensor>,
    plan: OnceLock<Plan>,
}

/// Who goes where, as the host sees it.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) top_k: usize,
    /// Expert of each choice, (S, k) row-major, the likeliest first.
    pub(crate) experts: Vec<u32>,
    /// Position of each choice in the dispatch order, or `DROPPED`.
    slots: Vec<u32>,
    /// The choice (row * k + its place) in each slot: sorted by expert, then by row.
    pub(crate) choices: Vec<u32>,
    /// Where each expert's slots begin, and their end: E + 1 numbers.
    pub(crate) offsets: Vec<usize>,
    /// How many choices fell on each expert, dropped ones included.
    pub(crate) load: Vec<u32>,
}

impl Routing {
    /// Choices made on the host, (S, k) row-major; an expert takes `capacity` of them.
    pub(super) fn on_host(
        experts: Vec<u32>,
        num_experts: usize,
        top_k: usize,
        capacity: usize,
    ) -> Self {
        Self(Arc::new(Choices {
            num_rows: experts.len() / top_k,
            num_experts,
            top_k,
            capacity,
            on_device: None,
            plan: Plan::new(experts, num_experts, top_k, capacity).into(),
        }))
    }

    /// Choices made on a device, (S, k).
    pub(super) fn on_device(experts: Tensor, num_experts: usize, capacity: usize) -> Result<Self> {
        let (num_rows, top_k) = experts.dims2()?;
        Ok(Self(Arc::new(Choices {
            num_rows,
            num_experts,
            top_k,
            capacity,
            on_device: Some(experts),
            plan: OnceLock::new(),
        })))
    }

    /// Number of experts there are.
    pub fn num_experts(&self) -> usize {
        self.0.num_experts
    }

    /// Number of experts each row chose.
    pub fn top_k(&self) -> usize {
        self.0.top_k
    }

    /// Number of rows.
    pub fn num_rows(&self) -> usize {
        self.0.num_rows
    }

    /// The expert of every choice, (S, k) row-major, the likeliest first.
    ///
    /// Errors if a device that chose cannot be read.
    pub fn experts(&self) -> Result<&[u32]> {
        Ok(&self.plan()?.experts)
    }

    /// How many choices fell on each expert, dropped ones included.
    ///
    /// Errors as [`experts`](Self::experts) does.
    pub fn load(&self) -> Result<&[u32]> {
        Ok(&self.plan()?.load)
    }

    /// How many choices an expert had no room for.
    ///
    /// Errors as [`experts`](Self::experts) does.
    pub fn dropped(&self) -> Result<usize> {
        let plan = self.plan()?;
        Ok(plan.experts.len() - plan.choices.len())
    }

    /// The choices as a tensor (S, k) on `device`.
    pub(super) fn tensor(&self, device: &Device) -> Result<Tensor> {
        match &self.0.on_device {
            Some(experts) => experts.to_device(device),
            None => Tensor::from_slice(self.experts()?, (self.num_rows(), self.top_k()), device),
        }
    }

    /// The host's view; where a device chose, it is read back once, when first asked for.
    pub(crate) fn plan(&self) -> Result<&Plan> {
        let Choices {
            num_experts,
            top_k,
            capacity,
            on_device,
            plan,
            ..
        } = &*self.0;
        if let Some(plan) = plan.get() {
            return Ok(plan);
        }
        let read_back = |experts: &Tensor| experts.flatten_all()?.to_vec1();
        let experts = on_device.as_ref().map(read_back).transpose()?;
        let made = || Plan::new(experts.unwrap_or_default(), *num_experts, *top_k, *capacity);
        Ok(plan.get_or_init(made))
    }
}

#[cfg(test)]
impl Routing {
    /// Whether the host has its view already.
    pub(crate) fn is_read_back(&self) -> bool {
        self.0.plan.get().is_some()
    }
}

impl Plan {
    fn new(experts: Vec<u32>, num_experts: usize, top_k: usize, capacity: usize) -> Self {
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
            top_k,
            experts,
            slots,
            choices,
            offsets,
            load,
        }
    }

    /// Number of rows.
    pub(crate) fn num_rows(&self) -> usize {
        self.experts.len() / self.top_k
    }

    /// The slot of each of a row's choices; `None` for a dropped one.
    pub(crate) fn slots_of(&self, row: usize) -> impl Iterator<Item = Option<usize>> {
        self.slots[row * self.top_k..(row + 1) * self.top_k]
            .iter()
            .map(|&slot| (slot != DROPPED).then_some(slot as usize))
    }
}
