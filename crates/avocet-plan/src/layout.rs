//! How a model is spread over GPUs, and which layouts are possible at all.

use serde::{Deserialize, Serialize};

use crate::error::{Result, refuse};
use crate::gpu::Gpu;
use crate::model::ModelShape;

/// GPUs with what joins and what they cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cluster {
    /// The kind of GPU.
    pub gpu: Gpu,
    /// How many.
    pub count: u64,
    /// Dollars for a GPU and hour.
    pub price: Option<f64>,
}

impl Cluster {
    /// `count` GPUs at their default price.
    ///
    /// Errors if there are none, or more than ten million.
    pub fn new(gpu: Gpu, count: u64) -> Result<Self> {
        if count == 0 || count > 10_000_000 {
            return refuse("count", format!("is {count} GPUs, must be 1 to 10000000"));
        }
        let price = gpu.price;
        Ok(Self { gpu, count, price })
    }
}

/// What of a model's state is cut up among the replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sharding {
    /// Nothing.
    None,
    /// The optimizer's state: ZeRO-1 (arXiv:1910.02054).
    Zero1,
    /// Weights, gradients and optimizer: ZeRO-3, fully sharded data parallel.
    Fsdp,
}

/// What of a layer is computed again in the backward pass instead of kept (arXiv:2205.05198).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recompute {
    /// Nothing.
    None,
    /// The core of attention: scores and their sum of values.
    Selective,
    /// Whole layers: only their inputs are kept.
    Full,
}

/// How a training step is spread.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Layout {
    /// GPUs that share each matrix.
    pub tensor: u64,
    /// Stages of consecutive layers.
    pub pipeline: u64,
    /// Replicas.
    pub data: u64,
    /// Replicas that share the experts among them; divides `data`.
    pub expert: u64,
    /// Chunks of layers that each stage holds (interleaved 1F1B, arXiv:2104.04473).
    pub chunks: u64,
    /// Sequences of a micro-batch.
    pub micro_batch: u64,
    /// What is cut up among replicas.
    pub sharding: Sharding,
    /// What is computed again.
    pub recompute: Recompute,
    /// Whether norms and residuals are cut along the text inside tensor groups.
    pub sequence_parallel: bool,
}

impl Layout {
    /// GPUs at work.
    pub fn gpus(&self) -> u64 {
        self.tensor * self.pipeline * self.data
    }

    /// Layers of every stage, as even as they go: the last stages have the fewer, as the last also
    /// has the output head.
    pub fn stages(&self, model: &ModelShape) -> Vec<u64> {
        let (layers, stages) = (model.num_layers, self.pipeline);
        (0..stages)
            .map(|stage| layers / stages + u64::from(stage < layers % stages))
            .collect()
    }

