//! A row of h100.json's layers as the planner takes it; for the fit and for the tests of it.

use avocet_plan::{
    Attention, FeedForward, Layout, ModelShape, Recompute, Sharding, Workload, known_model,
};
use serde_json::Value;

/// The layer, on one GPU, and what went through it.
pub fn llama_layer(row: &Value) -> (ModelShape, Layout, Workload) {
    let get = |name: &str| row[name].as_u64().expect("a number");
    let model = ModelShape {
        dim: get("dim"),
        attention: Attention::Heads {
            num_heads: get("num_heads"),
            num_kv_heads: get("num_kv_heads"),
            head_dim: 128,
        },
        feed_forward: Some(FeedForward {
            width: get("ff_dim"),
            matrices: 3,
        }),
        ..known_model("llama-3-405b").expect("it is known")
    };
    let layout = Layout {
        tensor: 1,
        pipeline: 1,
        data: 1,
        expert: 1,
        chunks: 1,
        micro_batch: get("batch"),
        sharding: Sharding::None,
        recompute: Recompute::None,
        sequence_parallel: false,
    };
    (model, layout, Workload::modern(get("tokens")))
}
