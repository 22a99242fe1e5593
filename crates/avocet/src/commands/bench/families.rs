//! `avocet bench --family`: speed and memory of random models that are shaped like the public
//! families.
//!
//! The weights are written to a temporary folder in BF16 and mapped from there, as those of a real
//! model are. Each family is measured in a process of its own, whose peak memory is the family's.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use avocet_checkpoint::{ModelFiles, save_random};
use avocet_config::ModelConfig;
use avocet_kernels::{HOST, Placement};
use avocet_model::{ImageKeys, Images, ParameterCount, VisionLanguageModel};
use avocet_products::{memory_bandwidth, product_peak};
use avocet_train::step_bench::peak_rss_mib;
use candle_core::Tensor;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::args::BenchArgs;
use super::decoding;
use super::rates::{Rate, add, best_of, head};
use crate::input::{embedded, model};
use crate::ui::output::{self, Table};

/// What stands for every family.
const ALL: &str = "all";
const SEED: u64 = 1;
/// Pictures that are encoded together.
const PICTURES: usize = 4;
/// Side of a picture that a tower of any size sees, in pixels.
const SIDE: usize = 224;
/// Tokens of the text that is read.
const PROMPT: usize = 512;

/// What is printed as JSON.
#[derive(Serialize, Deserialize)]
struct Report {
    families: Vec<Family>,
}

#[derive(Serialize, Deserialize)]
struct Family {
    family: String,
    parameters: u64,
    /// Those that one text token meets.
    active_parameters: u64,
    weights_mb: f64,
    /// Opening, checking and building over weights that the kernel has in its cache.
    load_ms: f64,
    vision: Option<Seeing>,
    prompt_tokens: usize,
    prefill: Rate,
    decode: Rate,
    /// The most memory held up to here, mapped weights included.
    peak_rss_mib: Option<f64>,
    product_peak_gflops: f64,
    bandwidth_gb_per_s: f64,
}

#[derive(Serialize, Deserialize)]
struct Seeing {
    images_per_s: f64,
    limit_images_per_s: f64,
}

/// Measures one family, or all of them one after another, and prints.
pub fn run(family: &str, args: &BenchArgs) -> Result<()> {
    let families = if family == ALL {
        let each = avocet_config::family_names().map(|name| in_child(name, args));
        each.collect::<Result<_>>()?
    } else {
        vec![measure(&config_of(family)?, &args.placement())?]
    };
    let report = Report { families };
    if args.json {
        output::print_json(&report)
    } else {
        output::print(&table(&report.families))
    }
}

/// What is printed of a decoder alone.
#[derive(Serialize)]
struct Decoder {
    prompt_tokens: usize,
    prefill: Rate,
    decode: Rate,
}

/// Measures the decoder of a model, as that of a family is, and prints.
pub fn decoder(args: &BenchArgs) -> Result<()> {
    let files = model::open(&args.model)?.placed(args.placement());
    let config = files.config();
    let model = VisionLanguageModel::new(config, files.builder()?)?;
    let prompt_tokens = PROMPT.min(config.decoder.max_context);
    let (prefill_per_s, decode_per_s) = speeds(&model, &[], prompt_tokens)?;
    let limits = Limits::of(&files, prompt_tokens, 0)?;
    let report = Decoder {
        prompt_tokens,
        prefill: limits.prefill(prefill_per_s),
        decode: limits.decode(decode_per_s),
    };
    if args.json {
        return output::print_json(&report);
    }
    let mut table = head();
    for (name, rate) in [("prefill", &report.prefill), ("decode", &report.decode)] {
        let limit = Some(rate.limit_tokens_per_s);
        add(&mut table, name, rate.tokens_per_s, "tokens/s", limit);
    }
    output::print(&table.to_text())
}

fn config_of(family: &str) -> Result<ModelConfig> {
    let path = Path::new(family);
    if path.extension().is_none_or(|ending| ending != "toml") {
        return Ok(avocet_config::family(family)?);
    }
    let text = std::fs::read_to_string(path).with_context(|| family.to_owned())?;
    ModelConfig::from_toml(&text).with_context(|| family.to_owned())
}

