//! `avocet bench`: what this machine can do, and how near the model comes to it.

mod args;
mod decoding;
mod families;
mod rates;

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result};
use avocet_infer::Engine;
use avocet_model::ParameterCount;
use avocet_products::{memory_bandwidth, product_peak};
use avocet_train::{StepBench, step_bench};
use serde::Serialize;

pub use args::BenchArgs;
use rates::{Rate, add, best_of, head};

use crate::granted;
use crate::input::model;
use crate::ui::output::{self, Table};

/// Side of the picture that is looked at, in pixels.
const SIDE: usize = 224;
/// Images of a vision batch.
const IMAGES: usize = 16;

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
    train_step: StepBench,
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

/// Measures and prints.
pub fn run(args: &BenchArgs) -> Result<()> {
    // The memory of a family is measured as users will see it.
    if args.family.is_none() {
        granted::keep_freed_memory();
    }
    if let Some(family) = &args.family {
        return families::run(family, args);
    }
    if args.decoder {
        return families::decoder(args);
    }
    if args.train_step {
        let step = train_step(args)?;
        return if args.json {
            output::print_json(&step)
        } else {
            let mut table = head();
            training_rows(&mut table, &step);
            output::print(&table.to_text())
        };
    }
    let report = measure(args)?;
    if args.json {
        output::print_json(&report)
    } else {
        output::print(&table(&report))
    }
}

/// A preset's shape, or that of a model: training starts from fresh values, so weights are not
/// needed.
fn train_step(args: &BenchArgs) -> Result<StepBench> {
    let config = match avocet_config::preset(&args.model) {
        Ok(config) => config,
        Err(_) => model::open(&args.model)?.config().clone(),
    };
    Ok(step_bench(&config, args.steps, &args.placement())?)
}

fn measure(args: &BenchArgs) -> Result<Report> {
    let files = model::open(&args.model)?.placed(args.placement());
    let engine = Engine::load(&files)?;
    let config = engine.config();
    let sees = config.sees();
    let product_peak_gflops = product_peak(files.placement().precision);
    let bandwidth_gb_per_s = memory_bandwidth();
    let flops_per_s = product_peak_gflops * 1e9;
    let context = config.decoder.max_context;
    let ids: Vec<u32> = (0..context as u32).map(|i| 6 + i % 250).collect();
    let prompt_flops = avocet_config::text_flops(config, context, 0);
    let count = ParameterCount::of(config)?;
    // What one token reads: the active share of the weights, as they are stored.
    let share = count.active as f64 / count.total as f64;
    let bytes_per_token = share * files.weight_bytes() as f64;
    Ok(Report {
        model: config.name.clone(),
        product_peak_gflops,
        bandwidth_gb_per_s,
        vision: if sees {
            Some(vision(&engine, flops_per_s)?)
        } else {
            None
        },
        prefill: Rate {
            tokens_per_s: decoding::prefill(engine.model(), &[], &ids)?,
            limit_tokens_per_s: flops_per_s * context as f64 / prompt_flops,
        },
        decode: Rate {
            tokens_per_s: decoding::decode(engine.model(), &[], |step| 6 + step as u32)?,
            limit_tokens_per_s: bandwidth_gb_per_s * 1e9 / bytes_per_token,
        },
        cold_start_ms: if sees {
            Some(cold_start(&args.model)?)
        } else {
            None
        },
        train_step: train_step(args)?,
    })
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
    let flops = avocet_config::vision_flops(engine.config(), &[grid]);
    Ok(Vision {
        images_per_s: 1.0 / per_image,
        limit_images_per_s: flops_per_s / flops,
        remembered_speedup: first / again.max(1e-9),
    })
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

fn training_rows(table: &mut Table, step: &StepBench) {
    let peak = Some(step.peak_gflops);
    add(
        table,
        "training, all products",
        step.mfu * step.peak_gflops,
        "GFLOP/s",
        peak,
    );
    add(table, "training step", step.train_step_ms, "ms", None);
    add(table, "training", step.samples_per_s, "samples/s", None);
    add(
        table,
        "training, peak memory",
        step.peak_rss_mib,
        "MiB",
        None,
    );
}

fn table(report: &Report) -> String {
    let mut table = head();
    add(
        &mut table,
        "matrix products, peak",
        report.product_peak_gflops,
        "GFLOP/s",
        None,
    );
    add(
        &mut table,
        "memory bandwidth",
        report.bandwidth_gb_per_s,
        "GB/s",
        None,
    );
    if let Some(vision) = &report.vision {
        let limit = Some(vision.limit_images_per_s);
        add(&mut table, "vision", vision.images_per_s, "images/s", limit);
        add(
            &mut table,
            "a remembered image",
            vision.remembered_speedup,
            "x faster",
            None,
        );
    }
    let (prefill, decode) = (&report.prefill, &report.decode);
    let limit = Some(prefill.limit_tokens_per_s);
    add(
        &mut table,
        "prefill",
        prefill.tokens_per_s,
        "tokens/s",
        limit,
    );
    let limit = Some(decode.limit_tokens_per_s);
    add(&mut table, "decode", decode.tokens_per_s, "tokens/s", limit);
    if let Some(cold_start) = report.cold_start_ms {
        add(
            &mut table,
            "cold start to first token",
            cold_start,
            "ms",
            None,
        );
    }
    training_rows(&mut table, &report.train_step);
    format!("{}\n{}", report.model, table.to_text())
}
