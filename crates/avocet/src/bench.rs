//! `avocet bench`: what this machine can do, and how near the model comes to it.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result};
use avocet_infer::Engine;
use avocet_model::ParameterCount;
use serde::Serialize;

use crate::args::BenchArgs;
use crate::output::Table;
use crate::{models, output};

/// Side of the picture that is looked at, in pixels.
const SIDE: usize = 224;
/// Images of a vision batch.
const IMAGES: usize = 16;
/// Tokens that time decoding.
const DECODED: usize = 64;
/// What a weight costs to read: it is held in f32 while decoding.
const BYTES_PER_WEIGHT: f64 = 4.0;
/// Repeats of each measurement; the best counts, as others only add waiting.
const REPEATS: usize = 3;

#[derive(Serialize)]
struct Report {
    model: String,
    /// Measured peak of f32 products, GFLOP/s.
    product_peak_gflops: f64,
    /// Measured memory bandwidth, GB/s.
    bandwidth_gb_per_s: f64,
    vision: Option<Vision>,
    prefill: Rate,
    decode: Rate,
    /// From starting the program to the first byte of its answer about a 224 x 224 picture.
    cold_start_ms: Option<f64>,
}

#[derive(Serialize)]
struct Vision {
    images_per_s: f64,
    limit_images_per_s: f64,
    /// A remembered image asked about again, against the first time.
    remembered_speedup: f64,
}

#[derive(Serialize)]
struct Rate {
    tokens_per_s: f64,
    /// What the machine's limit allows: the product peak for prefill, bandwidth for decode.
    limit_tokens_per_s: f64,
}

/// Measures and prints.
pub fn run(args: &BenchArgs) -> Result<()> {
    let engine = models::load(&args.model)?;
    let config = engine.config();
    let sees = config.vision.is_some();
    let product_peak_gflops = avocet_kernels::product_peak();
    let bandwidth_gb_per_s = avocet_kernels::memory_bandwidth();
    let flops_per_s = product_peak_gflops * 1e9;
    let context = config.decoder.max_context;
    let prompt_flops = avocet_model::text_flops(config, context, 0);
    let active = ParameterCount::of(config)?.active as f64;
    let report = Report {
        model: config.name.clone(),
        product_peak_gflops,
        bandwidth_gb_per_s,
        vision: if sees {
            Some(vision(&engine, flops_per_s)?)
        } else {
            None
        },
        prefill: Rate {
            tokens_per_s: prefill(&engine, context)?,
            limit_tokens_per_s: flops_per_s * context as f64 / prompt_flops,
        },
        decode: Rate {
            tokens_per_s: decode(&engine)?,
            limit_tokens_per_s: bandwidth_gb_per_s * 1e9 / (active * BYTES_PER_WEIGHT),
        },
        cold_start_ms: if sees {
            Some(cold_start(&args.model)?)
        } else {
            None
        },
    };
    if args.json {
        output::print_json(&report)
    } else {
        output::print(&table(&report))
    }
}

