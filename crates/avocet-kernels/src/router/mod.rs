//! Choosing experts: each row of logits picks its top k, and two losses keep the choice healthy.
//!
//! Sparse mixture of experts, arXiv:1701.06538; Switch, arXiv:2101.03961; ST-MoE, arXiv:2202.08906.

mod choice;
mod losses;
mod routing;
mod weights;

#[cfg(test)]
mod tests;

use candle_core::{Result, Tensor, bail};

use crate::fused::{apply, is_fused};
pub use losses::router_losses;
pub(crate) use routing::Plan;
pub use routing::Routing;
pub use weights::RouterKind;
use weights::Weights;

/// Picks the `top_k` experts of each row of `logits` (S, E) and weighs them.
///
/// The weights (S, k) are the softmax over all experts, renormalised over the chosen ones, and
/// carry the gradient of the logits. `bias` (E) is added to the probabilities for the choice
/// alone, and moves no weight (arXiv:2408.15664). With a `capacity_factor` an expert takes at
/// most `ceil(factor * S * k / E)` choices; those beyond are dropped and add nothing.
///
/// Errors if `top_k` is 0 or exceeds E, or the bias has another length.
pub fn route(
    logits: &Tensor,
    top_k: usize,
    bias: Option<&Tensor>,
    capacity_factor: Option<f64>,
) -> Result<(Tensor, Routing)> {
    route_by(
        RouterKind::Renormalized,
        logits,
        top_k,
        bias,
        capacity_factor,
    )
}

/// As [`route`], with the choices weighed as `kind` says.
///
/// Errors also if a sparse mixer is to choose another number than 2, or is given a bias.
pub fn route_by(
    kind: RouterKind,
    logits: &Tensor,
    top_k: usize,
    bias: Option<&Tensor>,
    capacity_factor: Option<f64>,
) -> Result<(Tensor, Routing)> {
    let (rows, num_experts) = logits.dims2()?;
    let mixes = matches!(kind, RouterKind::SparseMixer { .. });
    if mixes && top_k != 2 {
        bail!("route: a sparse mixer chooses 2 experts, but top_k is {top_k}");
    }
    if mixes && bias.is_some() {
        bail!("route: a sparse mixer takes no bias");
    }
    if top_k == 0 || top_k > num_experts {
        bail!("route: top_k is {top_k} but there are {num_experts} experts");
    }
    if rows.saturating_mul(top_k) >= u32::MAX as usize {
        bail!("route: {rows} rows of {top_k} choices are too many");
    }
    if let Some(bias) = bias.filter(|bias| bias.dims() != [num_experts]) {
        bail!(
            "route: the bias has shape {:?} but there are {num_experts} experts",
            bias.dims()
        );
    }
    let capacity = match capacity_factor {
        Some(factor) => (factor * (rows * top_k) as f64 / num_experts as f64).ceil() as usize,
        None => usize::MAX,
    };
    // A sparse mixer compares the logits themselves.
    let softmax = !mixes;
    let routing = if is_fused(logits) {
        let experts = choice::on_host(logits, top_k, bias, softmax)?;
        Routing::on_host(experts, num_experts, top_k, capacity)
    } else {
        let experts = choice::on_device(logits, top_k, bias, softmax)?;
        Routing::on_device(experts, num_experts, capacity)?
    };
    let weights = Weights {
        kind,
        routing: routing.clone(),
    };
    Ok((apply(weights, [logits])?, routing))
}