    /// Errors if the layout cannot be: more stages than layers, heads that do not divide, and so
    /// on. Whether it fits in memory is another question.
    pub fn check(&self, model: &ModelShape, cluster: &Cluster) -> Result<()> {
        let sizes = [
            ("tensor", self.tensor),
            ("pipeline", self.pipeline),
            ("data", self.data),
            ("expert", self.expert),
            ("interleave", self.chunks),
            ("micro-batch", self.micro_batch),
        ];
        for (what, value) in sizes {
            // Products of three of these must not overflow.
            let most = if what == "data" { 1 << 24 } else { 1 << 16 };
            if value == 0 || value > most {
                return refuse(what, format!("is {value}, must be 1 to {most}"));
            }
        }
        let heads = model.attention.num_heads();
        if !heads.is_multiple_of(self.tensor) {
            let reason = format!("{} does not divide the {heads} heads", self.tensor);
            return refuse("tensor", reason);
        }
        let widths = [
            model.feed_forward.map(|block| block.width),
            model.mixture.map(|mixture| mixture.expert.width),
        ];
        for width in widths.into_iter().flatten() {
            if !width.is_multiple_of(self.tensor) {
                let reason = format!("{} does not divide the hidden width {width}", self.tensor);
                return refuse("tensor", reason);
            }
        }
        if self.pipeline > model.num_layers {
            let reason = format!(
                "{} stages, but the model has {} layers",
                self.pipeline, model.num_layers
            );
            return refuse("pipeline", reason);
        }
        if self.chunks > 1 {
            if self.pipeline == 1 {
                return refuse("interleave", "needs more than one stage");
            }
            if self.pipeline * self.chunks > model.num_layers {
                let reason = format!(
                    "{} stages x {} chunks, but the model has {} layers",
                    self.pipeline, self.chunks, model.num_layers
                );
                return refuse("interleave", reason);
            }
        }
        if self.gpus() > cluster.count {
            let reason = format!(
                "{} x {} x {} = {} GPUs, but there are {}",
                self.tensor,
                self.pipeline,
                self.data,
                self.gpus(),
                cluster.count
            );
            return refuse("tensor x pipeline x data", reason);
        }
        if !self.data.is_multiple_of(self.expert) {
            let reason = format!("{} does not divide the {} replicas", self.expert, self.data);
            return refuse("expert", reason);
        }
        match &model.mixture {
            Some(mixture) if !mixture.num_experts.is_multiple_of(self.expert) => {
                let reason = format!(
                    "{} does not divide the {} experts",
                    self.expert, mixture.num_experts
                );
                refuse("expert", reason)
            }
            None if self.expert > 1 => refuse("expert", "the model has no experts"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::known;

    fn refused(change: impl Fn(&mut Layout)) -> String {
        let mut layout = Layout {
            tensor: 8,
            pipeline: 8,
            data: 16,
            expert: 1,
            chunks: 1,
            micro_batch: 1,
            sharding: Sharding::Zero1,
            recompute: Recompute::None,
            sequence_parallel: true,
        };
        let cluster = Cluster::new(Gpu::named("a100-80").unwrap(), 1024).unwrap();
        assert_eq!(layout.check(&known::megatron(175), &cluster), Ok(()));
        change(&mut layout);
        let error = layout.check(&known::megatron(175), &cluster).unwrap_err();
        error.to_string()
    }

    #[test]
    fn what_cannot_be_is_refused_with_both_numbers() {
        for (error, words) in [
            (refused(|l| l.pipeline = 97), ["97 stages", "96 layers"]),
            (refused(|l| l.tensor = 7), ["7 does not divide", "96 heads"]),
            (refused(|l| l.data = 17), ["8 x 8 x 17 = 1088", "1024"]),
            (
                refused(|l| l.chunks = 13),
                ["8 stages x 13 chunks", "96 layers"],
            ),
            (refused(|l| l.expert = 2), ["expert", "no experts"]),
            (refused(|l| l.micro_batch = 0), ["micro-batch", "0"]),
            (
                refused(|l| l.tensor = u64::MAX),
                ["tensor", "must be 1 to 65536"],
            ),
        ] {
            assert!(words.iter().all(|word| error.contains(word)), "{error}");
        }
        let error = Cluster::new(Gpu::named("h100").unwrap(), 0).unwrap_err();
        assert!(error.to_string().contains("0 GPUs"), "{error}");
    }

    #[test]
    fn stages_share_layers_as_evenly_as_they_go() {
        let model = known::megatron(530);
        let mut layout = Layout {
            pipeline: 32,
            tensor: 8,
            data: 1,
            expert: 1,
            chunks: 1,
            micro_batch: 1,
            sharding: Sharding::None,
            recompute: Recompute::Full,
            sequence_parallel: false,
        };
        let stages = layout.stages(&model);
        assert_eq!((stages[0], stages[31], stages.iter().sum()), (4, 3, 105u64));
        layout.pipeline = 35;
        assert!(layout.stages(&model).iter().all(|layers| *layers == 3));
    }
}
