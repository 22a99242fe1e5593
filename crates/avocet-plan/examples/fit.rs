//! Fits the rates of A100 and H100 anew and prints them: coordinate by coordinate, each a little up
//! and down, until nothing gets better. The rows that are fitted on are half of those there are; the
//! others stay for the tests.

use avocet_plan::{Gpu, Rates, layer_time, published};
use llama_layer::llama_layer;
use serde_json::Value;

#[path = "../measured/llama_layer.rs"]
mod llama_layer;

/// A rate's name, its place, and the range it may take.
type Knob = (&'static str, fn(&mut Rates) -> &mut f64, f64, f64);

const KNOBS: [Knob; 8] = [
    ("product", |r| &mut r.product, 0.5, 0.88),
    ("half_depth", |r| &mut r.half_depth, 1.0, 400.0),
    ("memory", |r| &mut r.memory, 0.5, 0.9),
    ("attention", |r| &mut r.attention, 0.2, 0.8),
    (
        "attention_backward",
        |r| &mut r.attention_backward,
        0.2,
        0.8,
    ),
    ("nvlink", |r| &mut r.nvlink, 0.4, 0.95),
    ("spread", |r| &mut r.spread, 1.0, 1.5),
    ("kernel_s", |r| &mut r.kernel_s, 2e-6, 2e-5),
];

fn fit(mut gpu: Gpu, names: &[&str], loss: impl Fn(&Gpu) -> f64) -> Gpu {
    let mut best = loss(&gpu);
    let mut factor = 1.2;
    while factor > 1.0005 {
        let mut better = false;
        for (name, rate, low, high) in KNOBS {
            if !names.contains(&name) {
                continue;
            }
            for change in [factor, 1.0 / factor] {
                let mut tried = gpu.clone();
                let value = rate(&mut tried.rates);
                *value = (*value * change).clamp(low, high);
                let found = loss(&tried);
                if found < best {
                    (gpu, best, better) = (tried, found, true);
                }
            }
        }
        if !better {
            factor = factor.sqrt();
        }
    }
    println!(
        "{}: {:#?}, root mean square error {:.2} %",
        gpu.name,
        gpu.rates,
        100.0 * best.sqrt()
    );
    gpu
}

fn mean_square(errors: impl IntoIterator<Item = f64>) -> f64 {
    let (sum, count) = errors.into_iter().fold((0.0, 0.0), |(sum, count), e: f64| {
        (sum + e * e, count + 1.0)
    });
    sum / count
}

fn main() {
    let a100 = Gpu::named("a100-80").expect("it is known");
    let is_1t = |row: &published::Truth| row.run.starts_with("megatron-1t");
    let a100 = fit(
        a100,
        &["product", "half_depth", "memory", "nvlink", "kernel_s"],
        |gpu| {
            let rows = published::megatron(gpu).expect("the layouts can be");
            mean_square(
                rows.iter()
                    .filter(|row| row.fitted && !is_1t(row))
                    .map(|row| row.error()),
            )
        },
    );
    fit(a100, &["spread"], |gpu| {
        let rows = published::megatron(gpu).expect("the layouts can be");
        mean_square(rows.iter().filter(|row| is_1t(row)).map(|row| row.error()))
    });
    let text = include_str!("../measured/h100.json");
    let measured: Value = serde_json::from_str(text).expect("it is JSON");
    let products = measured["products"].as_array().expect("rows");
    let of = |gpu: &Gpu, row: &Value| {
        let get = |i: usize| row[i].as_f64().expect("a number");
        gpu.product_s(1.0, get(0), get(1), get(2)) / get(3) - 1.0
    };
    let h100 = Gpu::named("h100").expect("it is known");
    let h100 = fit(
        h100,
        &["product", "half_depth", "memory", "kernel_s"],
        |gpu| mean_square(products.iter().step_by(2).map(|row| of(gpu, row))),
    );
    let others = mean_square(products.iter().skip(1).step_by(2).map(|row| of(&h100, row)));
    println!("products not fitted on: {:.2} %", 100.0 * others.sqrt());
    let layers = measured["layers"].as_array().expect("rows");
    let of = |gpu: &Gpu, row: &Value| {
        let (model, layout, work) = llama_layer(row);
        let time = layer_time(gpu, &model, &layout, &work, false);
        let get = |name: &str| row[name].as_f64().expect("a number");
        let forward = time.forward.total() / get("forward_s") - 1.0;
        let both = (time.forward.total() + time.backward.total()) / get("both_s") - 1.0;
        [forward, both]
    };
    let h100 = fit(h100, &["attention", "attention_backward"], |gpu| {
        mean_square(layers.iter().step_by(2).flat_map(|row| of(gpu, row)))
    });
    for (index, row) in layers.iter().enumerate() {
        let [forward, both] = of(&h100, row).map(|error| 100.0 * error);
        println!("layer {index}: forward {forward:+.1} %, both {both:+.1} %");
    }
}
