//! Checkpoints of a run: whole or absent, verified when read, the last few kept.
//!
//! `RUN/step-000500/` holds `config.toml`, `model.safetensors` and `tokenizer.json` (enough to
//! infer; in a fine-tuned run `adapter.toml` and what changed), `auxiliary.safetensors`,
//! `optimizer.safetensors`, and `state.json` with the SHA-256 of each. A crash at any point leaves
//! either the whole checkpoint or none (`avocet_files`).

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use avocet_checkpoint::ADAPTER;
use avocet_files::{NewFolder, kill_point, remove_folder, remove_partials};
use candle_core::safetensors::load_buffer;
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Result, TrainError};
use crate::patience::Best;

/// The model's parameters.
pub const MODEL: &str = "model.safetensors";
/// The model's shape.
pub const CONFIG: &str = "config.toml";
/// The tokenizer.
pub const TOKENIZER: &str = "tokenizer.json";
/// The auxiliary heads, dropped from a finished model.
pub(crate) const AUXILIARY: &str = "auxiliary.safetensors";
const OPTIMIZER: &str = "optimizer.safetensors";
const STATE: &str = "state.json";

/// Where a run stands, besides its tensors.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunState {
    /// Steps done in the run, all stages counted.
    pub step: u64,
    /// Index of the stage.
    pub stage: usize,
    /// Steps done in the stage; they are also the place on the ramps of rate and batch.
    pub stage_step: u64,
    /// Whether the stage is finished.
    pub stage_done: bool,
    /// Seed of the run; all random streams follow from it, the names and the positions.
    pub seed: u64,
    /// Steps of the optimizer.
    pub optimizer_steps: u64,
    /// Steps skipped because the gradient was not finite.
    pub skipped: u64,
    /// Steps skipped in a row.
    pub skipped_in_a_row: u64,
    /// Samples seen in the run.
    pub samples_seen: u64,
    /// Floating-point operations of the model in the run.
    pub flops: f64,
    /// Seconds of training.
    pub seconds: f64,
    /// Where the loader stands.
    pub position: serde_json::Value,
    /// Names in the order of their places in the auxiliary head.
    pub names: Vec<String>,
    /// The best measurement of the stage, where it ends by that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<Best>,
    /// SHA-256 of the other files of the checkpoint.
    pub checksums: BTreeMap<String, String>,
}

/// Tensors by name.
pub type Tensors = BTreeMap<String, Tensor>;

/// Everything that a checkpoint holds.
#[derive(Debug)]
pub struct Snapshot {
    /// The files that say what the model is: [`CONFIG`] and [`TOKENIZER`], or what it is an
    /// adapter of.
    pub described: BTreeMap<String, Vec<u8>>,
    /// The model's parameters; of an adapter those that changed.
    pub model: Tensors,
    /// The auxiliary heads' parameters.
    pub auxiliary: Tensors,
    /// The optimizer's moments.
    pub optimizer: Tensors,
    /// Where the run stands.
    pub state: RunState,
}

/// A checkpoint read back and verified.
#[derive(Debug)]
pub struct Loaded {
    /// Its folder.
    pub folder: PathBuf,
    /// The files that say what the model is.
    pub described: BTreeMap<String, Vec<u8>>,
    /// The model's and the auxiliary heads' parameters.
    pub parameters: HashMap<String, Tensor>,
    /// The optimizer's moments.
    pub optimizer: HashMap<String, Tensor>,
    /// Where the run stands.
    pub state: RunState,
}

impl Loaded {
    /// The model's shape as TOML, if it is a whole model.
    pub fn config(&self) -> Option<String> {
        let bytes = self.described.get(CONFIG)?;
        Some(String::from_utf8_lossy(bytes).into_owned())
    }

    /// The tokenizer file, if it is a whole model.
    pub fn tokenizer(&self) -> Option<&[u8]> {
        self.described.get(TOKENIZER).map(Vec::as_slice)
    }
}

/// Writes a checkpoint and returns its folder.
pub fn save(run: &Path, snapshot: &Snapshot) -> Result<PathBuf> {
    let name = format!("step-{:06}", snapshot.state.step);
    let target = run.join(&name);
    let folder = NewFolder::create(&target)?;
    let write = |file: &str, bytes: &[u8]| {
        folder.write(file, bytes)?;
        kill_point("checkpoint file written");
        Ok::<_, TrainError>(hex(bytes))
    };
    let mut state = snapshot.state.clone();
    state.checksums.clear();
    for (file, bytes) in &snapshot.described {
        state.checksums.insert(file.clone(), write(file, bytes)?);
    }
    let tensors = [
        (MODEL, &snapshot.model),
        (AUXILIARY, &snapshot.auxiliary),
        (OPTIMIZER, &snapshot.optimizer),
    ];
    for (file, tensors) in tensors {
        let bytes = safetensors::serialize(tensors, None)
            .map_err(|error| TrainError::damaged(&target.join(file), error.to_string()))?;
        state.checksums.insert(file.into(), write(file, &bytes)?);
    }
    write(STATE, &sealed(&state, &target.join(STATE))?)?;
    kill_point("checkpoint complete");
    // A checkpoint of the same step exists only if it was found damaged.
    remove_folder(&target)?;
    folder.commit()?;
    kill_point("checkpoint named");
    Ok(target)
}

