//! The loop: stages one after another, steps, measurements, checkpoints, and resuming.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use avocet_checkpoint::{ADAPTER, Adapter};
use avocet_files::kill_point;
use avocet_infer::Onlooker;
use avocet_kernels::{HOST, Placement};
use candle_core::Device;
use tracing::{debug, info};

use crate::base_model::BaseModel;
use crate::best_values::best_values;
use crate::checkpoint::{self, Loaded, RunState, Snapshot};
use crate::config::{StageConfig, TrainConfig};
use crate::data_seen::DataSeen;
use crate::error::{Result, TrainError};
use crate::feed::{BatchPrefetcher, held_out};
use crate::learner::Learner;
use crate::meter::Meter;
use crate::metrics::MetricsLog;
use crate::params::{Params, hash, is_auxiliary};
use crate::patience::Best;
use crate::progress::{self, Progress};
use crate::recognising;
use crate::stage_init::StageInit;

/// Steps in a row with a gradient that is not finite, after which training stops.
const MOST_SKIPPED: u64 = 20;

/// How a run is started.
#[derive(Debug, Clone)]
pub struct TrainOptions {
    /// Continue from the newest whole checkpoint, if there is one.
    pub resume: bool,
    /// When it becomes true, the run saves and stops after the step at hand.
    pub stop: Arc<AtomicBool>,
    /// Where the parameters are and the steps are computed.
    pub device: Device,
}

