//! What a model does not know it says: how sure it is stands in every report, what is held back is
//! said as a doubt, and how far confidence is from the truth is measured and mended.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use avocet_config::{CalibrationConfig, ModelConfig};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::command::{avocet_reading, fails, stdout, succeeds};
use crate::tables::circle;

const QUESTION: &str = "What color is the circle?";

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn red(folder: &TempDir) -> Result<String> {
    let path = folder.path().join("red.png");
    circle([220, 20, 20]).save(&path)?;
    Ok(text(&path))
}

fn asked(more: &[&str], picture: &str) -> Result<Value> {
    let command = [&["ask", "--json"], more, &[picture, QUESTION]].concat();
    Ok(serde_json::from_str(&succeeds(command)?)?)
}

#[test]
fn below_the_threshold_ask_and_chat_say_that_they_are_not_sure() -> Result<()> {
    let folder = TempDir::new()?;
    let picture = red(&folder)?;
    let told = asked(&["--threshold", "0"], &picture)?;
    assert_eq!(
        (&told["answer"], &told["sure"]),
        (&"red".into(), &true.into())
    );
    assert_eq!((told.get("guess"), told.get("perhaps")), (None, None));
    let sure = told["confidence"].as_f64().context("a number")?;
    assert!((0.0..=1.0).contains(&sure), "{sure}");

    let held = asked(&["--threshold", "1"], &picture)?;
    assert_eq!(
        (&held["answer"], &held["sure"], &held["guess"]),
        (&"not sure".into(), &false.into(), &"red".into())
    );
    assert_eq!(held["confidence"], told["confidence"]);
    // Between the two it is as sure as it says.
    let just = format!("{}", sure - 2e-4);
    assert_eq!(asked(&["--threshold", &just], &picture)?["answer"], "red");

    // Nothing is printed that would be taken back.
    let said = succeeds(["ask", "--threshold", "1", &picture, QUESTION])?;
    assert_eq!(said, "not sure\n");
    let talk = format!("{QUESTION}\n/quit\n");
    let chat = avocet_reading(&["chat", "--threshold", "1", &picture], talk.as_bytes())?;
    assert_eq!(stdout(&chat), "not sure\n");
    for wrong in ["1.5", "-0.1", "nan"] {
        let output = crate::command::avocet(["ask", &format!("--threshold={wrong}"), "Why?"])?;
        assert_eq!(output.status.code(), Some(2), "{wrong}");
    }
    Ok(())
}

/// A folder of the built-in model's own files.
fn exported(folder: &Path) -> Result<PathBuf> {
    let model = folder.join("model");
    succeeds(["models", "export", "mini", "-o", &text(&model)])?;
    Ok(model)
}

/// Forty circles in colours that their names fit, or do not.
fn questions(folder: &Path) -> Result<String> {
    let mut lines = String::new();
    for n in 0..40u8 {
        let name = format!("{n}.png");
        let (colour, said) = match n % 4 {
            0 => ([220, 20 + n, 20], "red"),
            1 => ([20, 20 + n, 220], "blue"),
            2 => ([230, 220, 20 + n], "yellow"),
            // No colour has this name.
            _ => ([20, 160, 20 + n], "zorb"),
        };
        circle(colour).save(folder.join(&name))?;
        let row = json!({"images": [name], "question": QUESTION, "answer": said});
        lines.push_str(&format!("{row}\n"));
    }
    let path = folder.join("colours.jsonl");
    std::fs::write(&path, lines)?;
    Ok(text(&path))
}

