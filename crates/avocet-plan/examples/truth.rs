//! Prints every published row beside what the planner makes of it.

use avocet_plan::{Gpu, machine, published};

fn main() -> Result<(), avocet_plan::PlanError> {
    let a100 = Gpu::named("a100-80")?;
    let h100 = Gpu::named("h100")?;
    let h800 = Gpu::named("h800")?;
    let rows = [
        published::megatron(&a100)?,
        published::llama(&h100)?,
        published::deepseek(&h800, &h100)?,
        machine::measured(),
    ];
    for row in rows.iter().flatten() {
        println!(
            "{:45} {:22} {:>9.3} {:>9.3} {:>+7.1} % {} {}",
            row.run,
            row.quantity,
            row.published,
            row.planned,
            100.0 * row.error(),
            if row.fitted { "fitted" } else { "" },
            if row.holds() { "" } else { "OFF" }
        );
    }
    Ok(())
}
