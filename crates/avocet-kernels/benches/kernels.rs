//! Milliseconds of each operation, forward and forward with backward, at the shapes of the small
//! preset; `tests/compare/kernels.py` prints PyTorch's for the same. An argument runs only the
//! operations whose line contains it.

use std::time::Instant;

use avocet_kernels::{
    Activation, KeyRanges, Precision, RopeAngles, activate, attention, conv2d, cross_entropy,
    ctc_loss, depthwise_conv3, gated_add, layer_norm, patches_to_pixels, rms_norm, rope,
};
use candle_core::{Device, Result, Shape, Tensor, Var};

/// Numbers in [-1, 1) without structure (splitmix64), the same for the same salt.
fn noise(shape: impl Into<Shape>, salt: u64) -> Result<Var> {
    let shape = shape.into();
    let values = (0..shape.elem_count() as u64).map(|i| {
        let mut z = (i + (salt << 40)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    });
    let values: Vec<f32> = values.collect();
    Var::from_tensor(&Tensor::from_vec(values, shape, &Device::Cpu)?)
}

/// Milliseconds on the clock and of processor time; the latter is steady on a busy machine.
#[derive(Clone, Copy)]
struct Time {
    wall: f64,
    cpu: f64,
}

/// Processor time of all threads so far, or nothing where the system does not tell.
fn cpu_ms() -> f64 {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else {
        return 0.0;
    };
    let spent = tasks.filter_map(|task| {
        let stat = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        stat.split(' ').next()?.parse::<f64>().ok()
    });
    spent.sum::<f64>() / 1e6
}

/// The best of several runs.
fn best(mut run: impl FnMut() -> Result<()>) -> Result<Time> {
    run()?;
    let mut least = Time {
        wall: f64::INFINITY,
        cpu: f64::INFINITY,
    };
    let started = Instant::now();
    for i in 0.. {
        if i >= 3 && started.elapsed().as_secs_f64() > 0.4 {
            break;
        }
        let (start, cpu) = (Instant::now(), cpu_ms());
        run()?;
        least.wall = least.wall.min(start.elapsed().as_secs_f64() * 1e3);
        least.cpu = least.cpu.min(cpu_ms() - cpu);
    }
    Ok(least)
}

fn report(name: &str, inputs: &[Var], f: impl Fn(&[Tensor]) -> Result<Tensor>) -> Result<()> {
    if std::env::args()
        .nth(1)
        .is_some_and(|only| !only.starts_with('-') && !name.contains(&only))
    {
        return Ok(());
    }
    let vars: Vec<Tensor> = inputs.iter().map(|v| v.as_tensor().clone()).collect();
    let detached: Vec<Tensor> = inputs.iter().map(|v| v.as_detached_tensor()).collect();
    let forward = best(|| f(&detached).map(drop))?;
    let both = best(|| f(&vars)?.backward().map(drop))?;
    println!(
        "{name:<48} {:9.3} {:9.3} {:9.3} {:9.3}",
        forward.wall, both.wall, forward.cpu, both.cpu
    );
    Ok(())
}

fn attentions() -> Result<()> {
    let images = |n: usize| (0..=64).map(|i| i * n).collect::<Vec<_>>();
    for n in [64, 144] {
        let qkv = [
            noise((64 * n, 6, 32), 1)?,
            noise((64 * n, 6, 32), 2)?,
            noise((64 * n, 6, 32), 3)?,
        ];
        let ranges = KeyRanges::within(&images(n));
        report(
            &format!("attention, 64 images x {n}, 6 heads x 32"),
            &qkv,
            |t| attention(&t[0], &t[1], &t[2], &ranges, 0.177, Precision::F32),
        )?;
    }
    let offsets: Vec<usize> = (0..=64)
        .map(|i| i * 20 + i * (i - i.min(1)) * 40 / 64 / 2)
        .collect();
    let tokens = offsets[64];
    let qkv = [
        noise((tokens, 8, 32), 1)?,
        noise((tokens, 1, 32), 2)?,
        noise((tokens, 1, 32), 3)?,
    ];
    let ranges = KeyRanges::causal(&offsets);
    report(
        &format!("attention, 64 texts, {tokens} tokens, MQA 8 x 32"),
        &qkv,
        |t| attention(&t[0], &t[1], &t[2], &ranges, 0.177, Precision::F32),
    )?;
    let qkv = [
        noise((64 * 25, 8, 32), 1)?,
        noise((64 * 144, 8, 32), 2)?,
        noise((64 * 144, 8, 32), 3)?,
    ];
    let latest = (0..64 * 25u32)
        .map(|i| (i / 25 * 144, (i / 25 + 1) * 144))
        .collect();
    let ranges = KeyRanges::new(latest);
    report(
        "attention, 64 x 25 tokens x 144 latents, 8 x 32",
        &qkv,
        |t| attention(&t[0], &t[1], &t[2], &ranges, 0.177, Precision::F32),
    )?;
    for keys in [512usize, 8192] {
        let qkv = [
            noise((1, 8, 32), 1)?,
            noise((keys, 1, 32), 2)?,
            noise((keys, 1, 32), 3)?,
        ];
        let ranges = KeyRanges::causal_after(keys - 1, 1);
        report(
            &format!("attention, decode over {keys} keys, MQA 8 x 32"),
            &qkv,
            |t| attention(&t[0], &t[1], &t[2], &ranges, 0.177, Precision::F32),
        )?;
    }
    let qkv = [
        noise((2048, 8, 32), 1)?,
        noise((2048, 1, 32), 2)?,
        noise((2048, 1, 32), 3)?,
    ];
    let ranges = KeyRanges::causal(&[0, 2048]);
    report("attention, causal, 2048 tokens, MQA 8 x 32", &qkv, |t| {
        attention(&t[0], &t[1], &t[2], &ranges, 0.177, Precision::F32)
    })
}

fn main() -> Result<()> {
    println!(
        "{:<48} {:>9} {:>9} {:>9} {:>9}",
        "milliseconds", "forward", "both", "cpu", "both"
    );
    attentions()?;
    for (side, channels, outputs) in [(96, 3, 32), (48, 32, 64), (24, 64, 192)] {
        let inputs = [
            noise((64 * side * side, channels), 1)?,
            noise((outputs, 9 * channels), 2)?,
            noise(outputs, 3)?,
        ];
        let grids = vec![(side, side); 64];
        report(
            &format!("conv2d, 64 x {side} x {side}, {channels} to {outputs}"),
            &inputs,
            |t| conv2d(&t[0], &(&t[1]).into(), &t[2], &grids, 3, 2),
        )?;
    }
    let rows = 64 * 144;
    let grids = vec![(12, 12); 64];
    report(
        "depthwise_conv3, 64 x 12 x 12, 192",
        &[noise((rows, 192), 1)?, noise((9, 192), 2)?],
        |t| depthwise_conv3(&t[0], &t[1], &grids),
    )?;
    report(
        "patches_to_pixels, 64 x 12 x 12, 8",
        &[noise((rows, 192), 1)?],
        |t| patches_to_pixels(&t[0], &grids, 8),
    )?;
    let wide = [noise((rows, 192), 1)?, noise(192, 2)?, noise(192, 3)?];
    report("rms_norm, 9216 x 192", &wide[..2], |t| {
        rms_norm(&t[0], &t[1], 1e-5)
    })?;
    report("layer_norm, 9216 x 192", &wide, |t| {
        layer_norm(&t[0], &t[1], &t[2], 1e-5)
    })?;
    let angles = RopeAngles::text(&(0..rows as u32).collect::<Vec<_>>(), 32, 1e4)?;
    report("rope, 9216 x 6 x 32", &[noise((rows, 6, 32), 1)?], |t| {
        rope(&t[0], &angles)
    })?;
    let gated = [noise((rows, 192), 1)?, noise((rows, 192), 2)?, noise(1, 3)?];
    report("gated_add, 9216 x 192", &gated, |t| {
        gated_add(&t[0], &t[1], &t[2])
    })?;
    report("gelu, 9216 x 768", &[noise((rows, 768), 1)?], |t| {
        activate(&t[0], Activation::Gelu)
    })?;
    let targets: Vec<u32> = (0..2048u32).map(|i| i * 7 % 2048).collect();
    let head = [noise((2048, 256), 1)?, noise((2048, 256), 2)?];
    report("cross_entropy, 2048 x 256, vocabulary 2048", &head, |t| {
        cross_entropy(&t[0], &(&t[1]).into(), &targets, &[1.0; 2048])
    })?;
    let offsets: Vec<usize> = (0..=64).map(|i| i * 48).collect();
    let labels: Vec<Vec<u32>> = (0..64u32)
        .map(|i| (0..12).map(|j| 1 + (i + j) % 90).collect())
        .collect();
    report(
        "ctc_loss, 64 x 48 frames, 100 labels",
        &[noise((64 * 48, 100), 1)?],
        |t| ctc_loss(&t[0], &offsets, &labels, &[1.0; 64], 0),
    )
}
