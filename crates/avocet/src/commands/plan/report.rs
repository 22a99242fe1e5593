//! What every plan says: the model's sizes, and what the flags ask for below.

use anyhow::Result;
use avocet_plan::described::Claim;
use avocet_plan::published::{self, Truth};
use avocet_plan::{Count, Figure, Gpu, ModelShape, text};
use serde::Serialize;

use super::args::PlanArgs;
use crate::ui::output;

/// Sizes of a model for JSON.
#[derive(Serialize)]
pub struct Sizes {
    name: String,
    total: u64,
    active: u64,
    per_expert: u64,
    by_part: std::collections::BTreeMap<&'static str, u64>,
}

impl Sizes {
    /// Counts the parameters.
    pub fn of(model: &ModelShape) -> Self {
        let count = Count::of(model);
        Self {
            name: model.name.clone(),
            total: count.total(),
            active: count.active,
            per_expert: count.per_expert,
            by_part: count
                .by_part()
                .into_iter()
                .filter(|(_, n)| *n > 0)
                .collect(),
        }
    }
}

/// One line about the model, and its parts.
pub fn headline(model: &ModelShape) -> String {
    let count = Count::of(model);
    let total = count.total() as f64;
    format!(
        "{}: {} parameters, {} active for a token\n{}",
        model.name,
        output::count(count.total()),
        output::count(count.active),
        text::parts(&count.by_part(), total)
    )
}

/// Every published row.
fn all_truth() -> Result<Vec<Truth>> {
    let (a100, h100, h800) = (
        Gpu::named("a100-80")?,
        Gpu::named("h100")?,
        Gpu::named("h800")?,
    );
    Ok([
        published::megatron(&a100)?,
        published::llama(&h100)?,
        published::deepseek(&h800, &h100)?,
        avocet_plan::machine::measured(),
    ]
    .concat())
}

/// The parts that follow every plan, as the flags say.
pub fn appendix(args: &PlanArgs, claims: &[Claim], figures: &[Figure]) -> Result<String> {
    let mut out = String::new();
    if args.truth {
        out.push_str(&format!("\n{}", text::truth(&all_truth()?)));
    }
    if args.explain {
        let of_claims = claims.iter().flat_map(|claim| &claim.figures);
        let all: Vec<&Figure> = of_claims.chain(figures).collect();
        out.push_str(&format!("\n{}", text::explained(&all)));
    }
    Ok(out)
}