/// The shortest of some runs of `work`, in seconds.
fn best_of(mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..REPEATS {
        let start = Instant::now();
        work()?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    Ok(best)
}

fn vision(engine: &Engine, flops_per_s: f64) -> Result<Vision> {
    let mut shade = 0;
    let mut grid = (0, 0);
    let seconds = best_of(|| {
        // New pictures each time: remembered ones are not encoded again.
        let images = (0..IMAGES).map(|_| {
            shade += 1;
            engine.read_image(&bitmap(shade))
        });
        let images = images.collect::<Result<Vec<_>, _>>()?;
        grid = images[0].grid();
        Ok(engine.encode(&images)?)
    })?;
    let per_image = seconds / IMAGES as f64;
    let (file, image) = (bitmap(u8::MAX), [engine.read_image(&bitmap(u8::MAX))?]);
    let start = Instant::now();
    engine.encode(&image)?;
    let first = start.elapsed().as_secs_f64();
    let again = best_of(|| Ok(engine.encode(&[engine.read_image(&file)?])?))?;
    let flops = avocet_model::vision_flops(engine.config(), &[grid]);
    Ok(Vision {
        images_per_s: 1.0 / per_image,
        limit_images_per_s: flops_per_s / flops,
        remembered_speedup: first / again.max(1e-9),
    })
}

fn prefill(engine: &Engine, tokens: usize) -> Result<f64> {
    let ids: Vec<u32> = (0..tokens as u32).map(|i| 6 + i % 250).collect();
    let latest = vec![None; tokens];
    let seconds = best_of(|| {
        let mut cache = engine.model().new_cache(tokens)?;
        let keys = engine.model().cross_keys(None)?;
        let hidden = engine
            .model()
            .forward_cached(&ids, &latest, &keys, &mut cache)?;
        engine.model().logits(&hidden.narrow(0, tokens - 1, 1)?)?;
        Ok(())
    })?;
    Ok(tokens as f64 / seconds)
}

fn decode(engine: &Engine) -> Result<f64> {
    let steps = DECODED.min(engine.config().decoder.max_context);
    let seconds = best_of(|| {
        let mut cache = engine.model().new_cache(steps)?;
        let keys = engine.model().cross_keys(None)?;
        for step in 0..steps as u32 {
            let hidden = engine
                .model()
                .forward_cached(&[6 + step], &[None], &keys, &mut cache)?;
            engine
                .model()
                .logits(&hidden)?
                .flatten_all()?
                .to_vec1::<f32>()?;
        }
        Ok(())
    })?;
    Ok(steps as f64 / seconds)
}

/// Starts this program anew and waits for the first byte of its answer, in milliseconds.
fn cold_start(model: &str) -> Result<f64> {
    let program = std::env::current_exe().context("finding this program")?;
    let seconds = best_of(|| {
        let mut child = Command::new(&program)
            .args([
                "ask",
                "--model",
                model,
                "--max-tokens",
                "8",
                "-",
                "What is this?",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        child
            .stdin
            .take()
            .context("stdin is piped")?
            .write_all(&bitmap(1))?;
        let mut first = [0];
        child
            .stdout
            .take()
            .context("stdout is piped")?
            .read_exact(&mut first)?;
        // The rest of the answer is not timed; the broken pipe ends it.
        child.kill()?;
        child.wait()?;
        Ok(())
    })?;
    Ok(seconds * 1e3)
}

/// A [`SIDE`] x [`SIDE`] picture as a BMP file, different for each `shade`.
fn bitmap(shade: u8) -> Vec<u8> {
    const HEADER: usize = 54;
    let pixels = SIDE * SIDE * 3; // 224 * 3 is a multiple of 4: rows need no padding
    let mut file = Vec::with_capacity(HEADER + pixels);
    file.extend(b"BM");
    for word in [
        (HEADER + pixels) as u32,
        0,
        HEADER as u32,
        40,
        SIDE as u32,
        SIDE as u32,
    ] {
        file.extend(word.to_le_bytes());
    }
    for half in [1u16, 24] {
        file.extend(half.to_le_bytes());
    }
    for word in [0, pixels as u32, 2835, 2835, 0, 0] {
        file.extend(word.to_le_bytes());
    }
    for y in 0..SIDE {
        for x in 0..SIDE {
            let inside = x.abs_diff(SIDE / 2) + y.abs_diff(SIDE / 2) < SIDE / 3;
            file.extend(if inside {
                [shade, 40, 200]
            } else {
                [240, 235, (x & 0xff) as u8]
            });
        }
    }
    file
}

fn table(report: &Report) -> String {
    let mut table = Table::new(&["figure", "measured", "limit", "share"]);
    let mut row = |name: &str, measured: f64, unit: &str, limit: Option<f64>| {
        let share = limit.map_or(String::new(), |limit| {
            format!("{:.0} %", 100.0 * measured / limit)
        });
        let limit = limit.map_or(String::new(), |limit| format!("{limit:.0} {unit}"));
        table.row(vec![
            name.to_owned(),
            format!("{measured:.1} {unit}"),
            limit,
            share,
        ]);
    };
    row(
        "matrix products",
        report.product_peak_gflops,
        "GFLOP/s",
        None,
    );
    row("memory bandwidth", report.bandwidth_gb_per_s, "GB/s", None);
    if let Some(vision) = &report.vision {
        row(
            "vision",
            vision.images_per_s,
            "images/s",
            Some(vision.limit_images_per_s),
        );
        row(
            "a remembered image",
            vision.remembered_speedup,
            "x faster",
            None,
        );
    }
    let (prefill, decode) = (&report.prefill, &report.decode);
    row(
        "prefill",
        prefill.tokens_per_s,
        "tokens/s",
        Some(prefill.limit_tokens_per_s),
    );
    row(
        "decode",
        decode.tokens_per_s,
        "tokens/s",
        Some(decode.limit_tokens_per_s),
    );
    if let Some(cold_start) = report.cold_start_ms {
        row("cold start to first token", cold_start, "ms", None);
    }
    format!("{}\n{}", report.model, table.to_text())
}
