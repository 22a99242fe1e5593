//! A run that is killed and continued equals one that was not.
//!
//! The child that is killed is this very test binary, told by an environment variable to train.
//! `AVOCET_KILLS` adds kills at random times.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use avocet_data::shard::{Recipe, Writer};
use avocet_data::{Sample, Truth};
use avocet_media::Picture;
use avocet_products::Level;
use avocet_text::Turn;
use avocet_train::checkpoint;
use avocet_train::config::{
    AugmentConfig, InitFrom, LossWeights, ModelSource, Precision, ShapeChange, SourceConfig,
    TokenizerRecipe,
};
use avocet_train::metrics::{StepMetrics, read_metrics};
use avocet_train::{StageConfig, StageKind, TrainConfig, TrainOptions, train};

use crate::kills::{dies_at, killed_within, num_random};

const CONFIG_VARIABLE: &str = "AVOCET_RESUME_CHILD";

/// Twenty pictures with a word or a name, and four plain texts.
fn dataset(folder: &Path) {
    let recipe = Recipe::new("test", "train", 1, Default::default());
    let mut writer = Writer::open(folder, recipe).unwrap();
    for n in 0u64..24 {
        let from = ("picture", "made-up", "CC0-1.0");
        let sample = if n % 6 == 5 {
            Sample::document(
                ("text", "made-up", "CC0-1.0"),
                &format!("Number {n} is {}.", n * n),
            )
        } else {
            let (width, height) = (8 + 4 * (n as usize % 3), 8);
            let rgb = (0..width * height * 3)
                .map(|i| (i as u64 * (n + 3) % 251) as u8)
                .collect();
            let image = Picture::from_rgb(width, height, rgb)
                .unwrap()
                .to_png()
                .unwrap();
            let word = ["ab", "ba", "a"][n as usize % 3].to_string();
            let truth = match n % 2 {
                0 => Truth::Text(word.clone()),
                _ => Truth::Name(word.clone()),
            };
            Sample::question(from, image, Some(truth), "What?", Turn::assistant(word))
        };
        writer.keep(&n.to_string(), &[sample.unwrap()]).unwrap();
    }
    writer.finish().unwrap();
}

/// A vision stage and a joint one, with every feature that has state.
fn config(folder: &Path, run: &str, steps: u64) -> TrainConfig {
    let mut model = avocet_config::preset("tiny").unwrap();
    model.decoder.vocab_size = 300;
    model.decoder.moe.as_mut().unwrap().loss_free_bias = true;
    let source = SourceConfig {
        path: folder.join("data"),
        concepts: false,
        weight: None,
        epochs: None,
        kinds: None,
        enlarged: 0.4,
        augment: AugmentConfig::Things,
    };
    let stage = |name: &str, kind, steps| StageConfig {
        steps: Some(steps),
        clip: Some(1.0),
        warmup_steps: 3,
        micro_batches: 2,
        batch_ramp: Some(avocet_train::schedule::BatchRamp {
            from: 2,
            steps: 6,
            increment: 2,
        }),
        losses: LossWeights {
            ctc: 0.5,
            names: 0.5,
            ..LossWeights::default()
        },
        router_bias_rate: 0.01,
        checkpoint_every: 2,
        log_every: 1,
        eval_every: 5,
        eval_samples: 8,
        held_out: vec![folder.join("data")],
        data: vec![source.clone()],
        ..StageConfig::new(name, kind, ModelSource::Inline(Box::new(model.clone())), 6)
    };
    TrainConfig {
        run: folder.join(run),
        seed: 11,
        tokenizer: Some(TokenizerRecipe {
            vocab_size: 280,
            data: vec![folder.join("data")],
            samples: 100,
        }),
        stages: vec![
            stage("see", StageKind::Vision, steps / 3),
            stage("all", StageKind::Joint, steps - steps / 3),
        ],
    }
}

