//! The values with which held-out data was predicted best, taken from their checkpoint.

use std::path::Path;

use candle_core::Device;

use crate::checkpoint::{self, RunState, Snapshot};
use crate::error::{Result, TrainError};
use crate::params::is_auxiliary;

/// What the run holds of the best measurement that `state` has, as the end of the stage at which the
/// run stands now; none where that is what it holds now, or nothing was measured.
///
/// Errors if the checkpoint is gone or damaged.
pub(crate) fn best_values(
    run: &Path,
    state: &RunState,
    device: &Device,
) -> Result<Option<Snapshot>> {
    let Some(best) = state.best.as_ref().filter(|best| best.step != state.step) else {
        return Ok(None);
    };
    let all = checkpoint::list(run)?;
    let place = all.into_iter().find(|(step, _)| *step == best.step);
    let gone = || TrainError::damaged(run, format!("its best checkpoint, {}, is gone", best.step));
    let loaded = checkpoint::load(&place.ok_or_else(gone)?.1, device)?;
    let parameters = loaded.parameters.into_iter();
    let (auxiliary, model) = parameters.partition(|(name, _)| is_auxiliary(name));
    Ok(Some(Snapshot {
        described: loaded.described,
        model,
        auxiliary,
        optimizer: loaded.optimizer.into_iter().collect(),
        state: state.clone(),
    }))
}
