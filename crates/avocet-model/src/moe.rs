//! The mixture of experts: a router that picks, and experts that compute.

use avocet_kernels::{Routing, expert_ffn, linear, route, router_losses};
use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use crate::config::MoeConfig;
use crate::init;

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
///
/// Softmax over all experts in f32, top-k, renormalised (Mixtral, arXiv:2401.04088).
#[derive(Debug, Clone)]
pub struct Router {
    weight: Tensor,
    load_bias: Option<Tensor>,
    top_k: usize,
    capacity_factor: Option<f64>,
}

impl Router {
    /// Makes a router for tokens of width `dim`.
    pub fn new(dim: usize, config: &MoeConfig, vb: VarBuilder) -> Result<Self> {
        let load_bias = config
            .loss_free_bias
            .then(|| init::load_bias(&vb, config.num_experts));
        Ok(Self {
            weight: init::small_matrix(&vb, (config.num_experts, dim), "weight")?,
            load_bias: load_bias.transpose()?,
            top_k: config.top_k,
            capacity_factor: config.capacity_factor,
        })
    }

    /// Scores of all experts (S, E) for `x` (S, D).
    pub fn logits(&self, x: &Tensor) -> Result<Tensor> {
        linear(x, &self.weight)
    }

    /// Picks by `logits` (S, E), within the capacity if there is one: the weights (S, top_k) of
    /// the chosen experts, and who goes where.
    pub fn route(&self, logits: &Tensor) -> Result<(Tensor, Routing)> {
        route(
            logits,
            self.top_k,
            self.load_bias.as_ref(),
            self.capacity_factor,
        )
    }

    /// As [`Router::route`], but never drops a token, so that a text's outputs do not depend on
    /// how it is split into steps.
    pub fn route_all(&self, logits: &Tensor) -> Result<(Tensor, Routing)> {
        route(logits, self.top_k, self.load_bias.as_ref(), None)
    }
}

/// The SwiGLU experts' weights, all in one tensor a matrix.
#[derive(Debug, Clone)]
pub struct Experts {
    gate_up: Tensor,
    down: Tensor,
}

impl Experts {
    /// Makes experts for tokens of width `dim`; `num_writers` blocks write into the residual
    /// stream.
    pub fn new(dim: usize, config: &MoeConfig, num_writers: usize, vb: VarBuilder) -> Result<Self> {
        let (experts, ff) = (config.num_experts, config.expert_dim);
        Ok(Self {
            gate_up: init::matrix(&vb, (experts, 2 * ff, dim), "gate_up")?,
            down: init::residual(&vb, (experts, dim, ff), "down", num_writers)?,
        })
    }

    /// Weighted sum (S, D) of what the chosen experts make of `x` (S, D).
    pub fn forward(&self, x: &Tensor, weights: &Tensor, routing: &Routing) -> Result<Tensor> {
        expert_ffn(x, weights, &self.gate_up, &self.down, routing)
    }
}

/// A router and its experts.
#[derive(Debug, Clone)]
pub struct MixtureOfExperts {
    router: Router,
    experts: Experts,
}

impl MixtureOfExperts {
    /// Makes a layer for tokens of width `dim`; `num_writers` blocks write into the residual
    /// stream.
    pub fn new(dim: usize, config: &MoeConfig, num_writers: usize, vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            router: Router::new(dim, config, vb.pp("router"))?,
            experts: Experts::new(dim, config, num_writers, vb.pp("experts"))?,
        })
    }

    /// Maps `x` (S, D) to (S, D), with the losses that keep the router healthy.
    pub fn forward(&self, x: &Tensor) -> Result<(Tensor, RouterStats)> {
        let logits = self.router.logits(x)?; // (S, E)
        let (weights, routing) = self.router.route(&logits)?; // (S, top_k)
        let (balance, z) = router_losses(&logits, &routing)?;
        let load = routing.load().to_vec();
        let mixed = self.experts.forward(x, &weights, &routing)?; // (S, D)
        Ok((mixed, RouterStats { balance, z, load }))
    }

    /// Maps `x` (S, D) to (S, D) and the experts' load, without losses and without dropping.
    pub fn infer(&self, x: &Tensor) -> Result<(Tensor, Vec<u32>)> {
        let (weights, routing) = self.router.route_all(&self.router.logits(x)?)?;
        let load = routing.load().to_vec();
        Ok((self.experts.forward(x, &weights, &routing)?, load))
    }
}
