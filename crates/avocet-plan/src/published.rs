//! Published training runs, and what the planner makes of them.
//!
//! Rows marked `fitted` are what the rates of a GPU were fitted on; all others test them.

use serde::Serialize;

use crate::error::Result;
use crate::gpu::Gpu;
use crate::known;
use crate::layer::{Workload, layer_time};
use crate::layout::{Cluster, Layout, Recompute, Sharding};
use crate::serve_layout::ServeLayout;
use crate::serving::{decode, prefill};
use crate::step::step;

/// A published number beside ours.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Truth {
    /// The run.
    pub run: String,
    /// What was measured.
    pub quantity: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// As published.
    pub published: f64,
    /// As planned.
    pub planned: f64,
    /// How far the two may be apart, as a share.
    pub tolerance: f64,
    /// Whether rates were fitted on this row.
    pub fitted: bool,
    /// Where it was published.
    pub source: &'static str,
}

impl Truth {
    /// Planned over published, less 1.
    pub fn error(&self) -> f64 {
        self.planned / self.published - 1.0
    }

    /// Whether the two are as near as they should be.
    pub fn holds(&self) -> bool {
        self.error().abs() <= self.tolerance
    }
}

/// A run of Megatron-LM: model size in billions, tensor, pipeline and chunks, sequences of the
/// batch and of a micro-batch, seconds with full recomputation and with sequence parallelism and
/// selective recomputation (arXiv:2205.05198, tables 3 and 5).
pub(crate) const MEGATRON: [(u64, u64, u64, u64, u64, f64, f64); 4] = [
    (22, 1, 1, 4, 4, 1.42, 1.10),
    (175, 8, 3, 64, 1, 18.13, 13.75),
    (530, 35, 3, 280, 1, 49.05, 37.83),
    (1000, 64, 1, 512, 1, 94.42, 71.49),
];

/// Milliseconds of one layer of the 22B model, forward and backward, recomputation included
/// (arXiv:2205.05198, table 4): recomputation, sequence parallelism, times.
const LAYERS: [(Recompute, bool, f64, f64); 5] = [
    (Recompute::None, false, 7.7, 11.9),
    (Recompute::None, true, 7.2, 11.8),
    (Recompute::Full, false, 7.7, 19.5),
    (Recompute::Selective, false, 7.7, 13.2),
    (Recompute::Selective, true, 7.2, 13.1),
];

const KORTHIKANTI: &str = "Korthikanti et al. 2022, arXiv:2205.05198, tables 3-5";
const LLAMA: &str = "Llama 3, arXiv:2407.21783, table 4";

fn layout(tensor: u64, pipeline: u64, chunks: u64, micro_batch: u64) -> Layout {
    Layout {
        tensor,
        pipeline,
        data: 1,
        expert: 1,
        chunks,
        micro_batch,
        sharding: Sharding::None,
        recompute: Recompute::None,
        sequence_parallel: false,
    }
}

/// Megatron-LM's layer times and batch times on A100, planned with `gpu`.
pub fn megatron(gpu: &Gpu) -> Result<Vec<Truth>> {
    let work = Workload::megatron(2048);
    let mut rows = Vec::new();
    for (recompute, sequence_parallel, forward, backward) in LAYERS {
        let layout = Layout {
            recompute,
            sequence_parallel,
            ..layout(8, 1, 1, 4)
        };
        let time = layer_time(gpu, &known::megatron(22), &layout, &work, false);
        let planned = [
            time.forward.total(),
            time.backward.total() + time.recomputed.total(),
        ];
        let name = match (recompute, sequence_parallel) {
            (Recompute::None, false) => "nothing recomputed",
            (Recompute::None, true) => "sequence parallel",
            (Recompute::Full, _) => "full recomputation",
            (Recompute::Selective, false) => "selective",
            (Recompute::Selective, true) => "sequence + selective",
        };
        let measured = [("layer forward", forward), ("layer backward", backward)];
        for ((quantity, published), planned) in measured.into_iter().zip(planned) {
            rows.push(Truth {
                run: format!("22B, {name}"),
                quantity,
                unit: "ms",
                published,
                planned: planned * 1e3,
                tolerance: 0.1,
                fitted: true,
                source: KORTHIKANTI,
            });
        }
    }
    for (size, pipeline, chunks, batch, micro_batch, full, selective) in MEGATRON {
        let cluster = Cluster::new(gpu.clone(), 8 * pipeline)?;
        let model = known::megatron(size);
        for (name, recompute, sequence_parallel, published) in [
            ("full recomputation", Recompute::Full, false, full),
            (
                "sequence + selective",
                Recompute::Selective,
                true,
                selective,
            ),
        ] {
            let layout = Layout {
                recompute,
                sequence_parallel,
                ..layout(8, pipeline, chunks, micro_batch)
            };
            let planned = step(&model, &cluster, &layout, &work, batch)?.seconds;
            rows.push(Truth {
                run: format!("{}, {name}", model.name),
                quantity: "batch",
                unit: "s",
                published,
                planned,
                tolerance: 0.1,
                fitted: size == 22 || size == 1000,
                source: KORTHIKANTI,
            });
        }
    }
    Ok(rows)
}

