//! An adapter written anew, together with its base.

use super::place::{PartSource, check_output, place_base};
use super::save::{WeightFormat, serialised};
use crate::error::{CheckpointError, Result};
use crate::files::ModelFiles;
use crate::layout::{ADAPTER, WEIGHTS};
use crate::parameters::Adapter;
use avocet_model::parameter_specs;
use candle_core::Result as CandleResult;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

impl ModelFiles {
    /// Writes the adapter anew with its factors multiplied out, together with its base, so that
    /// `folder` holds all that is needed.
    ///
    /// Errors if this is no adapter, `folder` holds files, or they cannot be written.
    pub fn export_adapter(&self, folder: &Path, format: WeightFormat) -> Result<()> {
        let Some(tuned) = &self.stored.tuned else {
            return Err(CheckpointError::parts(&self.path, "is no adapter"));
        };
        check_output(folder)?;
        std::fs::create_dir_all(folder).map_err(CheckpointError::io(folder))?;
        let base = self.path.join(&tuned.adapter.base);
        let base = place_base(&PartSource::Path(&base), folder)?;
        let names: BTreeSet<&String> = tuned.replaced.union(&tuned.scaled).collect();
        let (builder, specs) = (self.builder()?, parameter_specs(&self.config)?);
        let specs = specs.iter().filter(|spec| names.contains(&spec.name));
        let tensors = specs.map(|spec| Ok((spec.name.clone(), builder.tensor_of(spec)?)));
        let tensors = tensors.collect::<CandleResult<BTreeMap<_, _>>>()?;
        let adapter = Adapter {
            base,
            lora: None,
            ..tuned.adapter.clone()
        };
        let weights = folder.join(WEIGHTS);
        let weights = serialised(&self.config, &tensors, format, &weights)?;
        let text = adapter.to_toml()?;
        let files = [
            (folder.join(WEIGHTS), weights.as_slice()),
            (folder.join(ADAPTER), text.as_bytes()),
        ];
        Ok(avocet_files::write_all(folder, &files)?)
    }
}