impl Default for TrainOptions {
    fn default() -> Self {
        Self {
            resume: false,
            stop: Arc::default(),
            device: HOST,
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// SHA-256 over the names and values of all parameters of a fine-tuned model that do not
    /// train, as they are at the end; empty for other runs.
    pub unchanged_hash: String,
    /// Steps done in the run.
    pub step: u64,
    /// False when it was told to stop before its end.
    pub finished: bool,
    /// The step whose values it ended with, where held-out data decided that.
    pub best_step: Option<u64>,
    /// The last checkpoint, which is also a model folder.
    pub folder: PathBuf,
    /// SHA-256 over the names and values of all parameters.
    pub parameter_hash: String,
}

/// A flag that becomes true when the process is interrupted or asked to end.
///
/// Errors if the process already handles interrupts.
pub fn stop_on_interrupt() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    ctrlc::set_handler(move || flag.store(true, Ordering::SeqCst))
        .map_err(|error| TrainError::config("interrupt", error.to_string()))?;
    Ok(stop)
}

/// Trains all stages of `config`.
///
/// Errors if the run already has checkpoints and `resume` is not set, if none of them is whole, or
/// if anything that a stage needs is missing.
pub fn train(config: &TrainConfig, options: &TrainOptions) -> Result<Outcome> {
    run_stages(config, None, options)
}

/// Trains all stages of `config` over a whole model; only what changes is saved.
///
/// Errors as [`train`] does, or if what must not change is not what it was when the run began.
///
/// ```no_run
/// use avocet_checkpoint::ModelFiles;
/// use avocet_train::{BaseModel, TrainConfig, TrainError, TrainOptions, finetune, stop_on_interrupt};
///
/// # fn main() -> Result<(), TrainError> {
/// let config = TrainConfig::read("runs/fruit/finetune.toml".as_ref())?;
/// let files = ModelFiles::open("runs/fruit/base".as_ref());
/// let files = files.map_err(|error| TrainError::Model(error.to_string()))?;
/// let base = BaseModel::new(files, "../base".into(), "fruit".into())?;
/// let options = TrainOptions {
///     stop: stop_on_interrupt()?,
///     ..TrainOptions::default()
/// };
/// println!("{}", finetune(&config, &base, &options)?.folder.display());
/// # Ok(())
/// # }
/// ```
pub fn finetune(config: &TrainConfig, base: &BaseModel, options: &TrainOptions) -> Result<Outcome> {
    run_stages(config, Some(base), options)
}

fn run_stages(
    config: &TrainConfig,
    base: Option<&BaseModel>,
    options: &TrainOptions,
) -> Result<Outcome> {
    config.validate_over(base.is_some())?;
    if let (None, Some(stage)) = (
        base,
        config.stages.iter().find(|stage| stage.lora.is_some()),
    ) {
        let field = format!("stage {:?}: lora", stage.name);
        return Err(TrainError::config(field, "is for `avocet finetune` alone"));
    }
    let run = config.run.as_path();
    std::fs::create_dir_all(run).map_err(TrainError::io(run))?;
    let _lock = lock(run)?;
    checkpoint::clean(run)?;
    let mut previous = resume(run, options)?;
    let step = previous.as_ref().map_or(0, |loaded| loaded.state.step);
    let mut log = MetricsLog::open(run, step)?;
    loop {
        let state = next_state(config, previous.as_ref().map(|loaded| &loaded.state))?;
        if let (None, Some(loaded)) = (&state, &previous) {
            return Ok(Outcome {
                step: loaded.state.step,
                finished: true,
                best_step: loaded.state.best.as_ref().map(|best| best.step),
                folder: loaded.folder.clone(),
                parameter_hash: hash(loaded.parameters.iter())?,
                unchanged_hash: unchanged(loaded).unwrap_or_default(),
            });
        }
        let state = state.unwrap_or_default();
        let mut session = Session::begin(config, base, state, previous.as_ref(), &options.device)?;
        let outcome = session.run(run, &mut log, &options.stop)?;
        let more = session.state.stage + 1 < config.stages.len();
        let finished = outcome.finished && !more;
        if finished || !outcome.finished || options.stop.load(Ordering::SeqCst) {
            return Ok(Outcome {
                finished,
                ..outcome
            });
        }
        previous = Some(checkpoint::load(&outcome.folder, &options.device)?);
    }
}

/// Keeps other processes out of the run folder until it is dropped or the process ends.
fn lock(run: &Path) -> Result<File> {
    let folder = File::open(run).map_err(TrainError::io(run))?;
    match folder.try_lock() {
        Ok(()) => Ok(folder),
        Err(TryLockError::WouldBlock) => Err(TrainError::Busy {
            path: run.to_path_buf(),
        }),
        Err(TryLockError::Error(error)) => Err(TrainError::io(run)(error)),
    }
}

/// The checkpoint to continue from.
fn resume(run: &Path, options: &TrainOptions) -> Result<Option<Loaded>> {
    let count = checkpoint::list(run)?.len();
    if count == 0 {
        return Ok(None);
    }
    if !options.resume {
        let path = run.to_path_buf();
        return Err(TrainError::RunExists { path, count });
    }
    let newest = checkpoint::newest(run, &options.device, progress::line)?;
    let none = || TrainError::damaged(run, format!("none of its {count} checkpoints is whole"));
    newest.ok_or_else(none).map(Some)
}

/// What a checkpoint says that all parameters that do not train hash to.
fn unchanged(loaded: &Loaded) -> Option<String> {
    let text = String::from_utf8_lossy(loaded.described.get(ADAPTER)?).into_owned();
    toml::from_str::<Adapter>(&text).ok()?.unchanged_sha256
}

/// Where the next steps begin; none when all stages are done.
fn next_state(config: &TrainConfig, last: Option<&RunState>) -> Result<Option<RunState>> {
    let Some(last) = last else {
        return Ok(Some(RunState {
            seed: config.seed,
            ..RunState::default()
        }));
    };
    if last.seed != config.seed {
        let message = format!("is {}, but the run began with {}", config.seed, last.seed);
        return Err(TrainError::config("seed", message));
    }
    let mut state = last.clone();
    if state.stage_done {
        state.stage += 1;
        (state.stage_step, state.stage_done) = (0, false);
        (state.optimizer_steps, state.skipped_in_a_row) = (0, 0);
        state.position = serde_json::Value::Null;
        state.best = None;
    }
    match (state.stage.cmp(&config.stages.len()), last.stage_done) {
        (std::cmp::Ordering::Less, _) => Ok(Some(state)),
        (std::cmp::Ordering::Equal, true) => Ok(None),
        _ => {
            let (have, at) = (config.stages.len(), last.stage + 1);
            let message = format!("the file lists {have}, but the run is in number {at}");
            Err(TrainError::config("stage", message))
        }
    }
}

/// One stage at work.
struct Session<'a> {
    stage: &'a StageConfig,
    start: StageInit,
    learner: Learner,
    feed: BatchPrefetcher,
    total: u64,
    state: RunState,
    base: Option<&'a BaseModel>,
    unchanged_hash: String,
}

