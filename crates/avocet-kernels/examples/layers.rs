//! Prints the speed of the layers that hold most products, beside that of products alone:
//! `cargo run --release -p avocet-kernels --example layers`.

use std::time::Instant;

use avocet_kernels::{Weight, expert_ffn, route, swiglu_ffn};
use avocet_products::{Precision, product_peak};
use candle_core::{Device, Result, Tensor, Var};

fn main() -> Result<()> {
    for precision in [Precision::F32, Precision::Bf16] {
        let peak = product_peak(precision);
        println!("\n{precision:?}: peak {peak:.0} GFLOP/s");
        layers(precision, peak)?;
    }
    Ok(())
}

/// Forward and backward of the layers that hold most products.
fn layers(precision: Precision, peak: f64) -> Result<()> {
    let (rows, width, hidden, experts) = (4096, 256, 512, 16);
    let random = |shape: &[usize]| Var::randn(0f32, 0.05, shape, &Device::Cpu);
    let weight = |shape: &[usize]| -> Result<Weight> {
        Ok(Weight::from(random(shape)?.as_tensor()).with_precision(precision))
    };
    let x = random(&[rows, width])?;
    let flops = |products: usize| 6.0 * (rows * width * products) as f64;

    let w = weight(&[3 * width, width])?;
    let speed = gradient_speed(flops(3 * width), || w.linear(&x))?;
    report("linear, forward and backward", speed, peak);

    let up = weight(&[2 * hidden, width])?;
    let down = weight(&[width, hidden])?;
    let speed = gradient_speed(flops(3 * hidden), || swiglu_ffn(&x, &up, &down))?;
    report("swiglu_ffn, forward and backward", speed, peak);

    let hidden = 128;
    let up = weight(&[experts, 2 * hidden, width])?;
    let down = weight(&[experts, width, hidden])?;
    let logits = random(&[rows, experts])?;
    let (weights, routing) = route(&logits, 2, None, None)?;
    let speed = gradient_speed(flops(2 * 3 * hidden), || {
        expert_ffn(&x, &weights, &up, &down, &routing)
    })?;
    report("expert_ffn, forward and backward", speed, peak);
    Ok(())
}

fn gradient_speed(flops: f64, f: impl Fn() -> Result<Tensor>) -> Result<f64> {
    let mut best = f64::MAX;
    for _ in 0..20 {
        let begin = Instant::now();
        f()?.backward()?;
        best = best.min(begin.elapsed().as_secs_f64());
    }
    Ok(flops / 1e9 / best)
}

fn report(what: &str, speed: f64, peak: f64) {
    println!(
        "{what:36} {speed:8.1} GFLOP/s {:5.1} %",
        100.0 * speed / peak
    );
}
