//! The few ways in which towers of public models differ, by name.

use serde::{Deserialize, Serialize};

/// How a tower normalises its rows.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum NormKind {
    /// By the root mean square, with a scale (arXiv:1910.07467).
    #[default]
    Rms,
    /// By mean and variance, with a scale and a bias (arXiv:1607.06450).
    Layer,
    /// By mean and variance, with a scale alone.
    LayerUnbiased,
}

/// What a tower's feed-forward blocks do between their matrices.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum FeedForwardKind {
    /// `down(silu(gate(x)) * up(x))` (arXiv:2002.05202).
    #[default]
    SwiGlu,
    /// `down(gelu(up(x)))`, with the exact error function.
    Gelu,
    /// As `gelu`, by its tanh approximation.
    GeluTanh,
    /// `down(h * sigmoid(1.702 h))`, `h = up(x)`, as OpenAI's CLIP.
    QuickGelu,
    /// `down(relu(up(x)))`.
    Relu,
}

/// What queries and keys are normalised over, before any rotation; by the norm of their tower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum QkNorm {
    /// Each head by itself.
    Head,
    /// All heads of a row together.
    Full,
}

/// What a cross-attention layer does to a token that sees no image.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum WithoutImage {
    /// It passes the feed-forward block only: Flamingo, IDEFICS, and our own models.
    #[default]
    FeedForward,
    /// The layer leaves it as it is: Mllama as Meta's own code computes it.
    Nothing,
    /// It attends to everything, padding included, and skips the feed-forward block, unless the
    /// text has no image at all: Mllama as the transformers library computes it.
    Everything,
}

/// How far rotary positions are stretched beyond the lengths a model was first trained on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RopeScaling {
    /// Every frequency divided by one factor (arXiv:2306.15595).
    Linear {
        /// The divisor.
        factor: f64,
    },
    /// A larger base the longer the text is beyond the length first trained on (dynamic NTK).
    Dynamic {
        /// How many times longer texts are meant to become.
        factor: f64,
        /// The length first trained on.
        original_max_position: usize,
    },
    /// Frequencies that turn seldom within the length first trained on divided, those that turn
    /// often kept, those between interpolated (YaRN, arXiv:2309.00071).
    Yarn {
        /// The divisor.
        factor: f64,
        /// Pairs with more turns are kept.
        beta_fast: f64,
        /// Pairs with fewer turns are divided.
        beta_slow: f64,
        /// Whether the bounds between which is interpolated are rounded to whole pairs.
        truncate: bool,
        /// What cosines and sines are multiplied by.
        magnitude: f64,
        /// The length first trained on.
        original_max_position: usize,
    },
    /// Low frequencies divided, high ones kept, those between interpolated: Llama 3.1.
    Llama3 {
        /// The divisor of low frequencies.
        factor: f64,
        /// Waves longer than the original length over this are low.
        low_freq_factor: f64,
        /// Waves shorter than the original length over this are high.
        high_freq_factor: f64,
        /// The length first trained on.
        original_max_position: usize,
    },
    /// A divisor for each frequency, other ones for long texts (LongRoPE, arXiv:2402.13753).
    Long {
        /// Divisors up to the original length, one a pair.
        short_factors: Vec<f64>,
        /// Divisors beyond it.
        long_factors: Vec<f64>,
        /// What cosines and sines are multiplied by up to the original length.
        short_magnitude: f64,
        /// The same beyond it.
        long_magnitude: f64,
        /// The length first trained on.
        original_max_position: usize,
    },
}

/// How a router turns its scores into weights.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Routing {
    /// Softmax over all experts, top-k, renormalised to 1 (Mixtral, arXiv:2401.04088); the same
    /// as a softmax over the scores of the chosen ones (Granite).
    #[default]
    Renormalized,
    /// Softmax over all experts, top-k, as they are (OLMoE, arXiv:2409.02060).
    Plain,
    /// Two experts, each weighed against those whose score is near its own (Phi-3.5-MoE,
    /// arXiv:2409.12136).
    SparseMixer {
        /// Scores further below the best than twice this, relative to it, do not count.
        jitter: f64,
    },
}