impl<'a> Session<'a> {
    fn begin(
        config: &'a TrainConfig,
        base: Option<&'a BaseModel>,
        state: RunState,
        previous: Option<&Loaded>,
        device: &Device,
    ) -> Result<Self> {
        let stage = &config.stages[state.stage];
        let mut start = match base {
            Some(base) => StageInit::over(base, &state, previous)?,
            None => StageInit::of(config, &state, previous, device)?,
        };
        let values = std::mem::take(&mut start.values);
        let names = std::mem::take(&mut start.names);
        let placement = Placement {
            device: device.clone(),
            precision: stage.precision.into(),
        };
        let mut params = Params::new(config.seed, stage.selection(), values, &placement);
        if let Some(base) = base {
            params = params.over(base.builder()?, stage.lora.clone());
        }
        let learner = Learner::new(&start.model, stage, params, names)?;
        let concepts = start.concepts.take();
        let onlooker = Onlooker::new(learner.model(), concepts).map(Arc::new);
        let mut learner = learner.looking(onlooker.clone());
        start.recognise = onlooker.clone().map(recognising::lend);
        let mut unchanged_hash = String::new();
        if let Some(base) = base {
            unchanged_hash = learner.params().frozen_hash()?;
            let before = previous.and_then(unchanged);
            let same = before.is_none_or(|before| before == unchanged_hash);
            if !same && state.stage_step > 0 {
                let message = "is not the model that the run began with";
                return Err(TrainError::damaged(base.files().path(), message));
            }
            start.described = base.described(stage, &unchanged_hash)?;
        }
        let unused = learner.params().unused();
        if !unused.is_empty() {
            let (count, first) = (unused.len(), &unused[0]);
            progress::line(&format!(
                "{count} loaded tensors are not part of the model: {first}, ..."
            ));
        }
        if let (true, Some(previous)) = (state.stage_step > 0, previous) {
            learner.restore(state.optimizer_steps, &previous.optimizer)?;
        }
        let feed = BatchPrefetcher::start(config, &state, &start, onlooker)?;
        let total = stage.total_steps(feed.epoch_samples());
        info!(
            stage = stage.name,
            step = state.stage_step,
            total,
            "stage begun"
        );
        Ok(Self {
            stage,
            start,
            learner,
            feed,
            total,
            state,
            base,
            unchanged_hash,
        })
    }

    fn run(&mut self, run: &Path, log: &mut MetricsLog, stop: &AtomicBool) -> Result<Outcome> {
        let rate = self.stage.rate(self.total);
        let mut progress = Progress::new(&self.stage.name, self.state.stage_step, self.total);
        let mut meter = Meter::new(&self.stage.name, self.stage.precision.into());
        loop {
            let waiting = Instant::now();
            let done = self.state.stage_step;
            let fed = if done < self.total {
                self.feed.next()?
            } else {
                None
            };
            let Some(fed) = fed else {
                progress.say(&format!(
                    "the data of stage {:?} is used up",
                    self.stage.name
                ));
                return self.save(run, log, true);
            };
            let data_s = waiting.elapsed().as_secs_f64();
            let last = done + 1 == self.total;
            let due = last || (done + 1).is_multiple_of(self.stage.log_every);
            let (mut better, mut enough) = (false, false);
            let report = self.learner.step(&fed.batches, rate.at(done), due)?;
            self.advance(&fed, &report)?;
            kill_point("step done");
            let step_s = waiting.elapsed().as_secs_f64();
            self.state.seconds += step_s;
            debug!(step = self.state.step, step_s, data_s, "step done");
            meter.add(&fed, &report, data_s, step_s);
            if due {
                let mut line = meter.line(&self.state, &report, rate.at(done));
                line.gates = self.gates()?;
                let measured = self.eval_due() || (last && self.stage.eval_every > 0);
                if measured {
                    line.held_out = self.measure()?;
                    (better, enough) = self.judge(&line.held_out);
                }
                if measured || last {
                    line.data = Some(DataSeen::new(&fed.sources, &self.start.model)?);
                }
                log.write(&line)?;
                kill_point("metrics written");
            }
            progress.step(done + 1, || Meter::message(&report, meter.samples_per_s()));
            let stopping = stop.load(Ordering::SeqCst);
            if enough && !last {
                progress.say("the held-out part is no longer predicted better: it stops here");
            }
            let last = last || enough;
            let regular = (done + 1).is_multiple_of(self.stage.checkpoint_every);
            if last || stopping || better || regular {
                let outcome = self.save(run, log, last)?;
                if last && self.base.is_none() {
                    let seen = DataSeen::new(&fed.sources, &self.start.model)?;
                    progress.say(&format!(
                        "what stage {:?} read:\n{}",
                        self.stage.name,
                        seen.text()
                    ));
                }
                if last || stopping {
                    return Ok(outcome);
                }
            }
        }
    }