/// The SHA-256 of `bytes` in hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// The checkpoint folders of a run, oldest first.
pub fn list(run: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let entries = match std::fs::read_dir(run) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(TrainError::io(run))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(TrainError::io(run))?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let step = name.and_then(|name| name.strip_prefix("step-")?.parse().ok());
        if let Some(step) = step {
            found.push((step, path));
        }
    }
    found.sort();
    Ok(found)
}

/// Reads a checkpoint to `device` and verifies every byte of it.
pub fn load(folder: &Path, device: &Device) -> Result<Loaded> {
    let mut files = HashMap::new();
    let state = state(folder)?;
    for (file, checksum) in &state.checksums {
        let path = folder.join(file);
        let bytes = std::fs::read(&path).map_err(TrainError::io(&path))?;
        let found = hex(&bytes);
        if found != *checksum {
            let message = format!("its SHA-256 is {found}, state.json says {checksum}");
            return Err(TrainError::damaged(&path, message));
        }
        files.insert(file.as_str(), bytes);
    }
    let whole = files.contains_key(CONFIG) && files.contains_key(TOKENIZER);
    if !whole && !files.contains_key(ADAPTER) {
        let message = format!("lists neither {CONFIG} and {TOKENIZER} nor {ADAPTER}");
        return Err(TrainError::damaged(&folder.join(STATE), message));
    }
    let mut take = |file: &str| {
        let missing = || TrainError::damaged(&folder.join(STATE), format!("lists no {file}"));
        files.remove(file).ok_or_else(missing)
    };
    let mut parameters = load_buffer(&take(MODEL)?, device)?;
    parameters.extend(load_buffer(&take(AUXILIARY)?, device)?);
    let optimizer = load_buffer(&take(OPTIMIZER)?, device)?;
    let described = files.into_iter();
    let described = described
        .map(|(file, bytes)| (file.to_owned(), bytes))
        .collect();
    Ok(Loaded {
        folder: folder.to_path_buf(),
        described,
        parameters,
        optimizer,
        state,
    })
}

/// `state.json` opens with the SHA-256 of the rest, so that damage to itself is noticed too.
const SEAL: (&str, &str, &str) = ("{\"sha256\":\"", "\",\n\"state\":", "}\n");

fn sealed(state: &RunState, path: &Path) -> Result<Vec<u8>> {
    let json = serde_json::to_string_pretty(state)
        .map_err(|error| TrainError::damaged(path, error.to_string()))?;
    let digest = hex(json.as_bytes());
    Ok([SEAL.0, &digest, SEAL.1, &json, SEAL.2]
        .concat()
        .into_bytes())
}

/// Whether a folder is a checkpoint, whole or not, rather than a model without a state.
pub(crate) fn is_checkpoint(folder: &Path) -> bool {
    folder.join(STATE).exists()
}

/// Where a checkpoint stands, without its tensors.
pub fn state(folder: &Path) -> Result<RunState> {
    let path = folder.join(STATE);
    let text = std::fs::read(&path).map_err(TrainError::io(&path))?;
    let broken = || TrainError::damaged(&path, "it is not a whole checkpoint's state");
    let inner = text.strip_prefix(SEAL.0.as_bytes());
    let inner = inner.and_then(|rest| rest.strip_suffix(SEAL.2.as_bytes()));
    let (digest, rest) = inner
        .and_then(|rest| rest.split_at_checked(64))
        .ok_or_else(broken)?;
    let json = rest.strip_prefix(SEAL.1.as_bytes()).ok_or_else(broken)?;
    if hex(json).as_bytes() != digest {
        return Err(TrainError::damaged(
            &path,
            "it does not match its own SHA-256",
        ));
    }
    serde_json::from_slice(json).map_err(|error| TrainError::damaged(&path, error.to_string()))
}

/// The newest whole checkpoint of a run, read to `device`; `warn` is told of each damaged one that
/// is passed over.
pub fn newest(run: &Path, device: &Device, mut warn: impl FnMut(&str)) -> Result<Option<Loaded>> {
    for (_, folder) in list(run)?.into_iter().rev() {
        match load(&folder, device) {
            Ok(loaded) => return Ok(Some(loaded)),
            Err(error) => warn(&format!("{error}; using the checkpoint before it")),
        }
    }
    Ok(None)
}

