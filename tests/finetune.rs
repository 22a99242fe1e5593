//! `avocet finetune`: what is asked to learn learns, all else is frozen, a killed run goes on as if
//! it had not been killed, and the result answers as any model.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use avocet_checkpoint::{GraftOptions, ModelFiles, PartSource, graft};
use candle_core::{Device, Tensor};
use serde_json::Value;
use tempfile::TempDir;

use crate::command::{fails, offline, succeeds};
use crate::kills::dies_at;

/// Twelve squares of four colours, with a table beside them.
fn pictures(folder: &Path) -> Result<PathBuf> {
    let folder = folder.join("squares");
    std::fs::create_dir_all(&folder)?;
    let colours = [
        ("red", [200, 30, 30]),
        ("green", [30, 190, 60]),
        ("blue", [40, 60, 210]),
    ];
    let mut table = String::from("file_name,question,answer\n");
    for n in 0..12u32 {
        let (name, rgb) = colours[n as usize % 3];
        let picture = image::RgbImage::from_pixel(16 + 8 * (n / 3), 24, image::Rgb(rgb));
        picture.save(folder.join(format!("{n}.png")))?;
        table.push_str(&format!("{n}.png,Which colour?,{name}\n"));
    }
    std::fs::write(folder.join("metadata.csv"), table)?;
    Ok(folder)
}

/// A public decoder of a few thousand numbers that was given a small CLIP's eyes.
pub fn grafted(folder: &Path) -> Result<PathBuf> {
    let families = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/families");
    let (decoder, vision) = (
        families.join("llama/model"),
        families.join("clip_vision/model"),
    );
    let output = folder.join("grafted");
    let options = GraftOptions {
        latents: Some(3),
        seed: 3,
        ..GraftOptions::default()
    };
    graft(
        &PartSource::Path(&decoder),
        &PartSource::Path(&vision),
        &options,
        &output,
    )?;
    Ok(output)
}

pub fn text(path: &Path) -> String {
    path.display().to_string()
}

/// Fine-tunes with a report; every run is short.
fn finetune(model: &Path, data: &Path, run: &Path, more: &[&str]) -> Result<Value> {
    let (model, data, run) = (text(model), text(data), text(run));
    let mut arguments = vec![
        "finetune", "--json", "--model", &model, "--data", &data, "-o", &run,
    ];
    arguments.extend(["--steps", "12", "--batch", "4"]);
    arguments.extend(more);
    Ok(serde_json::from_str(&succeeds(arguments)?)?)
}

pub fn parameters(model: &Path) -> Result<std::collections::BTreeMap<String, Tensor>> {
    Ok(ModelFiles::open(model)?.parameters()?)
}

/// Names of the parameters that differ in any bit.
fn changed(before: &Path, after: &Path) -> Result<Vec<String>> {
    let (before, after) = (parameters(before)?, parameters(after)?);
    ensure!(before.keys().eq(after.keys()), "other parameters");
    let mut names = Vec::new();
    for (name, tensor) in before {
        let bits = |tensor: &Tensor| -> Result<Vec<u32>> {
            let numbers = tensor.flatten_all()?.to_vec1::<f32>()?;
            Ok(numbers.into_iter().map(f32::to_bits).collect())
        };
        if bits(&tensor)? != bits(&after[&name])? {
            names.push(name);
        }
    }
    Ok(names)
}

