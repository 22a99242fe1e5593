//! `avocet eval` on texts: loss by kind and position, the use of experts, and memorisation; and
//! questions with examples before them.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use avocet_data::shard::{Recipe, Writer};
use avocet_data::{Sample, Truth};
use avocet_media::Picture;
use avocet_text::Turn;
use avocet_train::config::{ModelSource, SourceConfig, TokenizerRecipe};
use avocet_train::{StageConfig, StageKind, TrainConfig, TrainOptions, train};
use serde_json::Value;
use tempfile::TempDir;

use crate::command::{fails, succeeds};

const SPAN: [&str; 4] = ["--prefix", "6", "--span", "8"];

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// Plain texts, each different from the others from its beginning.
fn texts(folder: &Path, first: u64) -> Result<()> {
    let mut writer = Writer::open(folder, Recipe::new("test", "train", 1, Value::Null))?;
    for n in first..first + 4 {
        let words = (0..12)
            .map(|i| (n * 7919 + i * i * 31) % 97)
            .map(|v| v.to_string());
        let said = words.collect::<Vec<_>>().join(" ");
        let sample = Sample::document(("numbers", "made-up", "CC0-1.0"), &said)?;
        writer.keep(&n.to_string(), &[sample])?;
    }
    let asked = Sample::question(
        ("colour", "made-up", "CC0-1.0"),
        Picture::from_rgb(8, 8, vec![90; 192])?.to_png()?,
        Some(Truth::Name("grey".into())),
        "Which?",
        Turn::assistant("grey"),
    );
    writer.keep("asked", &[asked?])?;
    writer.finish()?;
    Ok(())
}

/// A small model that has read four texts until it knows them by heart.
fn learned(folder: &Path) -> Result<String> {
    let data = folder.join("seen");
    texts(&data, 0)?;
    texts(&folder.join("unseen"), 50)?;
    let mut model = avocet_config::preset("tiny")?;
    model.decoder.vocab_size = 300;
    model.decoder.max_context = 96;
    let source = SourceConfig {
        path: data.clone(),
        concepts: false,
        weight: None,
        epochs: None,
        kinds: None,
        enlarged: 0.0,
        augment: Default::default(),
    };
    let config = TrainConfig {
        run: folder.join("run"),
        seed: 3,
        tokenizer: Some(TokenizerRecipe {
            vocab_size: 290,
            data: vec![data],
            samples: 100,
        }),
        stages: vec![StageConfig {
            steps: Some(150),
            learning_rate: 1e-2,
            clip: Some(1.0),
            data: vec![source],
            ..StageConfig::new(
                "all",
                StageKind::Joint,
                ModelSource::Inline(Box::new(model)),
                5,
            )
        }],
    };
    Ok(text(&train(&config, &TrainOptions::default())?.folder))
}

#[test]
fn texts_known_by_heart_are_told_from_others() -> Result<()> {
    let folder = TempDir::new()?;
    let model = learned(folder.path())?;
    let report = |task: &str, data: &str| -> Result<Value> {
        let data = text(&folder.path().join(data));
        let command = [
            "eval", "--json", "--model", &model, "--task", task, "--data", &data,
        ];
        Ok(serde_json::from_str(&succeeds(
            [&command[..], &SPAN].concat(),
        )?)?)
    };
    let share = |report: &Value| report["all"]["share"].as_f64().context("a share");
    let (seen, unseen) = (
        report("memorisation", "seen")?,
        report("memorisation", "unseen")?,
    );
    ensure!(
        seen["numbers"]["spans"] == 4 && seen.get("colour").is_none(),
        "{seen}"
    );
    ensure!(share(&seen)? == 1.0, "{seen}");
    ensure!(share(&unseen)? == 0.0, "{unseen}");

    let (seen, unseen) = (report("loss", "seen")?, report("loss", "unseen")?);
    let loss = |report: &Value| {
        report["kinds"]["numbers"]["loss"]
            .as_f64()
            .context("a loss")
    };
    ensure!(
        loss(&seen)? < 0.5 && loss(&unseen)? > 2.0,
        "{seen} {unseen}"
    );
    let experts = &seen["kinds"]["colour"]["expert_shares"][0];
    let sum: f64 = experts
        .as_array()
        .context("experts")?
        .iter()
        .filter_map(Value::as_f64)
        .sum();
    ensure!((sum - 1.0).abs() < 1e-9, "{experts}");
    let places = seen["positions"].as_array().context("positions")?;
    ensure!(places.len() > 3 && places[0]["from"] == 1, "{places:?}");
    // The tokens by place are the tokens by kind.
    let tokens = |list: &[Value]| {
        list.iter()
            .filter_map(|v| v["tokens"].as_u64())
            .sum::<u64>()
    };
    ensure!(seen["kinds"]["all"]["tokens"] == tokens(places), "{seen}");
    fails(["eval", "--model", &model, "--task", "loss"], &["--data"])
}

#[test]
fn examples_stand_before_each_question() -> Result<()> {
    let folder = TempDir::new()?;
    let mut lines = String::new();
    for n in 0..6u8 {
        let name = format!("{n}.png");
        let rgb = [40 * n, 255 - 40 * n, 9].repeat(24 * 24);
        let picture = Picture::from_rgb(24, 24, rgb)?;
        std::fs::write(folder.path().join(&name), picture.to_png()?)?;
        let row =
            serde_json::json!({"images": [name], "question": "Which?", "answers": ["a", "b"]});
        lines.push_str(&format!("{row}\n"));
    }
    let task = folder.path().join("task.jsonl");
    std::fs::write(&task, lines)?;
    let task = text(&task);
    let page = text(&folder.path().join("wrong.html"));
    let shots = ["--shots", "4", "--shots-from", &task, "--seed", "2"];
    for similar in [&[][..], &["--similar"]] {
        let command = [
            "eval",
            "--json",
            "--task",
            &task,
            "--max-tokens",
            "4",
            "--metrics",
            "all",
        ];
        let command = [&command[..], &shots, similar, &["--html", &page]].concat();
        let (first, again) = (succeeds(&command)?, succeeds(&command)?);
        let (first, again): (Value, Value) =
            (serde_json::from_str(&first)?, serde_json::from_str(&again)?);
        ensure!(first["shots"] == 4 && first["failed"] == 0, "{first}");
        ensure!(
            first["kinds"] == again["kinds"],
            "another draw of the same seed"
        );
        for figure in [
            "vqa",
            "anls",
            "bleu",
            "cider",
            "word_error_rate",
            "formula_edit_rate",
        ] {
            ensure!(
                first["kinds"]["all"][figure].is_number(),
                "{figure}: {first}"
            );
        }
    }
    let written = std::fs::read_to_string(&page)?;
    ensure!(written.contains("data:image/png;base64,") && written.contains("Which?"));
    let few = [
        "eval",
        "--task",
        &task,
        "--shots",
        "6",
        "--shots-from",
        &task,
    ];
    fails(few, &["--shots-from", "too few"])?;
    fails(
        [
            "eval",
            "--task",
            &task,
            "--shots",
            "2",
            "--shots-from",
            "/no/such",
        ],
        &["/no/such"],
    )
}
