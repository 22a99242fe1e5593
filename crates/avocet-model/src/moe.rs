//! The mixture of experts: a router that picks, and experts that compute.

use avocet_kernels::{
    RouterKind, Routing, StepRows, Weight, expert_ffn, infer_experts, route_by, router_losses,
};
use candle_core::{Result, Tensor};

use crate::builder::Builder;
use crate::feed_forward::FeedForward;
use crate::init;
use avocet_config::{FeedForwardKind, MoeConfig};

/// What a router did with a batch.
#[derive(Debug, Clone)]
pub struct RouterStats {
    /// Load-balance loss, a scalar: 1 when the experts share the tokens evenly.
    pub balance: Tensor,
    /// Router z-loss, a scalar: mean squared log-sum-exp of the logits.
    pub z: Tensor,
    /// Tokens that chose each expert (E).
    pub load: Vec<u32>,
}

/// Scores every expert for every token and picks the best `top_k`.
#[derive(Debug, Clone)]
pub struct Router {
    weight: Weight,
    load_bias: Option<Tensor>,
    kind: RouterKind,
    top_k: usize,
    capacity_factor: Option<f64>,
}

impl Router {
    /// Makes a router for tokens of width `dim`.
    pub fn new(dim: usize, config: &MoeConfig, builder: Builder) -> Result<Self> {
        let load_bias = config
            .loss_free_bias
            .then(|| init::load_bias(&builder, config.num_experts));
        Ok(Self {
            weight: init::router(&builder, (config.num_experts, dim), "weight")?,
            load_bias: load_bias.transpose()?,
            kind: match config.routing {
                avocet_config::Routing::Renormalized => RouterKind::Renormalized,
                avocet_config::Routing::Plain => RouterKind::Plain,
                avocet_config::Routing::SparseMixer { jitter } => {
                    RouterKind::SparseMixer { jitter }
                }
            },
            top_k: config.top_k,
            capacity_factor: config.capacity_factor,
        })
    }

    /// Scores of all experts (S, E) for `x` (S, D).
    pub fn logits(&self, x: &Tensor) -> Result<Tensor> {
        self.weight.linear(x)
    }

    /// Picks by `logits` (S, E), within the capacity if there is one: the weights (S, top_k) of
    /// the chosen experts, and who goes where.
    pub fn route(&self, logits: &Tensor) -> Result<(Tensor, Routing)> {
        self.route_within(logits, self.capacity_factor)
    }

    /// As [`Router::route`] of the scores of `x` (S, D), for inference: no token is dropped, so
    /// that a text's outputs do not depend on how it is split into steps.
    fn infer(&self, x: &Tensor, rows: StepRows) -> Result<(Tensor, Routing)> {
        self.route_within(&self.weight.infer(x, rows)?, None)
    }

    fn route_within(&self, logits: &Tensor, capacity: Option<f64>) -> Result<(Tensor, Routing)> {
        let bias = self.load_bias.as_ref();
        route_by(self.kind, logits, self.top_k, bias, capacity)
    }
}

/// The SwiGLU experts' weights, all in one stack a matrix.
#[derive(Debug, Clone)]
pub struct Experts {
    gate_up: Weight,
    down: Weight,
}

impl Experts {
    /// Makes experts for tokens of width `dim`; `num_residual_layers` blocks write into the residual
    /// stream.
    pub fn new(
        dim: usize,
        config: &MoeConfig,
        num_residual_layers: usize,
        builder: Builder,
    ) -> Result<Self> {
        let (experts, ff) = (config.num_experts, config.expert_dim);
        Ok(Self {
            gate_up: init::experts(&builder, (experts, 2 * ff, dim), "gate_up", 1)?,
            down: init::experts(&builder, (experts, dim, ff), "down", num_residual_layers)?,
        })
    }

    /// Weighted sum (S, D) of what the chosen experts make of `x` (S, D).
    pub fn forward(&self, x: &Tensor, weights: &Tensor, routing: &Routing) -> Result<Tensor> {
        expert_ffn(x, weights, &self.gate_up, &self.down, routing)
    }

    /// As [`Experts::forward`], for inference.
    fn infer(
        &self,
        x: &Tensor,
        weights: &Tensor,
        routing: &Routing,
        rows: StepRows,
    ) -> Result<Tensor> {
        infer_experts(x, weights, (&self.gate_up, &self.down), routing, rows)
    }
}

/// An expert that every token visits, weighed by the sigmoid of a score of its own.
///
/// Qwen1.5-MoE; the idea of shared experts is DeepSeekMoE's, arXiv:2401.06066.
#[derive(Debug, Clone)]
struct SharedExpert {
    score: Weight,
    ff: FeedForward,
}

impl SharedExpert {
    fn new(
        dim: usize,
        ff_dim: usize,
        num_residual_layers: usize,
        builder: &Builder,
    ) -> Result<Self> {
        let kind = FeedForwardKind::SwiGlu;
        let shared = builder.pp("shared");
        Ok(Self {
            score: init::router(builder, (1, dim), "shared_score")?,
            ff: FeedForward::new(kind, (dim, ff_dim), false, num_residual_layers, shared)?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        weighed(self.ff.forward(x)?, &self.score.linear(x)?)
    }

    fn infer(&self, x: &Tensor, rows: StepRows) -> Result<Tensor> {
        weighed(self.ff.infer(x, rows)?, &self.score.infer(x, rows)?)
    }
}

/// Rows (S, D) times the sigmoid of their scores (S, 1).
fn weighed(rows: Tensor, scores: &Tensor) -> Result<Tensor> {
    let opening = (scores.neg()?.exp()? + 1.0)?.recip()?;
    rows.broadcast_mul(&opening)
}

/// A router and its experts.
#[derive(Debug, Clone)]
pub struct MixtureOfExperts {
    router: Router,
    experts: Experts,
    shared: Option<SharedExpert>,
}

impl MixtureOfExperts {
    /// Makes a layer for tokens of width `dim`; `num_residual_layers` blocks write into the residual
    /// stream.
    pub fn new(
        dim: usize,
        config: &MoeConfig,
        num_residual_layers: usize,
        builder: Builder,
    ) -> Result<Self> {
        let shared = |ff_dim| SharedExpert::new(dim, ff_dim, num_residual_layers, &builder);
        Ok(Self {
            router: Router::new(dim, config, builder.pp("router"))?,
            experts: Experts::new(dim, config, num_residual_layers, builder.pp("experts"))?,
            shared: config.shared_dim.map(shared).transpose()?,
        })
    }

    /// Maps `x` (S, D) to (S, D), with the losses that keep the router healthy.
    pub fn forward(&self, x: &Tensor) -> Result<(Tensor, RouterStats)> {
        let logits = self.router.logits(x)?; // (S, E)
        let (weights, routing) = self.router.route(&logits)?; // (S, top_k)
        let (balance, z) = router_losses(&logits, &routing)?;
        let load = routing.load()?.to_vec();
        let mut mixed = self.experts.forward(x, &weights, &routing)?; // (S, D)
        if let Some(shared) = &self.shared {
            mixed = (mixed + shared.forward(x)?)?;
        }
        Ok((mixed, RouterStats { balance, z, load }))
    }

    /// Maps `x` (S, D) to (S, D), without losses and without dropping.
    pub fn infer(&self, x: &Tensor, rows: StepRows) -> Result<Tensor> {
        let (weights, routing) = self.router.infer(x, rows)?;
        let mixed = self.experts.infer(x, &weights, &routing, rows)?;
        match &self.shared {
            Some(shared) => mixed + shared.infer(x, rows)?,
            None => Ok(mixed),
        }
    }
}
