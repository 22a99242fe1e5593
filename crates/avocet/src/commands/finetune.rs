//! `avocet finetune`: a model learns from a user's own pictures and answers.

mod args;
mod augment;
mod parts;
mod rows;
mod words;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use avocet_checkpoint::{ModelFiles, place_base};
use avocet_config::{ModelConfig, WithoutImage};
use avocet_data::shard::Reader;
use avocet_train::config::{LossWeights, MeanOver, ModelSource, SourceConfig};
use avocet_train::memory::{Fit, TrainMemory};
use avocet_train::metrics::read_metrics;
use avocet_train::{
    BaseModel, LoraConfig, Outcome, StageConfig, StageKind, TrainConfig, TrainOptions, checkpoint,
    stop_on_interrupt,
};
use serde::Serialize;

pub use self::args::FinetuneArgs;
use self::args::Trained;
use self::parts::Parts;
use self::words::Unseen;
use crate::granted;
use crate::input::model;
use crate::ui::output;

/// The settings that a run was begun with.
const SETTINGS: &str = "finetune.toml";
/// Passes over the data, unless `--steps` says otherwise, and the fewest and most steps of them: more
/// of them where held-out data says when it is enough.
const PASSES: u64 = 20;
const MOST_PASSES: u64 = 40;
const STEPS: (u64, u64) = (100, 2000);

#[derive(Serialize)]
struct Report<'a> {
    run: String,
    model: String,
    steps: u64,
    seconds: f64,
    samples: usize,
    trained_parameters: u64,
    unchanged_parameters: u64,
    unchanged_sha256: &'a str,
    estimated_bytes: u64,
    /// The step whose values stay, where held-out samples decided that.
    #[serde(skip_serializing_if = "Option::is_none")]
    best_step: Option<u64>,
    /// What became of the samples that were not learned from.
    #[serde(skip_serializing_if = "Option::is_none")]
    held_out: Option<&'a Unseen>,
}

/// Learns until all steps are done; an interrupt saves a checkpoint and stops.
pub fn run(args: &FinetuneArgs) -> Result<()> {
    granted::keep_freed_memory();
    let started = Instant::now();
    let stop = stop_on_interrupt()?;
    let run = &args.output;
    let config = model::find(&args.model).with_context(|| format!("--model {}", args.model))?;
    let config = config.config().clone();
    let trains = trained(args, &config)?;
    check_begun(args)?;
    let fresh = !run.exists();
    let learned = learn(args, &config, trains, stop);
    // A run that was refused is none: nobody could go on with it.
    if fresh && learned.is_err() && !has_learned(run) {
        let _ = std::fs::remove_dir_all(run);
    }
    let (outcome, memory, parts) = learned?;
    if !outcome.finished {
        bail!(
            "stopped at step {}, saved in {}; --resume goes on from there",
            outcome.step,
            outcome.folder.display()
        );
    }
    say(
        args,
        &outcome,
        &memory,
        &parts,
        started.elapsed().as_secs_f64(),
    )
}

/// Whether a run has done a step that could be looked at, or gone on from.
fn has_learned(run: &Path) -> bool {
    let measured = read_metrics(run).is_ok_and(|all| !all.is_empty());
    measured || !checkpoint::list(run).is_ok_and(|all| all.is_empty())
}

/// Prepares the run, and learns until all steps are done or an interrupt comes.
fn learn(
    args: &FinetuneArgs,
    config: &ModelConfig,
    trains: Vec<String>,
    stop: Arc<AtomicBool>,
) -> Result<(Outcome, TrainMemory, Parts)> {
    let run = &args.output;
    std::fs::create_dir_all(run).with_context(|| format!("-o {}", run.display()))?;
    let data = rows::dataset(&args.data, run, args.on_error)?;
    check_sight(&data, config, args)?;
    let parts = Parts::of(data, run, args.held_out)?;
    let train = settings(args, config, trains, &parts)?;
    let begun = format!(
        "# avocet finetune --model {}\n{}",
        args.model,
        with_shown_paths(&train).to_toml()?
    );
    check_settings(run, &begun)?;

    let base = base(args)?;
    let options = TrainOptions {
        resume: args.resume,
        stop,
        ..TrainOptions::default()
    };
    let memory = TrainMemory::of(&base, &train)?;
    if memory.trained == 0 {
        bail!(
            "--lora-layers {}: no parameter of {} matches",
            args.lora_layers.join(","),
            args.model
        );
    }
    if memory.fit() == Fit::No {
        let advice = match (args.recompute, args.parts < args.batch) {
            (false, _) => "; --recompute needs less",
            (true, true) => "; more --parts need less",
            (true, false) => "",
        };
        bail!("{}{advice}", memory.words());
    }
    output::note(&format!("{}\n", memory.words()));
    let path = run.join(SETTINGS);
    output::save(&path, begun.as_bytes())?;
    let outcome = avocet_train::finetune(&train, &base, &options)?;
    Ok((outcome, memory, parts))
}

