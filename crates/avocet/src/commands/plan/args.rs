//! The flags of `avocet plan`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// `avocet plan ...`.
#[derive(Debug, Subcommand)]
pub enum PlanCommand {
    /// What training a model takes: memory, time, money, failures, and the best layouts that fit.
    Train(TrainPlanArgs),
    /// What serving a model takes: memory, latency against batch, cost of a million tokens.
    Serve(ServePlanArgs),
}

/// Flags that both plans have.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// `mini`, `gpt4`, `tiny`, or a published shape such as `deepseek-v3` or `llama-3-405b`.
    #[arg(long, value_name = "NAME", conflicts_with = "model")]
    pub preset: Option<String>,
    /// A model of yours instead: a folder, a config.json, a configuration in TOML, or a hub id.
    #[arg(long, value_name = "REF")]
    pub model: Option<String>,
    /// The kind of GPU: a100-40, a100-80, h100, h800, h200, b200; `cpu` is this machine.
    #[arg(long, value_name = "GPU", default_value = "a100-80")]
    pub gpu: String,
    /// Number of GPUs; the described system's for `gpt4`, one node of 8 otherwise.
    #[arg(long, value_name = "N")]
    pub count: Option<u64>,
    /// Dollars for a GPU and hour; $1 for a100-80 and $2 for h100 and h800 when absent.
    #[arg(long, value_name = "DOLLARS")]
    pub price: Option<f64>,
    /// Bandwidth of a GPU to the others of its node, GB/s one way, if not the GPU's own.
    #[arg(long, value_name = "GB/S")]
    pub nvlink: Option<f64>,
    /// Bandwidth of a GPU between nodes, GB/s one way, if not the GPU's usual.
    #[arg(long, value_name = "GB/S")]
    pub network: Option<f64>,
    /// GPUs that share each matrix.
    #[arg(long, value_name = "N")]
    pub tensor: Option<u64>,
    /// Stages of consecutive layers.
    #[arg(long, value_name = "N")]
    pub pipeline: Option<u64>,
    /// GPUs (in serving) or replicas (in training) that share the experts.
    #[arg(long, value_name = "N")]
    pub expert: Option<u64>,
    /// Print each number with its formula and the values put in.
    #[arg(long, conflicts_with = "json")]
    pub explain: bool,
    /// Print published runs beside what the planner makes of them.
    #[arg(long, conflicts_with = "json")]
    pub truth: bool,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
    /// Also write a page with plots.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// `avocet plan train`.