#[test]
fn only_what_is_asked_to_learn_changes_and_the_result_answers() -> Result<()> {
    let folder = TempDir::new()?;
    let data = pictures(folder.path())?;
    let model = grafted(folder.path())?;
    let cases: [(&str, &[&str], &[&str]); 3] = [
        ("cross", &[], &["cross_attention.", "resampler."]),
        (
            "lora",
            &[
                "--lora",
                "2",
                "--lora-layers",
                "*.attention.query,*.ff.down",
            ],
            &["decoder.layers."],
        ),
        (
            "all",
            &["--train", "all"],
            &["decoder.", "vision.", "cross_attention.", "resampler."],
        ),
    ];
    for (name, flags, learns) in cases {
        let run = folder.path().join(name);
        // A run's own dataset is one as any other.
        let data = match name {
            "lora" => folder.path().join("cross/data"),
            _ => data.clone(),
        };
        let report = finetune(&model, &data, &run, flags).context(name)?;
        let newest = PathBuf::from(report["model"].as_str().context("a folder")?);
        let names = changed(&model, &newest)?;
        ensure!(!names.is_empty(), "{name}: nothing changed");
        let wrong = names
            .iter()
            .find(|name| !learns.iter().any(|part| name.starts_with(part)));
        ensure!(wrong.is_none(), "{name}: {wrong:?} changed");
        for part in learns {
            ensure!(
                names.iter().any(|name| name.starts_with(part)),
                "{name}: no {part} changed"
            );
        }
        if name == "lora" {
            let only = |name: &String| name.ends_with("query") || name.ends_with("down");
            ensure!(names.iter().all(only), "{names:?}");
        }
        let one = text(&folder.path().join("squares/0.png"));
        succeeds([
            "ask",
            "--model",
            &text(&run),
            "--max-tokens",
            "3",
            &one,
            "Which colour?",
        ])?;

        // Multiplied out and on its own, it is the same model.
        let exported = folder.path().join(format!("{name}-exported"));
        let (from, to) = (text(&run), text(&exported));
        succeeds(["models", "export", &from, "-o", &to, "--format", "f32"])?;
        let moved = folder.path().join(format!("{name}-moved"));
        std::fs::rename(&exported, &moved)?;
        ensure!(
            changed(&newest, &moved)?.is_empty(),
            "{name}: the export differs"
        );
    }
    Ok(())
}

#[test]
fn conversations_with_several_pictures_are_learned_from() -> Result<()> {
    let folder = TempDir::new()?;
    for (name, rgb) in [("red.png", [200, 30, 30]), ("green.png", [30, 190, 60])] {
        let square = |x, y| x > 6 && y > 6 && x < 26 && y < 26;
        let picture = image::RgbImage::from_fn(32, 32, |x, y| {
            image::Rgb(if square(x, y) { rgb } else { [250; 3] })
        });
        picture.save(folder.path().join(name))?;
    }
    let row = serde_json::json!({
        "images": ["red.png", "green.png"],
        "messages": [
            {"role": "user", "content": "<image> and <image>: which is green?"},
            {"role": "assistant", "content": "the second"},
            {"role": "user", "content": "And the first?"},
            {"role": "assistant", "content": "red"},
        ],
    });
    let path = folder.path().join("talk.jsonl");
    std::fs::write(&path, format!("{row}\n"))?;
    let model = grafted(folder.path())?;
    for (model, run) in [(&model, "public"), (&PathBuf::from("mini"), "mini")] {
        let run = folder.path().join(run);
        let report = finetune(model, &path, &run, &["--precision", "bf16"])?;
        ensure!(report["samples"] == 1, "{report}");
        let both = ["red.png", "green.png"].map(|name| text(&folder.path().join(name)));
        // Asked on the command line, pictures come first and the marker would be a word.
        let question = " and : which is green?";
        let run = text(&run);
        let ask = [
            "ask",
            "--model",
            &run,
            "--max-tokens",
            "8",
            &both[0],
            &both[1],
            question,
        ];
        let answer = succeeds(ask)?;
        if run.ends_with("mini") {
            ensure!(answer.trim() == "the second", "{answer}");
        }
    }
    Ok(())
}

#[test]
fn the_built_in_model_learns_what_it_did_not_know() -> Result<()> {
    let folder = TempDir::new()?;
    let data = folder.path().join("signs");
    std::fs::create_dir_all(&data)?;
    let mut lines = String::new();
    for n in 0..8u32 {
        let name = ["zorb", "plim"][n as usize % 2];
        let picture = image::RgbImage::from_fn(32, 32, |x, y| {
            let lit = if n % 2 == 0 {
                x / 4 % 2 == 0
            } else {
                y / 4 % 2 == 0
            };
            image::Rgb(if lit {
                [240, 240, 20 * n as u8]
            } else {
                [10, 30, 90]
            })
        });
        picture.save(data.join(format!("{n}.png")))?;
        let row = serde_json::json!({
            "file_name": format!("{n}.png"), "question": "Which sign is it?", "answer": name,
        });
        lines.push_str(&format!("{row}\n"));
    }
    std::fs::write(data.join("metadata.jsonl"), lines)?;
    let (data, run) = (text(&data), text(&folder.path().join("run")));
    let accuracy = |model: &str| -> Result<f64> {
        let report = succeeds(["eval", "--json", "--model", model, "--task", &data])?;
        let report: Value = serde_json::from_str(&report)?;
        report["kinds"]["all"]["exact_match"]
            .as_f64()
            .context("a share")
    };
    ensure!(accuracy("mini")? < 0.5);
    succeeds([
        "finetune", "--data", &data, "-o", &run, "--steps", "40", "--batch", "8",
    ])?;
    let after = accuracy(&run)?;
    ensure!(after > 0.9, "{after}");
    Ok(())
}

