//! The planner against what was published and measured: every row within its tolerance, fitted or not.

use avocet_plan::{Gpu, Recompute, Result, layer_activations, layer_time, machine, published};
use llama_layer::llama_layer;

#[path = "../measured/llama_layer.rs"]
mod llama_layer;

fn gpu(name: &str) -> Gpu {
    Gpu::named(name).expect("it is known")
}

/// Errors of the rows, which all must hold; at least `tests` of them were not fitted on.
fn hold(rows: &[published::Truth], tests: usize) {
    for row in rows {
        assert!(row.holds(), "{:+.1} %: {row:?}", 100.0 * row.error());
    }
    let free = rows.iter().filter(|row| !row.fitted).count();
    assert!(free >= tests, "{free} rows were not fitted on");
}

#[test]
fn megatrons_layers_and_batches_are_planned_within_a_tenth() -> Result<()> {
    let rows = published::megatron(&gpu("a100-80"))?;
    assert_eq!(rows.iter().filter(|row| row.quantity == "batch").count(), 8);
    hold(&rows, 4);
    Ok(())
}

#[test]
fn llamas_throughput_is_planned_by_rates_fitted_on_other_things() -> Result<()> {
    let rows = published::llama(&gpu("h100"))?;
    assert!(rows.iter().all(|row| !row.fitted));
    hold(&rows, 2);
    Ok(())
}

#[test]
fn deepseeks_serving_is_planned_by_rates_fitted_on_sglangs() -> Result<()> {
    let rows = published::deepseek(&gpu("h800"), &gpu("h100"))?;
    let deepseek = rows.iter().filter(|row| row.run.ends_with("H800"));
    assert!(deepseek.clone().count() == 2 && deepseek.clone().all(|row| !row.fitted));
    hold(&rows, 2);
    Ok(())
}

#[test]
fn our_own_runs_are_planned() {
    let rows = machine::measured();
    assert!(!rows.is_empty());
    hold(&rows, 4);
}

#[test]
fn products_measured_on_an_h100_follow_the_curve() -> std::result::Result<(), serde_json::Error> {
    let measured: serde_json::Value = serde_json::from_str(include_str!("../measured/h100.json"))?;
    let gpu = gpu("h100");
    let products = measured["products"].as_array().expect("rows");
    let mut sum = 0.0;
    for row in products {
        let get = |index: usize| row[index].as_f64().expect("a number");
        let error = gpu.product_s(1.0, get(0), get(1), get(2)) / get(3) - 1.0;
        // Single shapes fall between the block sizes of the library.
        assert!(error.abs() < 0.3, "{row}: {error:+.2}");
        sum += error * error;
    }
    let mean = (sum / products.len() as f64).sqrt();
    assert!(mean < 0.08, "root mean square {mean:.3}");
    Ok(())
}

#[test]
fn what_layers_kept_on_an_h100_is_counted() -> std::result::Result<(), serde_json::Error> {
    let measured: serde_json::Value = serde_json::from_str(include_str!("../measured/h100.json"))?;
    for row in measured["layers"].as_array().expect("rows") {
        let get = |name: &str| row[name].as_u64().expect("a number");
        let (model, layout, work) = llama_layer(row);
        let tokens = get("batch") * get("tokens");
        let counted =
            layer_activations(&model, &layout, &work, Recompute::None, false) * tokens as f64;
        // What the layer gave is not kept by it.
        let kept = get("saved_bytes") as f64 - (2 * tokens * get("dim")) as f64;
        let error = counted / kept - 1.0;
        // The compiler computes norms again where the stream is wide beside the rest, as it is for
        // one GPU of a tensor group without sequence parallelism.
        let whole = get("ff_dim") > get("dim");
        let (low, high) = if whole { (-0.06, 0.01) } else { (0.1, 0.2) };
        assert!((low..high).contains(&error), "{row}: {error:+.3}");
    }
    Ok(())
}

#[test]
fn layers_timed_on_an_h100_are_planned() -> std::result::Result<(), serde_json::Error> {
    let measured: serde_json::Value = serde_json::from_str(include_str!("../measured/h100.json"))?;
    for row in measured["layers"].as_array().expect("rows") {
        let seconds = |name: &str| row[name].as_f64().expect("a number");
        let (model, layout, work) = llama_layer(row);
        let time = layer_time(&gpu("h100"), &model, &layout, &work, false);
        let forward = time.forward.total() / seconds("forward_s") - 1.0;
        let both = (time.forward.total() + time.backward.total()) / seconds("both_s") - 1.0;
        assert!(
            forward.abs() < 0.12 && both.abs() < 0.06,
            "{row}: {forward:+.3} {both:+.3}"
        );
    }
    Ok(())
}
