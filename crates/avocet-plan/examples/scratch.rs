//! x
use avocet_plan::*;
fn main() -> Result<()> {
    let text = std::fs::read_to_string("/tmp/plan/gpt4.json").unwrap();
    let m: ModelShape = serde_json::from_str(&text).unwrap();
    for c in [
        described::size_claims(&m),
        described::training_claims(&m)?,
        planned_claims(&m)?,
        serving_claims(&m)?,
    ]
    .concat()
    {
        println!(
            "{} | {} | {} | {} | {}",
            c.part, c.described, c.recomputed, c.agrees, c.remark
        );
    }
    Ok(())
}