#[derive(Debug, Args)]
pub struct TrainPlanArgs {
    /// Flags that both plans have.
    #[command(flatten)]
    pub common: PlanArgs,
    /// Tokens to train on; 13e12 for `gpt4`, 20 a parameter otherwise (arXiv:2203.15556).
    #[arg(long, value_name = "N")]
    pub tokens: Option<f64>,
    /// Tokens of a batch; 60e6 for `gpt4`, 4e6 otherwise.
    #[arg(long, value_name = "N")]
    pub batch: Option<f64>,
    /// Tokens of a sequence; as many as the model allows, up to 8192, when absent.
    #[arg(long, value_name = "N")]
    pub sequence: Option<u64>,
    /// Images of a sequence, for a model that sees.
    #[arg(long, value_name = "N", default_value_t = 0.0)]
    pub images: f64,
    /// Chunks of layers that a stage holds (interleaved 1F1B).
    #[arg(long, value_name = "N")]
    pub interleave: Option<u64>,
    /// Sequences of a micro-batch.
    #[arg(long, value_name = "N")]
    pub micro_batch: Option<u64>,
    /// What is cut up among replicas.
    #[arg(long, value_enum)]
    pub sharding: Option<ShardingFlag>,
    /// What is computed again in the backward pass.
    #[arg(long, value_enum)]
    pub recompute: Option<RecomputeFlag>,
    /// Number format that gradients are summed in.
    #[arg(long, value_enum, default_value_t = GradientFlag::Bf16)]
    pub gradients: GradientFlag,
    /// Tokens of the first batch.
    #[arg(long, value_name = "N")]
    pub ramp_from: Option<f64>,
    /// Tokens over which the batch grows; 1e12 for `gpt4`, 0 otherwise.
    #[arg(long, value_name = "N")]
    pub ramp_over: Option<f64>,
    /// GPU-hours between two failures; those of Llama 3's cluster when absent.
    #[arg(long, value_name = "HOURS")]
    pub mtbf: Option<f64>,
    /// Seconds that training stands still for a checkpoint.
    #[arg(long, value_name = "S", default_value_t = avocet_plan::CHECKPOINT_S)]
    pub checkpoint: f64,
    /// Seconds from a failure until training goes on.
    #[arg(long, value_name = "S", default_value_t = avocet_plan::RESTART_S)]
    pub restart: f64,
    /// Seed of the drawn history of failures.
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub seed: u64,
    /// Layouts to show.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub best: usize,
    /// With `--gpu cpu`: samples of a step.
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub samples: u64,
    /// With `--gpu cpu`: text tokens and patches of a sample.
    #[arg(
        long,
        value_name = "TOKENS,PATCHES",
        default_value = "30,88",
        value_delimiter = ','
    )]
    pub sample: Vec<f64>,
    /// With `--gpu cpu`: micro-batches of a step, two of which run side by side.
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub micro_batches: u64,
    /// With `--gpu cpu`: the machine's peak of f32 products in GFLOP/s and its bandwidth in GB/s, as
    /// `avocet bench` prints them; measured when absent.
    #[arg(long, value_name = "GFLOP/S,GB/S", value_delimiter = ',')]
    pub machine: Option<Vec<f64>>,
}

/// `avocet plan serve`.
#[derive(Debug, Args)]
pub struct ServePlanArgs {
    /// Flags that both plans have.
    #[command(flatten)]
    pub common: PlanArgs,
    /// Tokens that a request remembers while it decodes.
    #[arg(long, value_name = "N", default_value_t = 4096.0)]
    pub context: f64,
    /// Tokens of a prompt.
    #[arg(long, value_name = "N", default_value_t = 4096.0)]
    pub prompt: f64,
    /// Number format of the weights.
    #[arg(long, value_enum)]
    pub weights: Option<NumberFlag>,
    /// Number format of keys and values.
    #[arg(long, value_enum, default_value_t = NumberFlag::Bf16)]
    pub kv: NumberFlag,
    /// Where keys and values of fewer heads than GPUs lie.
    #[arg(long, value_enum)]
    pub kv_split: Option<SplitFlag>,
    /// Milliseconds that a token may take.
    #[arg(long, value_name = "MS")]
    pub latency: Option<f64>,
    /// Tokens that a small model drafts.
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub draft: u32,
    /// Chance that a drafted token is accepted.
    #[arg(long, value_name = "P", default_value_t = 0.7)]
    pub acceptance: f64,
    /// Time of drafting a token, as a share of a step of the large model.
    #[arg(long, value_name = "SHARE", default_value_t = 0.02)]
    pub draft_cost: f64,
}

/// What is cut up among replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ShardingFlag {
    /// Nothing.
    None,
    /// The optimizer.
    Zero1,
    /// Weights, gradients and optimizer.
    Fsdp,
}

/// What is computed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RecomputeFlag {
    /// Nothing.
    None,
    /// The core of attention.
    Selective,
    /// Whole layers.
    Full,
}

/// Number format of gradients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GradientFlag {
    /// 16 bits.
    Bf16,
    /// 32 bits.
    F32,
}

/// Number format of what is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum NumberFlag {
    /// 16 bits.
    Bf16,
    /// 8 bits.
    Fp8,
}

/// Where keys and values lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SplitFlag {
    /// All of them on every GPU of a tensor group.
    Replicated,
    /// Shared out by request.
    Batch,
}
