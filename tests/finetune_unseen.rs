//! `avocet finetune` on folders of pictures: a part is held out, by which it is seen when enough is
//! learned and how good the result is; the best values stay, and a killed run ends with the same.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use image::{Rgb, RgbImage};
use serde_json::Value;
use tempfile::TempDir;

use crate::command::{avocet, offline, stderr, stdout, succeeds};
use crate::finetune::{grafted, parameters, text};
use crate::kills::dies_at;

/// Folders named after stripes that go across or down, with twelve pictures each.
fn stripes(folder: &Path) -> Result<PathBuf> {
    let photos = folder.join("photos");
    for n in 0..24u32 {
        let across = n % 2 == 0;
        let label = photos.join(["plim", "zorb_thing"][n as usize % 2]);
        std::fs::create_dir_all(&label)?;
        let picture = RgbImage::from_fn(32, 32, |x, y| {
            let place = if across { x } else { y };
            Rgb(match (place + n) / 4 % 2 {
                0 => [240, 240, 10 * n as u8],
                _ => [10, 30, 90],
            })
        });
        picture.save(label.join(format!("{n}.png")))?;
    }
    Ok(photos)
}

/// The steps at which there are checkpoints of a run.
fn steps(run: &Path) -> Result<Vec<(u64, PathBuf)>> {
    Ok(avocet_train::checkpoint::list(run)?)
}

#[test]
fn a_folder_of_labels_is_learned_and_what_was_not_seen_is_told() -> Result<()> {
    let folder = TempDir::new()?;
    let (photos, run) = (stripes(folder.path())?, folder.path().join("run"));
    let (photos, run) = (text(&photos), text(&run));
    let command = ["finetune", "--data", &photos, "-o", &run, "--batch", "8"];
    let output = avocet([&command[..], &["--steps", "60"]].concat())?;
    let said = stderr(&output);
    ensure!(output.status.success(), "{said}");
    assert!(
        said.contains("20 samples are learned from and 4 held out"),
        "{said}"
    );
    assert!(
        said.contains("of 4 pictures it had not seen it named"),
        "{said}"
    );
    assert!(said.contains("--against mini"), "{said}");
    assert_eq!(stdout(&output).trim(), run);

    let unseen = format!("{run}/held-out");
    let compared = ["eval", "--json", "--model", &run, "--against", "mini"];
    let compared = succeeds([&compared[..], &["--task", &unseen]].concat())?;
    let compared: Value = serde_json::from_str(&compared)?;
    let all = &compared["kinds"]["all"];
    assert_eq!((&all["questions"], &all["before"]), (&4.into(), &0.into()));
    let after = all["after"].as_u64().context("a number")?;
    ensure!(
        after >= 3 && all["learned"] == after && all["forgotten"] == 0,
        "{compared}"
    );
    // The folder of labels is a task as well; `_` is a space.
    let known = ["eval", "--json", "--model", &run, "--task", &photos];
    let known: Value = serde_json::from_str(&succeeds(known)?)?;
    assert_eq!(known["questions"], 24);
    ensure!(
        known["kinds"]["all"]["right"].as_f64() > Some(0.8),
        "{known}"
    );
    Ok(())
}

/// Pictures whose names nobody could find out: each name comes as often in each colour.
fn unlearnable(folder: &Path) -> Result<PathBuf> {
    let folder = folder.join("lots");
    std::fs::create_dir_all(&folder)?;
    let mut table = String::from("file_name,question,answer\n");
    for n in 0..24u32 {
        let shade = (n * 53 % 251) as u8;
        let picture = RgbImage::from_fn(24, 24, |x, _| Rgb([shade, 255 - shade, 8 * x as u8]));
        picture.save(folder.join(format!("{n}.png")))?;
        let name = ["red", "green", "blue"][(n * n / 7 % 3) as usize];
        table.push_str(&format!("{n}.png,Which?,{name}\n"));
    }
    std::fs::write(folder.join("metadata.csv"), table)?;
    Ok(folder)
}

#[test]
fn it_stops_when_what_is_held_out_is_no_longer_predicted_better_and_keeps_the_best() -> Result<()> {
    let folder = TempDir::new()?;
    let (data, model) = (unlearnable(folder.path())?, grafted(folder.path())?);
    let (data, model) = (text(&data), text(&model));
    let run = folder.path().join("run");
    let finetune = |run: &Path, more: &[&str]| -> Vec<String> {
        let run = text(run);
        let command = [
            "finetune", "--json", "--model", &model, "--data", &data, "-o", &run,
        ];
        let settings = ["--steps", "2000", "--batch", "4", "--patience", "2"];
        let rate = ["--learning-rate", "0.02"];
        let all = [&command[..], &settings, &rate, more].concat();
        all.into_iter().map(str::to_owned).collect()
    };
    let report: Value = serde_json::from_str(&succeeds(finetune(&run, &[]))?)?;
    let (last, best) = (&report["steps"], &report["best_step"]);
    let (last, best) = (
        last.as_u64().context("steps")?,
        best.as_u64().context("best")?,
    );
    ensure!(best < last && last < 2000, "{report}");
    let unseen = report["held_out"]["questions"].as_u64();
    ensure!(
        unseen.is_some_and(|count| (3..9).contains(&count)),
        "{report}"
    );
    let all = steps(&run)?;
    let at = |step: u64| -> Result<PathBuf> {
        let found = all.iter().find(|(one, _)| *one == step);
        Ok(found.context("a checkpoint")?.1.clone())
    };
    let (kept, newest) = (parameters(&at(best)?)?, parameters(&at(last)?)?);
    for (name, tensor) in &kept {
        let (one, other) = (tensor.flatten_all()?, newest[name].flatten_all()?);
        ensure!(one.to_vec1::<f32>()? == other.to_vec1::<f32>()?, "{name}");
    }

    // Killed after the best, with pictures that change by chance, it ends with the same values.
    let broken = folder.path().join("broken").join("run");
    std::fs::create_dir_all(folder.path().join("broken"))?;
    let mut child = offline();
    child.args(finetune(&broken, &["--resume"]));
    dies_at(child, &format!("step done {}", best + 3))?;
    succeeds(finetune(&broken, &["--resume"]))?;
    let (_, again) = steps(&broken)?.pop().context("a checkpoint")?;
    let bytes = |folder: &Path| std::fs::read(folder.join("model.safetensors"));
    ensure!(bytes(&again)? == bytes(&at(last)?)?, "another model");
    Ok(())
}