fn say(
    args: &FinetuneArgs,
    outcome: &Outcome,
    memory: &TrainMemory,
    parts: &Parts,
    seconds: f64,
) -> Result<()> {
    let run = args.output.as_path();
    let unseen = parts.held_out.as_deref();
    let unseen = unseen.map(|data| words::unseen(&outcome.folder, data));
    let unseen = unseen.transpose()?;
    if args.json {
        return output::print_json(&Report {
            run: run.display().to_string(),
            model: outcome.folder.display().to_string(),
            steps: outcome.step,
            seconds,
            samples: parts.samples,
            trained_parameters: memory.trained,
            unchanged_parameters: memory.frozen,
            unchanged_sha256: &outcome.unchanged_hash,
            estimated_bytes: memory.bytes(),
            best_step: outcome.best_step,
            held_out: unseen.as_ref(),
        });
    }
    let count = output::count;
    let unchanged = match memory.frozen {
        0 => "nothing was frozen".to_owned(),
        frozen => format!(
            "{} others have SHA-256 {} before and after",
            count(frozen),
            outcome.unchanged_hash
        ),
    };
    output::note(&format!(
        "{} steps in {seconds:.0} s; {} parameters learned, {unchanged}\n\
{}\
         avocet ask --model {run} ... asks it; avocet eval --model {run} --against {} --task DATASET \
         shows what it forgot\n",
        outcome.step,
        count(memory.trained),
        unseen.map_or_else(String::new, |unseen| unseen.words()),
        args.model,
        run = run.display()
    ));
    output::print(&format!("{}\n", run.display()))
}

/// Patterns of the names that train.
fn trained(args: &FinetuneArgs, config: &ModelConfig) -> Result<Vec<String>> {
    let cross = || {
        if config.cross_attention.is_none() {
            bail!(
                "--train cross: {:?} has no cross-attention; give --lora R or --train all",
                config.name
            );
        }
        Ok(vec![
            "cross_attention.*".to_owned(),
            "resampler.*".to_owned(),
            "concepts.*".to_owned(),
        ])
    };
    match (args.train, args.lora) {
        (Some(Trained::All), None) => Ok(vec!["*".to_owned()]),
        (Some(Trained::All), Some(_)) => bail!("--lora: with --train all no matrix is frozen"),
        (Some(Trained::Cross), _) | (None, None) => cross(),
        (None, Some(_)) => Ok(Vec::new()),
    }
}

/// Errors if the run was begun already and is not to be continued.
fn check_begun(args: &FinetuneArgs) -> Result<()> {
    let begun = args.output.join(SETTINGS).exists();
    let run = args.output.display();
    match (begun, args.resume) {
        (true, false) => {
            bail!("-o {run}: the run was begun already; continue it with --resume, or name another")
        }
        _ => Ok(()),
    }
}

/// Errors if there are pictures that the model could not see.
fn check_sight(data: &Path, config: &ModelConfig, args: &FinetuneArgs) -> Result<()> {
    if config.sees() {
        return Ok(());
    }
    let reader = Reader::open(data)?;
    for index in 0..reader.len() {
        if !reader.get(index)?.images.is_empty() {
            bail!(
                "--model {}: it sees no pictures, but the data has some; give it eyes with \
                 `avocet graft`",
                args.model
            );
        }
    }
    Ok(())
}

