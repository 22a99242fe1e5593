//! What is learned from and what is held out.

use std::path::{Path, PathBuf};

use anyhow::Result;
use avocet_data::shard::Reader;
use avocet_data::{held_out, hold_out};

use crate::ui::output;

/// The data of a run.
#[derive(Debug)]
pub struct Parts {
    /// The dataset that is learned from.
    pub learned: PathBuf,
    /// Its samples.
    pub samples: usize,
    /// The dataset that is not learned from, if there is enough for one.
    pub held_out: Option<PathBuf>,
    /// Its samples.
    pub num_held_out: usize,
}

impl Parts {
    /// Holds `share` of `data` out, in datasets of the folder `run`.
    ///
    /// Errors if `data` is damaged or nothing can be written.
    pub fn of(data: PathBuf, run: &Path, share: f64) -> Result<Self> {
        let reader = Reader::open(&data)?;
        let held = held_out(&reader, share)?;
        if held.is_empty() {
            return Ok(Self {
                samples: reader.len(),
                learned: data,
                held_out: None,
                num_held_out: 0,
            });
        }
        let [learned, held] = hold_out(&reader, &held, run)?;
        output::note(&format!(
            "{} samples are learned from and {} held out (--held-out 0 learns from all)\n",
            learned.samples, held.samples
        ));
        Ok(Self {
            learned: run.join("learned"),
            samples: usize::try_from(learned.samples)?,
            held_out: Some(run.join("held-out")),
            num_held_out: usize::try_from(held.samples)?,
        })
    }
}