/// Every stage of the described recipe: seeing, text, a longer context, joining a frozen decoder, and
/// everything.
fn recipe(folder: &Path, run: &str, steps: u64) -> TrainConfig {
    let mut recipe = config(folder, run, steps);
    let all = recipe.stages.pop().unwrap();
    let mut see = recipe.stages.pop().unwrap();
    let share = steps / 5;
    see.steps = Some(share);
    see.losses.contrast = 0.5;
    let stage = |name: &str, kind| StageConfig {
        name: name.into(),
        kind,
        steps: Some(share),
        model: None,
        losses: LossWeights::default(),
        ..all.clone()
    };
    let mut text = stage("text", StageKind::Text);
    text.trains = vec!["decoder.*".into()];
    text.data[0].kinds = Some(vec!["text".into()]);
    let mut context = stage("context", StageKind::Text);
    context.shape = ShapeChange {
        max_context: Some(128),
        rope_theta: Some(50_000.0),
        max_patches: None,
    };
    let mut join = stage("join", StageKind::Joint);
    join.trains = vec!["cross_attention.*".into(), "resampler.*".into()];
    let mut last = stage("all", StageKind::Joint);
    last.steps = Some(steps - 4 * share);
    recipe.stages = vec![see, text, context, join, last];
    recipe
}

fn resuming() -> TrainOptions {
    TrainOptions {
        resume: true,
        ..TrainOptions::default()
    }
}

/// What must not depend on interruptions: everything but time and speed.
fn timeless(run: &Path) -> Vec<StepMetrics> {
    let timeless = |metrics: StepMetrics| StepMetrics {
        step_s: 0.0,
        data_s: 0.0,
        samples_per_s: 0.0,
        tokens_per_s: 0.0,
        patches_per_s: 0.0,
        mfu: 0.0,
        seconds: 0.0,
        ..metrics
    };
    read_metrics(run)
        .unwrap()
        .into_iter()
        .map(timeless)
        .collect()
}

fn child(config: &TrainConfig, threads: u64) -> Command {
    let path = config.run.with_extension("toml");
    std::fs::write(&path, toml::to_string(config).unwrap()).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "resume::a_child_trains_when_told_to"])
        .env(CONFIG_VARIABLE, path)
        .env("RAYON_NUM_THREADS", threads.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

#[test]
fn a_child_trains_when_told_to() {
    if let Ok(path) = std::env::var(CONFIG_VARIABLE) {
        let config = TrainConfig::read(&PathBuf::from(path)).unwrap();
        train(&config, &resuming()).unwrap();
    }
}

/// Where a run dies, one after another: in steps, in each file of a checkpoint, around its name.
const PLACES: [&str; 8] = [
    "step done 1",
    "checkpoint file written 1",
    "checkpoint file written 4",
    "checkpoint complete 2",
    "metrics written 3",
    "checkpoint file written 12",
    "checkpoint named 3",
    "step done 5",
];

#[test]
fn a_run_killed_at_any_point_equals_an_unbroken_one() {
    let folder = tempfile::tempdir().unwrap();
    dataset(&folder.path().join("data"));
    let steps = 24 + 3 * num_random();
    let unbroken = recipe(folder.path(), "unbroken", steps);
    let began = Instant::now();
    let expected = train(&unbroken, &TrainOptions::default()).unwrap();
    let whole = began.elapsed();
    assert!(expected.finished && expected.step == steps);
    let lengthened = std::fs::read_to_string(expected.folder.join(checkpoint::CONFIG)).unwrap();
    assert!(lengthened.contains("max_context = 128") && lengthened.contains("50000"));

    let broken = recipe(folder.path(), "broken", steps);
    for (kill, place) in (0..).zip(PLACES) {
        dies_at(child(&broken, 1 + kill % 2), place).unwrap();
    }
    for kill in 0..num_random() {
        killed_within(child(&broken, 1 + kill % 2), whole / 4, kill).unwrap();
    }
    let ended = train(&broken, &resuming()).unwrap();
    assert_eq!(ended.parameter_hash, expected.parameter_hash);
    assert_eq!(timeless(&broken.run), timeless(&unbroken.run));
    let again = train(&broken, &resuming()).unwrap();
    assert_eq!(
        again.parameter_hash, expected.parameter_hash,
        "a finished run stays as it is"
    );
}

#[test]
fn a_run_in_bf16_does_not_depend_on_the_threads() {
    let folder = tempfile::tempdir().unwrap();
    dataset(&folder.path().join("data"));
    let trained = |run: &str, precision, threads| {
        let mut config = config(folder.path(), run, 9);
        for stage in &mut config.stages {
            stage.precision = precision;
            // Small products stay in f32.
            (stage.samples, stage.batch_ramp) = (48, None);
        }
        assert!(child(&config, threads).status().unwrap().success());
        let newest = checkpoint::list(&config.run).unwrap().pop().unwrap();
        std::fs::read(newest.1.join(checkpoint::MODEL)).unwrap()
    };
    let one = trained("one", Precision::Bf16, 1);
    assert!(
        one == trained("two", Precision::Bf16, 2),
        "one thread and two"
    );
    let exact = trained("exact", Precision::F32, 1);
    if Level::current() >= Level::Avx512Bf16 {
        assert!(one != exact, "bf16 is used where the CPU has it");
    }
}

#[test]
fn a_damaged_newest_checkpoint_is_passed_over_and_the_run_ends_the_same() {
    let folder = tempfile::tempdir().unwrap();
    dataset(&folder.path().join("data"));
    let config = config(folder.path(), "run", 12);
    let expected = train(&config, &TrainOptions::default()).unwrap();
    let expected_lines = timeless(&config.run);
    let (step, newest) = checkpoint::list(&config.run).unwrap().pop().unwrap();
    assert_eq!(step, 12);
    let model = newest.join(checkpoint::MODEL);
    let mut bytes = std::fs::read(&model).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&model, bytes).unwrap();
    let ended = train(&config, &resuming()).unwrap();
    assert_eq!(ended.parameter_hash, expected.parameter_hash);
    assert_eq!(timeless(&config.run), expected_lines);
}