#[test]
fn wrong_rows_are_named_by_line_and_stop_or_are_left_out() -> Result<()> {
    let folder = TempDir::new()?;
    let data = pictures(folder.path())?;
    std::fs::write(data.join("1.png"), b"no picture")?;
    let table = data.join("metadata.csv");
    let rows = std::fs::read_to_string(&table)?
        .replace("4.png,Which colour?,green", "4.png,Which colour?,");
    std::fs::write(&table, rows)?;
    let (model, data, run) = (
        grafted(folder.path())?,
        text(&data),
        folder.path().join("run"),
    );
    let (model, run) = (text(&model), text(&run));
    let command = [
        "finetune", "--model", &model, "--data", &data, "-o", &run, "--steps", "2",
    ];
    refused(&command, &["metadata.csv", "line 3", "1.png"])?;
    ensure!(!Path::new(&run).join("data").exists());
    let skipping = [&command[..], &["--on-error", "skip"]].concat();
    let output = offline().args(&skipping).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{said}");
    ensure!(
        said.contains("line 3") && said.contains("line 6") && said.contains("2 wrong"),
        "{said}"
    );
    refused(&skipping, &["--resume"])?;
    let other = ["--resume", "--seed", "7", "--on-error", "skip"];
    refused(&[&command[..], &other].concat(), &["other settings"])
}

#[test]
fn what_cannot_be_done_is_refused_before_anything_is_learned() -> Result<()> {
    let folder = TempDir::new()?;
    let data = text(&pictures(folder.path())?);
    let run = text(&folder.path().join("run"));
    let llama = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/families/llama/model");
    let llama = text(&llama);
    let fails = |more: &[&str], said: &[&str]| {
        let command = ["finetune", "--data", &data, "-o", &run, "--steps", "2"];
        refused(&[&command[..], more].concat(), said)
    };
    fails(&["--model", &llama], &["cross-attention", "--lora"])?;
    fails(
        &["--model", &llama, "--lora", "2"],
        &["sees no pictures", "graft"],
    )?;
    fails(&["--lora", "2", "--train", "all"], &["--lora"])?;
    fails(
        &["--lora", "2", "--lora-layers", "nothing.*"],
        &["no parameter"],
    )?;
    refused(
        &["finetune", "--data", "/no/such", "-o", &run],
        &["/no/such"],
    )
}

#[test]
fn a_killed_run_goes_on_bit_for_bit() -> Result<()> {
    let folder = TempDir::new()?;
    let data = text(&pictures(folder.path())?);
    let model = text(&grafted(folder.path())?);
    let learned = |run: &Path| -> Result<Vec<u8>> {
        let newest = avocet_train::checkpoint::list(run)?
            .pop()
            .context("a checkpoint")?;
        ensure!(newest.0 == 60, "ended at step {}", newest.0);
        Ok(std::fs::read(newest.1.join("model.safetensors"))?)
    };
    for (name, flags) in [
        ("cross", &[][..]),
        ("lora", &["--lora", "2", "--recompute"]),
    ] {
        // Runs of one name: the order of data goes by the names of its folders.
        let run = |which: &str| folder.path().join(format!("{name}-{which}")).join("run");
        let command = |run: &str, more: &[&str]| -> Vec<String> {
            let fixed = ["finetune", "--model", &model, "--data", &data, "-o", run];
            let fixed = [&fixed[..], &["--steps", "60", "--batch", "4"], flags, more].concat();
            fixed.into_iter().map(str::to_owned).collect()
        };
        let unbroken = run("unbroken");
        succeeds(command(&text(&unbroken), &[]))?;
        let broken = run("broken");
        // In a checkpoint that is then not there, and between two.
        for place in ["checkpoint file written 9", "step done 25"] {
            let mut child = offline();
            child.args(command(&text(&broken), &["--resume"]));
            dies_at(child, place)?;
        }
        succeeds(command(&text(&broken), &["--resume"]))?;
        ensure!(
            learned(&broken)? == learned(&unbroken)?,
            "{name}: another model"
        );
    }
    Ok(())
}