/// Measures a family in a new process of this program.
fn in_child(family: &str, args: &BenchArgs) -> Result<Family> {
    output::note(&format!("{family}\n"));
    let program = std::env::current_exe().context("finding this program")?;
    let precision = args.precision.to_possible_value();
    let precision = precision.context("a precision has a name")?;
    let done = Command::new(program)
        .args(["bench", "--json", "--family", family])
        .args(["--precision", precision.get_name()])
        .stderr(Stdio::inherit())
        .output()?;
    if !done.status.success() {
        bail!("measuring {family} ended with {}", done.status);
    }
    let report: Report = serde_json::from_slice(&done.stdout)?;
    let mut families = report.families.into_iter();
    families.next().context("a report of one family")
}

fn measure(config: &ModelConfig, placement: &Placement) -> Result<Family> {
    let folder = tempfile::tempdir()?;
    save_random(folder.path(), config, embedded::TOKENIZER, SEED)?;
    let load = || -> Result<(ModelFiles, VisionLanguageModel)> {
        let files = ModelFiles::open(folder.path())?.placed(placement.clone());
        let model = VisionLanguageModel::new(config, files.builder()?)?;
        Ok((files, model))
    };
    let load_s = best_of(|| load().map(drop))?;
    let (files, model) = load()?;
    let count = ParameterCount::of(config)?;

    let sight = config.sees().then(|| see(&model)).transpose()?;
    let num_latents = sight.as_ref().map_or(0, |sight| sight.num_latents);
    let keys: Vec<&ImageKeys> = sight.iter().map(|sight| &sight.keys).collect();
    let prompt_tokens = PROMPT.min(config.decoder.max_context);
    let (prefill_per_s, decode_per_s) = speeds(&model, &keys, prompt_tokens)?;
    let peak_rss_mib = peak_rss_mib();

    // After the peak was read: measuring the limits takes memory of its own.
    let limits = Limits::of(&files, prompt_tokens, num_latents)?;
    Ok(Family {
        family: config.name.clone(),
        parameters: count.total,
        active_parameters: count.active,
        weights_mb: files.weight_bytes() as f64 / 1e6,
        load_ms: load_s * 1e3,
        vision: sight.map(|sight| Seeing {
            images_per_s: sight.images_per_s,
            limit_images_per_s: limits.product_peak_gflops * 1e9
                / avocet_config::vision_flops(config, &[sight.grid]),
        }),
        prompt_tokens,
        prefill: limits.prefill(prefill_per_s),
        decode: limits.decode(decode_per_s),
        peak_rss_mib,
        product_peak_gflops: limits.product_peak_gflops,
        bandwidth_gb_per_s: limits.bandwidth_gb_per_s,
    })
}

/// What this machine allows a model.
struct Limits {
    product_peak_gflops: f64,
    bandwidth_gb_per_s: f64,
    prefill_per_s: f64,
    decode_per_s: f64,
}

impl Limits {
    /// For a prompt of so many tokens that see so many latents.
    fn of(files: &ModelFiles, prompt_tokens: usize, num_latents: usize) -> Result<Self> {
        let config = files.config();
        let count = ParameterCount::of(config)?;
        let (product_peak_gflops, bandwidth_gb_per_s) = (
            product_peak(files.placement().precision),
            memory_bandwidth(),
        );
        let prompt_flops = avocet_config::text_flops(config, prompt_tokens, num_latents);
        let share = met(config, &count) as f64 / count.total as f64;
        let bytes_per_token = share * files.weight_bytes() as f64;
        Ok(Self {
            product_peak_gflops,
            bandwidth_gb_per_s,
            prefill_per_s: product_peak_gflops * 1e9 * prompt_tokens as f64 / prompt_flops,
            decode_per_s: bandwidth_gb_per_s * 1e9 / bytes_per_token,
        })
    }

    fn prefill(&self, tokens_per_s: f64) -> Rate {
        Rate {
            tokens_per_s,
            limit_tokens_per_s: self.prefill_per_s,
        }
    }

    fn decode(&self, tokens_per_s: f64) -> Rate {
        Rate {
            tokens_per_s,
            limit_tokens_per_s: self.decode_per_s,
        }
    }
}

/// Parameters that are read for a token whose picture's keys and values are at hand: the active
/// ones, of an embedding table apart from the head only one row, and of cross-attention no keys
/// and values.
fn met(config: &ModelConfig, count: &ParameterCount) -> u64 {
    let decoder = &config.decoder;
    let table = match decoder.tied_embeddings {
        true => 0,
        false => decoder.vocab_size * decoder.dim,
    };
    let cross = config.cross_attention.as_ref();
    let kv = cross.map_or(0, |cross| 2 * cross.num_kv_heads * cross.head_dim);
    let kv = kv * config.num_cross_layers() * config.latent_dim().unwrap_or(0);
    count.active.saturating_sub((table + kv) as u64)
}

