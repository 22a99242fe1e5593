//! What a run measured: one JSON line a logged step, in `metrics.jsonl` of the run folder.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize};

use crate::data_seen::DataSeen;
use crate::error::{Result, TrainError};

/// The measurements of one step, and of the steps since the line before where it says so.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StepMetrics {
    /// Steps done in the run, all stages counted.
    pub step: u64,
    /// Name of the stage.
    pub stage: String,
    /// Steps done in the stage.
    pub stage_step: u64,
    /// The sum that was minimised.
    #[serde(deserialize_with = "number_or_null")]
    pub loss: f64,
    /// Its parts before weighting: `text`, `balance`, `z`, `ctc`, `names`.
    pub parts: BTreeMap<String, f64>,
    /// Mean loss of answer tokens by kind of sample.
    pub kinds: BTreeMap<String, f64>,
    /// Mean loss of answer tokens of held-out data, by kind; empty between measurements.
    pub held_out: BTreeMap<String, f64>,
    /// Figures on the auxiliary heads: `character_error_rate`, `name_accuracy`.
    pub accuracy: BTreeMap<String, f64>,
    /// Norm of the whole gradient before clipping.
    #[serde(deserialize_with = "number_or_null")]
    pub gradient_norm: f64,
    /// Learning rate of the step.
    pub learning_rate: f64,
    /// Samples in the step.
    pub samples: u64,
    /// Text tokens in the step.
    pub tokens: u64,
    /// Image patches in the step.
    pub patches: u64,
    /// Seconds the step took, data included, mean since the line before.
    pub step_s: f64,
    /// Seconds of waiting for data in a step, mean since the line before.
    pub data_s: f64,
    /// Samples a second since the line before.
    pub samples_per_s: f64,
    /// Text tokens a second since the line before.
    pub tokens_per_s: f64,
    /// Patches a second since the line before.
    pub patches_per_s: f64,
    /// Model operations a second over the measured peak of matrix products.
    pub mfu: f64,
    /// Share of the tokens that each expert took, by layer.
    pub expert_load: Vec<Vec<f64>>,
    /// Gates after tanh, by name.
    pub gates: BTreeMap<String, f64>,
    /// Steps skipped so far because the gradient was not finite.
    pub skipped: u64,
    /// Seconds of training so far, over all resumptions.
    pub seconds: f64,
    /// Samples since the start of the run.
    pub samples_seen: u64,
    /// Floating-point operations of the model since the start of the run.
    pub flops: f64,
    /// What the stage has read; in its last line, and where held-out data is measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<DataSeen>,
}

/// JSON has no NaN: what was not finite is written as null.
fn number_or_null<'de, D: Deserializer<'de>>(input: D) -> std::result::Result<f64, D::Error> {
    Ok(Option::deserialize(input)?.unwrap_or(f64::NAN))
}

/// The file that a run's measurements go to.
#[derive(Debug)]
pub struct MetricsLog {
    path: PathBuf,
    file: File,
}

impl MetricsLog {
    /// Name of the file in the run folder.
    pub const FILE: &'static str = "metrics.jsonl";

    /// Opens the log of a run that stands at `step`: lines of later steps, and a last line that
    /// was cut off, are taken away.
    pub fn open(run: &Path, step: u64) -> Result<Self> {
        let path = run.join(Self::FILE);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(TrainError::io(&path))?;
        let kept = kept_length(&file, step).map_err(TrainError::io(&path))?;
        file.set_len(kept).map_err(TrainError::io(&path))?;
        file.seek(SeekFrom::End(0)).map_err(TrainError::io(&path))?;
        Ok(Self { path, file })
    }

    /// Adds a line; figures by name that are not finite are left out.
    pub fn write(&mut self, metrics: &StepMetrics) -> Result<()> {
        let mut metrics = metrics.clone();
        let maps = [
            &mut metrics.parts,
            &mut metrics.kinds,
            &mut metrics.held_out,
            &mut metrics.accuracy,
            &mut metrics.gates,
        ];
        maps.into_iter()
            .for_each(|map| map.retain(|_, value| value.is_finite()));
        let mut line = serde_json::to_string(&metrics)
            .map_err(|error| TrainError::io(&self.path)(error.into()))?;
        line.push('\n');
        self.file
            .write_all(line.as_bytes())
            .map_err(TrainError::io(&self.path))
    }

    /// Makes sure that the lines so far survive a crash of the machine.
    pub fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(TrainError::io(&self.path))
    }
}

/// Bytes of the leading whole lines that belong to `step` or an earlier one.
fn kept_length(file: &File, step: u64) -> std::io::Result<u64> {
    let mut reader = BufReader::new(file);
    let (mut kept, mut line) = (0, Vec::new());
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line)?;
        if read == 0 || line.last() != Some(&b'\n') {
            return Ok(kept);
        }
        match serde_json::from_slice::<StepMetrics>(&line) {
            Ok(metrics) if metrics.step <= step => kept += read as u64,
            _ => return Ok(kept),
        }
    }
}

/// All measurements of a run, in order.
pub fn read_metrics(run: &Path) -> Result<Vec<StepMetrics>> {
    let path = run.join(MetricsLog::FILE);
    let text = std::fs::read_to_string(&path).map_err(TrainError::io(&path))?;
    // A line that a running trainer has not finished is left out.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let parse = |(index, line): (usize, &str)| {
        serde_json::from_str(line)
            .map_err(|error| TrainError::damaged(&path, format!("line {}: {error}", index + 1)))
    };
    whole.lines().enumerate().map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(step: u64) -> StepMetrics {
        StepMetrics {
            step,
            loss: 0.1 + 1.0 / step as f64,
            ..StepMetrics::default()
        }
    }

    #[test]
    fn resuming_takes_later_lines_and_a_torn_line_away() -> Result<()> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut log = MetricsLog::open(folder.path(), 0)?;
        for step in 1..=5 {
            log.write(&line(step))?;
        }
        log.file
            .write_all(b"{\"step\":6,\"lo")
            .expect("a torn line");
        drop(log);
        let mut log = MetricsLog::open(folder.path(), 3)?;
        log.write(&line(4))?;
        let steps: Vec<u64> = read_metrics(folder.path())?
            .iter()
            .map(|m| m.step)
            .collect();
        assert_eq!(steps, [1, 2, 3, 4]);
        assert_eq!(
            read_metrics(folder.path())?[2],
            line(3),
            "floats survive writing exactly"
        );
        Ok(())
    }
}
