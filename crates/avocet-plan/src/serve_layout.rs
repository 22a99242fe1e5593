//! How a model is spread for serving.

use serde::Serialize;

use crate::error::{Result, refuse};
use crate::model::ModelShape;

/// Where keys and values of a group's requests lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KvSplit {
    /// Every GPU of the tensor group holds its own heads.
    Heads,
    /// Every GPU holds all of them, as the one head of multi-query attention cannot be cut.
    Replicated,
    /// Every GPU holds those of its share of the requests (arXiv:2211.05102, section 3.3).
    Batch,
}

/// How a model is spread for serving.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ServeLayout {
    /// GPUs that share each matrix.
    pub tensor: u64,
    /// Layers of each stage, from the first.
    pub stages: Vec<u64>,
    /// GPUs that share the experts, each with requests of its own; 1 for a tensor x pipeline group.
    pub expert: u64,
    /// Where keys and values lie.
    pub kv: KvSplit,
    /// Bytes of a weight.
    pub weight_bytes: f64,
    /// Bytes of a number of keys and values.
    pub kv_bytes: f64,
    /// Whether two half batches take turns, so that one computes while the other's tokens travel.
    pub overlap: bool,
}

impl ServeLayout {
    /// A group of `tensor` x `pipeline` GPUs, 16-bit weights and keys.
    ///
    /// Errors if the group cannot be: more stages than layers, heads that do not divide.
    pub fn group(model: &ModelShape, tensor: u64, pipeline: u64) -> Result<Self> {
        let heads = model.attention.num_heads();
        if tensor == 0 || !heads.is_multiple_of(tensor) {
            let reason = format!("{tensor} does not divide the {heads} heads");
            return refuse("tensor", reason);
        }
        let kv_heads = model.attention.num_kv_heads();
        Ok(Self {
            tensor,
            stages: uneven_stages(model, pipeline)?,
            expert: 1,
            kv: if kv_heads.is_multiple_of(tensor) {
                KvSplit::Heads
            } else {
                KvSplit::Batch
            },
            weight_bytes: 2.0,
            kv_bytes: 2.0,
            overlap: false,
        })
    }

    /// An expert-parallel group of `expert` GPUs with 8-bit weights, as DeepSeek-V3 is served.
    ///
    /// Errors if the model has no mixture, or fewer experts than GPUs.
    pub fn experts(model: &ModelShape, expert: u64) -> Result<Self> {
        match &model.mixture {
            None => refuse("expert", "the model has no experts"),
            Some(mixture) if expert == 0 || expert > mixture.num_experts => {
                let reason = format!("{expert} GPUs for {} experts", mixture.num_experts);
                refuse("expert", reason)
            }
            Some(_) => Ok(Self {
                tensor: 1,
                stages: vec![model.num_layers],
                expert,
                kv: KvSplit::Heads,
                weight_bytes: 1.0,
                kv_bytes: 2.0,
                overlap: true,
            }),
        }
    }

    /// GPUs of the group.
    pub fn gpus(&self) -> u64 {
        self.tensor * self.stages.len() as u64 * self.expert
    }
}

/// Layers of `pipeline` stages, the first ones the shorter: the first also embeds.
///
/// Errors if there are more stages than layers.
pub fn uneven_stages(model: &ModelShape, pipeline: u64) -> Result<Vec<u64>> {
    let layers = model.num_layers;
    if pipeline == 0 || pipeline > layers {
        let reason = format!("{pipeline} stages, but the model has {layers} layers");
        return refuse("pipeline", reason);
    }
    let longer = layers % pipeline;
    let of = |stage| layers / pipeline + u64::from(stage >= pipeline - longer);
    Ok((0..pipeline).map(of).collect())
}