/// A picture seen, and how fast.
struct Sight {
    images_per_s: f64,
    grid: (usize, usize),
    keys: ImageKeys,
    num_latents: usize,
}

fn see(model: &VisionLanguageModel) -> Result<Sight> {
    let images = pictures(model.config())?;
    let mut latents = None;
    let seconds = best_of(|| {
        latents = Some(model.encode_images(&images)?);
        Ok(())
    })?;
    let latents = latents.context("there was a run")?.image(0)?;
    Ok(Sight {
        images_per_s: PICTURES as f64 / seconds,
        grid: images.grids[0],
        keys: model.image_keys(&latents)?,
        num_latents: latents.offsets[1],
    })
}

/// Pictures of the size that the tower sees; of a tower that sees tiles, as many as it takes.
fn pictures(config: &ModelConfig) -> Result<Images> {
    let (grid, patch) = if let Some(clip) = &config.clip {
        let side = clip.image_size / clip.patch_size;
        ((side, side), clip.patch_size)
    } else if let Some(efficient) = config.convolutional_tower() {
        ((1, 1), efficient.image_size)
    } else if let Some(tiled) = &config.tiled_vision {
        let side = tiled.image_size / tiled.patch_size;
        let most = tiled.arrangements.iter().max_by_key(|(a, b)| a * b);
        let &(down, across) = most.context("tiles have an arrangement")?;
        ((down * side, across * side), tiled.patch_size)
    } else if let Some(vision) = &config.vision {
        let side = vision
            .max_patches
            .isqrt()
            .min(SIDE / vision.patch_size)
            .max(1);
        ((side, side), vision.patch_size)
    } else {
        bail!("{:?} has no vision tower", config.name);
    };
    let shape = (PICTURES * grid.0 * grid.1, 3 * patch * patch);
    let colours = (0..shape.0 * shape.1).map(|i| (i as f32 * 0.37).sin());
    Ok(Images {
        patches: Tensor::from_iter(colours, &HOST)?.reshape(shape)?,
        grids: vec![grid; PICTURES],
    })
}

/// Tokens a second of a prompt, and of a text that is written.
fn speeds(model: &VisionLanguageModel, images: &[&ImageKeys], prompt: usize) -> Result<(f64, f64)> {
    let ids: Vec<u32> = (0..prompt).map(|place| id(model, place)).collect();
    let prefill = decoding::prefill(model, images, &ids)?;
    Ok((
        prefill,
        decoding::decode(model, images, |step| id(model, step))?,
    ))
}

/// Ids that are unlike, so that experts share the work as they do over text.
fn id(model: &VisionLanguageModel, place: usize) -> u32 {
    (place * 97 % model.config().decoder.vocab_size) as u32
}

fn table(families: &[Family]) -> String {
    let mut table = Table::new(&[
        "family",
        "parameters",
        "active",
        "weights MB",
        "load ms",
        "images/s",
        "of limit",
        "prefill tokens/s",
        "of limit",
        "decode tokens/s",
        "of limit",
        "peak MiB",
    ]);
    let share = |measured: f64, limit: f64| format!("{:.0} %", 100.0 * measured / limit);
    for family in families {
        let (images, of_limit) = match &family.vision {
            Some(seen) => (
                format!("{:.2}", seen.images_per_s),
                share(seen.images_per_s, seen.limit_images_per_s),
            ),
            None => (String::new(), String::new()),
        };
        let rate = |rate: &Rate| {
            let of_limit = share(rate.tokens_per_s, rate.limit_tokens_per_s);
            [format!("{:.1}", rate.tokens_per_s), of_limit]
        };
        let mut cells = vec![
            family.family.clone(),
            output::count(family.parameters),
            output::count(family.active_parameters),
            format!("{:.0}", family.weights_mb),
            format!("{:.1}", family.load_ms),
            images,
            of_limit,
        ];
        cells.extend(rate(&family.prefill));
        cells.extend(rate(&family.decode));
        let peak = family.peak_rss_mib;
        cells.push(peak.map_or(String::new(), |peak| format!("{peak:.0}")));
        table.row(cells);
    }
    table.to_text()
}
