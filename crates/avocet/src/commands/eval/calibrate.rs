//! `avocet eval --calibrate`: how sure a model is, fitted on held-out questions.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use avocet_config::{ConfidenceConfig, ModelConfig};
use avocet_infer::Engine;
use avocet_train::eval::{Outcome, Task, answer, calibrate, calibration_error};
use serde::Serialize;

use super::answers::TOGETHER;
use super::args::{EvalArgs, task};
use crate::ui::output;
use crate::ui::progress::counted;

/// The file of a model folder that holds its shape.
const CONFIG: &str = "config.toml";

#[derive(Serialize)]
struct Report<'a> {
    model: &'a str,
    questions: usize,
    calibration_error_before: Option<f64>,
    calibration_error: Option<f64>,
    confidence: &'a ConfidenceConfig,
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<String>,
}

/// Answers the questions, fits, prints the table, and keeps it in the model's folder.
pub fn run(args: &EvalArgs, engine: &Engine) -> Result<()> {
    let mut outcomes = Vec::new();
    let bar = counted("questions");
    for name in &args.calibrate {
        let tasks = match Task::group(name) {
            Some(sets) => sets.into_iter().map(|(_, set)| set).collect(),
            None => vec![task("--calibrate", name)?],
        };
        for task in tasks {
            outcomes.extend(answered(args, engine, &task, |count| bar.inc(count))?);
        }
    }
    bar.finish_and_clear();
    if outcomes.is_empty() {
        bail!("--calibrate: there is no question in the datasets");
    }
    let before = calibration_error(outcomes.iter());
    let config = calibrate(&outcomes, engine.config().confidence.as_ref());
    let after = calibration_error(recalibrated(outcomes.clone(), &config).iter());
    let kept = keep(Path::new(&args.model), &config)?;
    if args.json {
        return output::print_json(&Report {
            model: &engine.config().name,
            questions: outcomes.len(),
            calibration_error_before: before,
            calibration_error: after,
            confidence: &config,
            kept: kept.map(|path| path.display().to_string()),
        });
    }
    output::print(&config.to_toml())?;
    let share = |error: Option<f64>| error.map_or("none".into(), |error| format!("{error:.3}"));
    let where_kept = match &kept {
        Some(path) => format!("kept in {}", path.display()),
        None => "not kept: --model is no folder with a config.toml".to_owned(),
    };
    output::note(&format!(
        "{} questions; expected calibration error {} before, {} after; {where_kept}\n",
        outcomes.len(),
        share(before),
        share(after),
    ));
    Ok(())
}

/// The questions of a dataset, none of them refused.
fn answered(
    args: &EvalArgs,
    engine: &Engine,
    task: &Task,
    done: impl Fn(u64),
) -> Result<Vec<Outcome>> {
    let mut questions = task.questions(args.limit.unwrap_or(usize::MAX))?;
    let mut outcomes = Vec::new();
    loop {
        let some = questions.by_ref().take(TOGETHER);
        let some = some.collect::<Result<Vec<_>, _>>()?;
        if some.is_empty() {
            return Ok(outcomes);
        }
        outcomes.extend(answer(engine, &some, args.max_tokens as usize, Some(0.0))?);
        done(some.len() as u64);
    }
}

/// The same answers with what they are worth now.
fn recalibrated(mut outcomes: Vec<Outcome>, config: &ConfidenceConfig) -> Vec<Outcome> {
    let replies = outcomes.iter_mut().filter_map(|one| one.reply.as_mut());
    for answer in replies.filter_map(|reply| reply.answer.as_mut()) {
        let tokens = answer.token_ids.len();
        let kind = config.kind(&answer.text, tokens);
        answer.confidence = config.of(kind).confidence(answer.log_probability, tokens);
    }
    outcomes
}

/// Writes the table into the configuration of a model folder; none if `model` is none.
fn keep(model: &Path, config: &ConfidenceConfig) -> Result<Option<PathBuf>> {
    let path = model.join(CONFIG);
    if !path.is_file() {
        return Ok(None);
    }
    let named = || path.display().to_string();
    let text = std::fs::read_to_string(&path).with_context(named)?;
    let mut shape = ModelConfig::from_toml(&text).with_context(named)?;
    shape.confidence = Some(config.clone());
    output::save(&path, shape.to_toml().as_bytes())?;
    Ok(Some(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_kept_in_a_model_folder_and_nowhere_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = ConfidenceConfig::default();
        config.name.threshold = 0.25;
        let none = keep(Path::new("mini"), &config).expect("no folder");
        assert_eq!(none, None);
        let shape = avocet_config::preset("tiny").expect("a preset");
        let path = folder.path().join(CONFIG);
        std::fs::write(&path, shape.to_toml()).expect("written");
        assert_eq!(
            keep(folder.path(), &config).expect("kept"),
            Some(path.clone())
        );
        let kept = std::fs::read_to_string(&path).expect("there");
        let kept = ModelConfig::from_toml(&kept).expect("read");
        assert_eq!(kept.confidence, Some(config));
        assert_eq!(kept.decoder, shape.decoder);
    }
}