    /// Held-out data is measured with the first logged line at or after a multiple of
    /// `eval_every`.
    fn eval_due(&self) -> bool {
        let (every, step) = (self.stage.eval_every, self.state.stage_step);
        every > 0 && step % every < self.stage.log_every
    }

    fn measure(&mut self) -> Result<std::collections::BTreeMap<String, f64>> {
        let began = Instant::now();
        let losses = self.learner.measure(held_out(self.stage, &self.start)?)?;
        let seconds = began.elapsed().as_secs_f64();
        info!(step = self.state.step, seconds, "held-out data measured");
        Ok(losses)
    }

    /// Takes a measurement: whether it is the best so far, and whether that was long ago.
    fn judge(&mut self, held_out: &std::collections::BTreeMap<String, f64>) -> (bool, bool) {
        let Some(patience) = self.stage.patience else {
            return (false, false);
        };
        let loss = held_out.values().sum::<f64>() / held_out.len().max(1) as f64;
        let better = Best::take(&mut self.state.best, self.state.step, loss);
        let since = self.state.best.as_ref().map_or(0, |best| best.since);
        (better, since >= patience)
    }

    fn advance(
        &mut self,
        fed: &crate::feed::StepBatches,
        report: &crate::figures::StepReport,
    ) -> Result<()> {
        let state = &mut self.state;
        state.step += 1;
        state.stage_step += 1;
        state.samples_seen += fed.samples;
        state.flops += report.flops;
        state.position.clone_from(&fed.position);
        if report.applied {
            state.skipped_in_a_row = 0;
            return Ok(());
        }
        state.skipped += 1;
        state.skipped_in_a_row += 1;
        if state.skipped_in_a_row >= MOST_SKIPPED {
            return Err(TrainError::Diverged {
                step: state.step,
                count: state.skipped_in_a_row,
            });
        }
        Ok(())
    }

    fn gates(&self) -> Result<std::collections::BTreeMap<String, f64>> {
        let mut named = std::collections::BTreeMap::new();
        for (layer, (attention, ff)) in self.learner.model().gates()?.into_iter().enumerate() {
            named.insert(format!("{layer}.attention"), f64::from(attention));
            named.insert(format!("{layer}.ff"), f64::from(ff));
        }
        Ok(named)
    }

    fn save(&mut self, run: &Path, log: &MetricsLog, stage_done: bool) -> Result<Outcome> {
        self.state.stage_done = stage_done;
        self.state.names = self.learner.names().to_vec();
        self.state.optimizer_steps = self.learner.optimizer().steps();
        let params = self.learner.params();
        let mut auxiliary = params.carried();
        auxiliary.extend(params.tensors(is_auxiliary));
        if self.base.is_some() && stage_done && params.frozen_hash()? != self.unchanged_hash {
            let message = "a frozen parameter has moved; nothing was saved";
            return Err(TrainError::Model(message.into()));
        }
        let best = if stage_done {
            best_values(run, &self.state, &self.learner.model().device())?
        } else {
            None
        };
        let snapshot = match best {
            Some(best) => best,
            None => Snapshot {
                described: self.start.described.clone(),
                model: params.tensors(|name| !is_auxiliary(name)),
                auxiliary,
                optimizer: self.learner.optimizer().state()?,
                state: self.state.clone(),
            },
        };
        log.sync()?;
        let began = Instant::now();
        let folder = checkpoint::save(run, &snapshot)?;
        let seconds = began.elapsed().as_secs_f64();
        info!(folder = %folder.display(), seconds, "checkpoint saved");
        let best = self.state.best.as_ref().map(|best| best.step);
        checkpoint::prune(run, self.stage.keep, best)?;
        Ok(Outcome {
            step: self.state.step,
            finished: stage_done,
            best_step: best,
            folder,
            parameter_hash: hash(snapshot.model.iter().chain(&snapshot.auxiliary))?,
            unchanged_hash: self.unchanged_hash.clone(),
        })
    }
}
