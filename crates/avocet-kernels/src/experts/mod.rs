//! The experts of a mixture: each is a SwiGLU feed-forward layer over the rows that chose it.
//!
//! Rows are gathered by expert, every expert is a few dense products, and each row then adds up
//! its own slots in the order of its choices: no padding, and no two tasks write one place.
//! MegaBlocks, arXiv:2211.15841, without the padding to blocks.

mod by_expert;
mod dense;
mod infer;
mod slots;
mod stored;

#[cfg(test)]
mod tests;

use candle_core::{DType, Result, Tensor, bail};

use crate::fused::{apply, is_fused};
use crate::router::Routing;
use crate::weight::{Numbers, Weight};
pub(crate) use by_expert::by_expert;
use dense::{ExpertDown, ExpertGateUp};
pub use infer::infer_experts;
use stored::StoredExperts;

/// The weighted sum of each row's experts, (S, D).
///
/// `x` is (S, D), `weights` (S, k) as given by [`route`](crate::route) with `routing`, `gate_up`
/// (E, 2F, D) and `down` (E, D, F). A dropped choice adds nothing. BF16 weights are for inference
/// only: they get no gradient. Of stored matrices only the experts that rows chose are read.
///
/// Errors if the shapes disagree with each other or with `routing`.
pub fn expert_ffn(
    x: &Tensor,
    weights: &Tensor,
    gate_up: &Weight,
    down: &Weight,
    routing: &Routing,
) -> Result<Tensor> {
    check_shapes(x, weights, gate_up, down, routing)?;
    match (&gate_up.numbers, &down.numbers) {
        (Numbers::Tensor(up), Numbers::Tensor(to)) if is_fused(x) => {
            let gate_up = ExpertGateUp {
                routing: routing.clone(),
                precision: gate_up.precision,
            };
            let down = ExpertDown {
                routing: routing.clone(),
                precision: down.precision,
            };
            apply(down, [&apply(gate_up, [x, up])?, weights, to])
        }
        (Numbers::Stored(up), Numbers::Stored(to))
            if is_fused(x) && weights.dtype() == DType::F32 =>
        {
            let op = StoredExperts {
                gate_up: up.clone(),
                down: to.clone(),
                routing: routing.clone(),
                precisions: [gate_up.precision, down.precision],
            };
            apply(op, [x, weights])
        }
        _ => by_expert(x, weights, gate_up, down, routing),
    }
}

fn check_shapes(
    x: &Tensor,
    weights: &Tensor,
    gate_up: &Weight,
    down: &Weight,
    routing: &Routing,
) -> Result<()> {
    let (rows, width) = x.dims2()?;
    let (&[experts, doubled, inputs], &[down_experts, outputs, hidden]) =
        (gate_up.dims(), down.dims())
    else {
        bail!(
            "expert_ffn: w_gate_up has shape {:?} and w_down {:?}, not three dimensions",
            gate_up.dims(),
            down.dims()
        );
    };
    if inputs != width || outputs != width {
        bail!(
            "expert_ffn: the rows of x have width {width} but w_gate_up takes {inputs} and \
             w_down gives {outputs}"
        );
    }
    if hidden.checked_mul(2) != Some(doubled) {
        bail!("expert_ffn: w_gate_up gives {doubled}, not twice the {hidden} that w_down takes");
    }
    if width == 0 || hidden == 0 {
        bail!("expert_ffn: experts of width {width} and hidden width {hidden}");
    }
    if experts != routing.num_experts() || down_experts != experts {
        bail!(
            "expert_ffn: routing to {} experts, w_gate_up of {experts}, w_down of {down_experts}",
            routing.num_experts()
        );
    }
    let routed = (routing.num_rows(), routing.top_k());
    if rows != routed.0 || weights.dims() != [routed.0, routed.1] {
        bail!(
            "expert_ffn: {rows} rows and weights of shape {:?}, but routing of {} rows by {}",
            weights.dims(),
            routed.0,
            routed.1
        );
    }
    Ok(())
}