/// Chunks of a stage of Llama 3's pipeline. The paper says that it interleaves, not how far; 126
/// layers are 128 less one on the first and one on the last stage.
const CHUNKS: u64 = 4;

/// Llama 3 405B's FLOP/s of a GPU, in TFLOP/s: model FLOP as its authors count them.
pub fn llama(gpu: &Gpu) -> Result<Vec<Truth>> {
    let model = known::llama3_405b();
    let mut rows = Vec::new();
    for (count, data, sequences, published) in
        [(8192, 64, 32 * 64, 430.0), (16_384, 128, 16 * 128, 400.0)]
    {
        let cluster = Cluster::new(gpu.clone(), count)?;
        let layout = Layout {
            data,
            sharding: Sharding::Zero1,
            sequence_parallel: true,
            ..layout(8, 16, CHUNKS, 1)
        };
        let step = step(
            &model,
            &cluster,
            &layout,
            &Workload::modern(8192),
            sequences,
        )?;
        rows.push(Truth {
            run: format!("{} on {count}", model.name),
            quantity: "a GPU",
            unit: "TFLOP/s",
            published,
            planned: step.mfu * gpu.peak / 1e12,
            tolerance: 0.15,
            fitted: false,
            source: LLAMA,
        });
    }
    Ok(rows)
}

const SGLANG: &str = "SGLang team, lmsys.org/blog/2025-05-05-large-scale-ep";
const DEEPSEEK: &str =
    "DeepSeek's profile-data, as counted in lmsys.org/blog/2025-05-05-large-scale-ep";

/// Tokens of a step that the target accepts of two, as the table of SGLang's blog assumes for
/// DeepSeek's multi-token prediction.
const ACCEPTED: f64 = 1.6;

/// Tokens a second of one GPU that serves DeepSeek-V3.
pub fn deepseek(h800: &Gpu, h100: &Gpu) -> Result<Vec<Truth>> {
    let model = known::deepseek_v3();
    let mut rows = Vec::new();
    let prefills = [
        ("DeepSeek-V3, 32 H800", h800, 62_713.0, false, DEEPSEEK),
        (
            "DeepSeek-V3, 32 H100, SGLang, balanced",
            h100,
            59_337.0,
            true,
            SGLANG,
        ),
    ];
    for (run, gpu, node, fitted, source) in prefills {
        let layout = ServeLayout::experts(&model, 32)?;
        let planned = prefill(gpu, &model, &layout, 16_384.0, 4096.0).tokens_per_s / 32.0;
        rows.push(served(run, "prefill", node, planned, fitted, source));
    }
    // (run, GPU, GPUs, requests of a GPU, context, tokens checked a step, accepted, half batches).
    let decodes = [
        (
            "DeepSeek-V3, 128 H800",
            h800,
            128,
            128.0,
            4096.0,
            2.0,
            true,
            18_598.0,
            DEEPSEEK,
        ),
        (
            "DeepSeek-V3, 72 H100, SGLang",
            h100,
            72,
            256.0,
            2000.0,
            1.0,
            true,
            22_282.0,
            SGLANG,
        ),
        (
            "the same with two tokens a step",
            h100,
            72,
            128.0,
            4000.0,
            2.0,
            true,
            17_552.0,
            SGLANG,
        ),
        (
            "the same without overlap",
            h100,
            72,
            128.0,
            4000.0,
            2.0,
            false,
            12_929.0,
            SGLANG,
        ),
    ];
    for (run, gpu, expert, requests, context, tokens, overlap, node, source) in decodes {
        let layout = ServeLayout {
            overlap,
            ..ServeLayout::experts(&model, expert)?
        };
        let step = decode(gpu, &model, &layout, requests, context, tokens);
        let kept = if tokens > 1.0 { ACCEPTED } else { 1.0 };
        let planned = kept * step.tokens_per_s / expert as f64;
        let fitted = source == SGLANG;
        rows.push(served(run, "decode", node, planned, fitted, source));
    }
    Ok(rows)
}

/// A row of serving, published for a node of 8.
fn served(
    run: &str,
    quantity: &'static str,
    node: f64,
    planned: f64,
    fitted: bool,
    source: &'static str,
) -> Truth {
    Truth {
        run: run.into(),
        quantity,
        unit: "tokens/s/GPU",
        published: node / 8.0,
        planned,
        tolerance: 0.15,
        fitted,
        source,
    }
}