fn settings(
    args: &FinetuneArgs,
    config: &ModelConfig,
    trains: Vec<String>,
    parts: &Parts,
) -> Result<TrainConfig> {
    let batch = usize::from(args.batch);
    let once = (parts.samples as u64).div_ceil(batch as u64);
    let passes = match parts.held_out {
        Some(_) => MOST_PASSES,
        None => PASSES,
    };
    let steps = args
        .steps
        .unwrap_or((passes * once).clamp(STEPS.0, STEPS.1));
    // What is held out is measured after each pass or two, so that it costs little.
    let measured_every = match parts.held_out {
        Some(_) => (2 * once).clamp(5, 50),
        None => 0,
    };
    let all = args.train == Some(Trained::All);
    let cross = config.cross_attention.as_ref();
    // Texts without an image that attend to all that is packed must be packed alone.
    let alone = cross.is_some_and(|cross| cross.without_image == WithoutImage::Everything);
    let kind = match config.sees() {
        true => StageKind::Joint,
        false => StageKind::Text,
    };
    let lora = args.lora.map(|rank| LoraConfig {
        rank: usize::from(rank),
        alpha: 2.0 * f64::from(rank),
        layers: args.lora_layers.clone(),
    });
    let source = SourceConfig {
        path: parts.learned.clone(),
        concepts: false,
        weight: None,
        epochs: None,
        kinds: None,
        enlarged: 0.0,
        augment: match args.augment {
            Some(flag) => flag.into(),
            None => augment::fitting(&Reader::open(&parts.learned)?)?,
        },
    };
    let stage = StageConfig {
        steps: Some(steps),
        trains,
        lora,
        recompute: args.recompute,
        micro_batches: match alone {
            true => batch,
            false => usize::from(args.parts).min(batch),
        },
        learning_rate: args.learning_rate.unwrap_or(if all { 3e-4 } else { 1e-3 }),
        // Gates are single numbers that must travel from 0 to about 1; they may go faster.
        learning_rate_factors: [("*gate".to_owned(), 5.0)].into(),
        warmup_steps: (steps / 20).min(50),
        clip: Some(1.0),
        mean_over: MeanOver::Samples,
        losses: match all {
            true => LossWeights::default(),
            // Frozen routers cannot be evened out.
            false => LossWeights {
                balance: 0.0,
                z: 0.0,
                ..LossWeights::default()
            },
        },
        checkpoint_every: (steps / 10).clamp(10, 200),
        keep: 2,
        precision: args.precision.into(),
        // A recogniser's features and names are sometimes hidden, so that neither is leaned on alone.
        hidden: if config.concepts.is_some() { 0.1 } else { 0.0 },
        log_every: measured_every.max(10),
        eval_every: measured_every,
        eval_samples: parts.num_held_out,
        patience: parts.held_out.is_some().then_some(args.patience),
        held_out: parts.held_out.iter().cloned().collect(),
        data: vec![source],
        ..StageConfig::new("finetune", kind, ModelSource::Preset("mini".into()), batch)
    };
    Ok(TrainConfig {
        run: args.output.clone(),
        seed: args.seed,
        tokenizer: None,
        stages: vec![StageConfig {
            // The model is the one that is fine-tuned.
            model: None,
            init: Vec::new(),
            ..stage
        }],
    })
}

/// The settings as they are kept: what is no text of a path stands there as it is shown.
fn with_shown_paths(train: &TrainConfig) -> TrainConfig {
    let mut train = train.clone();
    let shown = |path: &mut PathBuf| *path = path.to_string_lossy().into_owned().into();
    shown(&mut train.run);
    for stage in &mut train.stages {
        stage
            .data
            .iter_mut()
            .for_each(|source| shown(&mut source.path));
        stage.held_out.iter_mut().for_each(shown);
    }
    train
}

/// Errors if the run was begun with other settings than these.
fn check_settings(run: &Path, settings: &str) -> Result<()> {
    let path = run.join(SETTINGS);
    match std::fs::read_to_string(&path) {
        Ok(begun) if begun == settings => Ok(()),
        Ok(_) => bail!("{}: the run was begun with other settings", path.display()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

/// The model to start from, its files beside the run's checkpoints.
fn base(args: &FinetuneArgs) -> Result<BaseModel> {
    let run = &args.output;
    let place = model::place(&args.model)?;
    let base =
        place_base(&model::part(&place), run).with_context(|| format!("--model {}", args.model))?;
    let files = ModelFiles::open(&run.join(&base))?;
    let name = run
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    // Checkpoints are folders in the run's.
    let from_checkpoint = Path::new("..").join(base);
    Ok(BaseModel::new(
        files,
        from_checkpoint,
        name.unwrap_or_else(|| "finetuned".into()),
    )?)
}