#[test]
fn a_run_whose_model_was_changed_is_not_gone_on_with() -> Result<()> {
    let folder = TempDir::new()?;
    let data = pictures(folder.path())?;
    let model = grafted(folder.path())?;
    let run = folder.path().join("run");
    finetune(&model, &data, &run, &[])?;
    let (last, newest) = avocet_train::checkpoint::list(&run)?
        .pop()
        .context("a checkpoint")?;
    ensure!(last == 12);
    std::fs::remove_dir_all(newest)?;
    let weights = run.join("base/decoder/model.safetensors");
    let mut tensors = candle_core::safetensors::load(&weights, &Device::Cpu)?;
    let moved = tensors.values_mut().next().context("a tensor")?;
    *moved = moved.affine(1.0, 0.5)?;
    // The file is linked to the model's own, which stays as it is.
    std::fs::remove_file(&weights)?;
    candle_core::safetensors::save(&tensors, &weights)?;
    let (model, data, run) = (text(&model), text(&data), text(&run));
    let command = ["finetune", "--model", &model, "--data", &data, "-o", &run];
    let command = [&command[..], &["--steps", "12", "--batch", "4", "--resume"]].concat();
    refused(&command, &["not the model that the run began with"])
}

/// Runs what must fail with these words in the last line of what it says.
fn refused(arguments: &[&str], words: &[&str]) -> Result<()> {
    let output = offline().args(arguments).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(
        output.status.code() == Some(1) && output.stdout.is_empty(),
        "{said}"
    );
    ensure!(
        !said.contains("panicked") && !said.contains("internal error"),
        "{said}"
    );
    let last = said.trim_end().lines().last().unwrap_or_default();
    for word in words {
        ensure!(last.contains(word), "{word:?} is missing in: {said}");
    }
    Ok(())
}

#[test]
fn an_adapter_that_lies_is_refused_in_one_line() -> Result<()> {
    let folder = TempDir::new()?;
    let data = pictures(folder.path())?;
    let run = folder.path().join("run");
    let report = finetune(&grafted(folder.path())?, &data, &run, &["--lora", "2"])?;
    let newest = PathBuf::from(report["model"].as_str().context("a folder")?);
    let adapter = std::fs::read_to_string(newest.join("adapter.toml"))?;
    let base = "base = \"../base\"";
    ensure!(adapter.contains(base), "{adapter}");
    let lies = [
        (base, "base = \"../../base\"", "base"),
        (base, "base = \"/etc\"", "base"),
        (base, "base = \"..\"", "base"),
        (base, "base = \"../nothing\"", "nothing"),
        ("rank = 2", "rank = 0", "rank"),
        ("rank = 2", "rank = 3", "lora_a"),
        ("rank = 2", "rank = 2\nmore = 1", "more"),
        ("[lora]", "[other]", "other"),
    ];
    for (from, to, word) in lies {
        std::fs::write(newest.join("adapter.toml"), adapter.replace(from, to))?;
        fails(["ask", "--model", &text(&newest), "Why?"], &[word])
            .with_context(|| to.to_owned())?;
    }
    std::fs::write(newest.join("adapter.toml"), &adapter)?;
    succeeds([
        "ask",
        "--model",
        &text(&newest),
        "--max-tokens",
        "2",
        "Why?",
    ])?;
    let weights = newest.join("model.safetensors");
    let mut tensors = candle_core::safetensors::load(&weights, &Device::Cpu)?;
    let stray = tensors.values().next().context("a tensor")?.clone();
    tensors.insert("decoder.layers.99.attention.query".into(), stray);
    candle_core::safetensors::save(&tensors, &weights)?;
    fails(["ask", "--model", &text(&newest), "Why?"], &["layers.99"])?;
    // It is a part of a model and no part of another one.
    let (run, output) = (text(&run), text(&folder.path().join("again")));
    let command = [
        "upcycle",
        "--decoder",
        &run,
        "--experts",
        "2",
        "--top-k",
        "1",
        "-o",
        &output,
    ];
    fails(command, &["adapter"])
}