#[test]
fn a_stop_saves_and_a_later_start_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    dataset(&folder.path().join("data"));
    let unbroken = config(folder.path(), "unbroken", 9);
    let expected = train(&unbroken, &TrainOptions::default()).unwrap();
    let stopped = config(folder.path(), "stopped", 9);
    let stop = TrainOptions {
        resume: true,
        stop: Arc::new(AtomicBool::new(true)),
        ..TrainOptions::default()
    };
    for step in 1..=3 {
        let outcome = train(&stopped, &stop).unwrap();
        assert_eq!(outcome.step, step);
    }
    let ended = train(&stopped, &resuming()).unwrap();
    assert_eq!(ended.parameter_hash, expected.parameter_hash);
}

#[test]
fn a_run_is_not_started_over_by_mistake_and_a_later_stage_may_start_from_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    dataset(&folder.path().join("data"));
    let first = config(folder.path(), "first", 6);
    let outcome = train(&first, &TrainOptions::default()).unwrap();
    let error = train(&first, &TrainOptions::default())
        .unwrap_err()
        .to_string();
    assert!(error.contains("--resume"), "{error}");
    let other = std::fs::File::open(&first.run).unwrap();
    other.lock().unwrap();
    let error = train(&first, &resuming()).unwrap_err().to_string();
    assert!(error.contains("another process"), "{error}");
    drop(other);
    assert_eq!(train(&first, &resuming()).unwrap().step, outcome.step);

    let mut second = config(folder.path(), "second", 6);
    second.tokenizer = None;
    second.stages.remove(0);
    second.stages[0].model = None;
    second.stages[0].learning_rate = 0.0;
    second.stages[0].router_bias_rate = 0.0;
    second.stages[0].init = vec![InitFrom {
        from: outcome.folder.clone(),
        names: vec!["*".into()],
    }];
    let ended = train(&second, &TrainOptions::default()).unwrap();
    // Without a learning rate, what was loaded is what is saved.
    assert_eq!(ended.parameter_hash, outcome.parameter_hash);
}