/// Removes half-written checkpoints that a crash left behind.
pub fn clean(run: &Path) -> Result<()> {
    for entry in std::fs::read_dir(run).map_err(TrainError::io(run))? {
        let path = entry.map_err(TrainError::io(run))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // As versions before avocet-files named them.
        if name.starts_with(".step-") && name.ends_with(".tmp") {
            remove_folder(&path)?;
        }
    }
    Ok(remove_partials(run, |name| name.starts_with("step-"))?)
}

/// Removes all but the newest `keep` checkpoints, the last of each finished stage, and that of step
/// `best`.
pub(crate) fn prune(run: &Path, keep: usize, best: Option<u64>) -> Result<()> {
    let all = list(run)?;
    let old = all.len().saturating_sub(keep);
    for (step, folder) in &all[..old] {
        let is_best = best == Some(*step);
        if !is_best && !state(folder).is_ok_and(|state| state.stage_done) {
            remove_folder(folder)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use avocet_kernels::HOST;

    fn snapshot(step: u64, stage_done: bool) -> Snapshot {
        let tensor = |value: f32| Tensor::full(value, (3, 2), &HOST).expect("small tensor");
        Snapshot {
            described: BTreeMap::from([
                (CONFIG.into(), b"name = \"x\"".to_vec()),
                (TOKENIZER.into(), b"{}".to_vec()),
            ]),
            model: BTreeMap::from([("w".into(), tensor(step as f32))]),
            auxiliary: BTreeMap::new(),
            optimizer: BTreeMap::from([("first.w".into(), tensor(0.5))]),
            state: RunState {
                step,
                stage_done,
                seconds: 0.1,
                ..RunState::default()
            },
        }
    }

    fn run_of(steps: &[u64]) -> tempfile::TempDir {
        let run = tempfile::tempdir().expect("a temporary folder");
        for &step in steps {
            save(run.path(), &snapshot(step, false)).expect("saved");
        }
        run
    }

    #[test]
    fn a_checkpoint_reads_back_as_it_was_written() -> Result<()> {
        let run = run_of(&[7]);
        let loaded = newest(run.path(), &HOST, |_| {})?.expect("there is one");
        assert_eq!(loaded.state.step, 7);
        assert_eq!(loaded.state.seconds, 0.1);
        assert_eq!(loaded.parameters["w"].to_vec2::<f32>()?, [[7.0; 2]; 3]);
        assert_eq!(loaded.optimizer["first.w"].to_vec2::<f32>()?, [[0.5; 2]; 3]);
        Ok(())
    }

    #[test]
    fn damage_to_any_file_of_the_newest_is_noticed_and_the_one_before_used() -> Result<()> {
        for file in [CONFIG, TOKENIZER, MODEL, AUXILIARY, OPTIMIZER, STATE] {
            for flip in [false, true] {
                let run = run_of(&[1, 2]);
                let path = run.path().join("step-000002").join(file);
                let mut bytes = std::fs::read(&path).expect("file");
                if flip {
                    let middle = bytes.len() / 2;
                    bytes[middle] ^= 0x10;
                } else {
                    bytes.pop();
                }
                std::fs::write(&path, bytes).expect("damaged");
                let mut warnings = Vec::new();
                let loaded = newest(run.path(), &HOST, |w| warnings.push(w.to_string()))?;
                let step = loaded.expect("the one before").state.step;
                assert_eq!(
                    (step, warnings.len()),
                    (1, 1),
                    "{file} flip={flip} {warnings:?}"
                );
            }
        }
        Ok(())
    }

    #[test]
    fn a_missing_file_is_noticed() -> Result<()> {
        let run = run_of(&[1, 2]);
        std::fs::remove_file(run.path().join("step-000002").join(OPTIMIZER)).expect("removed");
        let mut warnings = 0;
        let loaded = newest(run.path(), &HOST, |_| warnings += 1)?.expect("the one before");
        assert_eq!((loaded.state.step, warnings), (1, 1));
        Ok(())
    }

    #[test]
    fn pruning_keeps_the_newest_the_best_and_the_ends_of_stages() -> Result<()> {
        let run = run_of(&[1, 2]);
        save(run.path(), &snapshot(3, true))?;
        for step in 4..=8 {
            save(run.path(), &snapshot(step, false))?;
        }
        prune(run.path(), 2, Some(5))?;
        let steps: Vec<u64> = list(run.path())?
            .into_iter()
            .map(|(step, _)| step)
            .collect();
        assert_eq!(steps, [3, 5, 7, 8]);
        Ok(())
    }

    #[test]
    fn a_half_written_checkpoint_is_never_used_and_is_cleaned_away() -> Result<()> {
        let run = run_of(&[1]);
        let half = run.path().join("step-000002.k1ll3d.partial");
        std::fs::create_dir(&half).expect("made");
        std::fs::write(half.join(MODEL), b"half").expect("written");
        assert_eq!(
            newest(run.path(), &HOST, |_| {})?.expect("one").state.step,
            1
        );
        clean(run.path())?;
        assert!(!half.exists());
        Ok(())
    }
}