#[test]
fn how_sure_a_model_is_is_measured_and_mended() -> Result<()> {
    let folder = TempDir::new()?;
    let model = exported(folder.path())?;
    // As it is without any calibration.
    let path = model.join("config.toml");
    let mut config = ModelConfig::from_toml(&std::fs::read_to_string(&path)?)?;
    config.confidence = None;
    std::fs::write(&path, config.to_toml())?;
    let (model, task) = (text(&model), questions(folder.path())?);
    let eval = |more: &[&str]| -> Result<Value> {
        let command = ["eval", "--json", "--model", &model, "--task", &task];
        Ok(serde_json::from_str(&succeeds(
            [&command[..], more].concat(),
        )?)?)
    };
    let shares = |report: &Value| {
        let all = &report["kinds"]["all"];
        ["right", "wrong", "not_sure"].map(|name| all[name].as_f64().unwrap_or(f64::NAN))
    };
    let error = |report: &Value| {
        let error = &report["kinds"]["all"]["calibration_error"];
        error.as_f64().context("an error")
    };
    let before = eval(&[])?;
    let [right, wrong, not_sure] = shares(&before);
    assert!(
        (right + wrong - 1.0).abs() < 1e-9 && not_sure == 0.0,
        "{before}"
    );
    assert!((0.5..=0.75).contains(&right), "{before}");

    let fitted = ["eval", "--json", "--model", &model, "--calibrate", &task];
    let fitted: Value = serde_json::from_str(&succeeds(fitted)?)?;
    assert_eq!(fitted["questions"], 40);
    assert_eq!(fitted["kept"], text(&path));
    let kept = ModelConfig::from_toml(&std::fs::read_to_string(&path)?)?;
    let kept = kept.confidence.context("a table")?;
    assert!(kept.name != CalibrationConfig::default(), "{kept:?}");
    assert_eq!(kept.reading, CalibrationConfig::default());
    let after = eval(&["--threshold", "0"])?;
    assert!(error(&after)? < error(&before)?, "{before} {after}");
    let said = fitted["calibration_error"].as_f64().context("an error")?;
    assert!((said - error(&after)?).abs() < 1e-9, "{fitted} {after}");

    // What is held back is neither right nor wrong; of what it knew, it is said.
    let held = eval(&["--threshold", "1"])?;
    assert_eq!(shares(&held), [0.0, 0.0, 1.0]);
    assert_eq!(held["kinds"]["all"]["refused"], 1.0);
    assert_eq!(error(&held)?, error(&after)?);
    fails(
        ["eval", "--model", &model, "--calibrate", "/no/such"],
        &["--calibrate", "/no/such"],
    )
}

#[test]
fn where_it_is_not_sure_the_coarser_thing_is_said_that_it_is_sure_of() -> Result<()> {
    let folder = TempDir::new()?;
    let model = exported(folder.path())?;
    let path = model.join("config.toml");
    let mut config = ModelConfig::from_toml(&std::fs::read_to_string(&path)?)?;
    let mut confidence = config.confidence.unwrap_or_default();
    // Sure of names it shall never be, and of yes and no always.
    confidence.name.threshold = 1.0;
    confidence.yes_or_no.threshold = 0.0;
    confidence.coarser = Some("Is there a circle?".into());
    config.confidence = Some(confidence);
    std::fs::write(&path, config.to_toml())?;
    let (model, picture) = (text(&model), red(&folder)?);
    let said = asked(&["--model", &model], &picture)?;
    let perhaps = said["perhaps"].as_str().context("a hint")?;
    ensure!(matches!(perhaps, "yes" | "no"), "{said}");
    assert_eq!(said["answer"], format!("not sure; perhaps {perhaps}"));
    assert_eq!(
        (&said["sure"], &said["guess"]),
        (&false.into(), &"red".into())
    );
    Ok(())
}

#[test]
fn a_question_about_nothing_is_right_where_nobody_can_know() -> Result<()> {
    let folder = TempDir::new()?;
    let white = image::RgbImage::from_pixel(90, 60, image::Rgb([255; 3]));
    white.save(folder.path().join("white.png"))?;
    let row = json!({"images": ["white.png"], "question": "What is this?", "answer": "not sure"});
    let path = folder.path().join("blank.jsonl");
    std::fs::write(&path, format!("{row}\n"))?;
    let report = succeeds(["eval", "--json", "--task", &text(&path)])?;
    let report: Value = serde_json::from_str(&report)?;
    let all = &report["kinds"]["all"];
    assert_eq!(
        (&all["right"], &all["not_sure"]),
        (&1.0.into(), &0.0.into())
    );
    // The model was not asked, so nothing is told of how sure it is.
    assert_eq!(all.get("calibration_error"), None);
    Ok(())
}
