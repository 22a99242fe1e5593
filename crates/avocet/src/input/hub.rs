//! Models on a hub: fetched into the cache that other tools share, with the progress shown.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use avocet_fetch::{Hub, HubId};
use indicatif::ProgressBar;

use crate::ui::output;
use crate::ui::progress::{LINE_EVERY, bar};

/// The folder of a model on the hub, or the one file of it that `id` names; fetched if the cache
/// lacks it.
///
/// Errors name what is missing and why it could not be had.
pub fn fetch(id: &HubId) -> Result<PathBuf> {
    let hub = Hub::from_env()?;
    let mut shown = Shown::new();
    let fetched = hub.fetch(id, &mut |file, done, total| shown.at(file, done, total));
    shown.finish();
    let folder = fetched.with_context(|| {
        format!("{id} is no file or folder here, so it was looked for on the hub")
    })?;
    Ok(match &id.file {
        Some(file) => folder.join(file),
        None => folder,
    })
}

/// A bar for the file being fetched, or a line every few seconds.
struct Shown {
    bar: Option<ProgressBar>,
    file: String,
    last_line: Option<Instant>,
}

impl Shown {
    fn new() -> Self {
        Self {
            bar: None,
            file: String::new(),
            last_line: None,
        }
    }

    fn at(&mut self, file: &str, done: u64, total: Option<u64>) {
        if !std::io::stderr().is_terminal() {
            let due = self
                .last_line
                .is_none_or(|last| last.elapsed() >= LINE_EVERY);
            if due || file != self.file {
                self.last_line = Some(Instant::now());
                let of = total.map_or_else(String::new, |total| format!(" of {total}"));
                output::note(&format!("{file}: {done}{of} bytes\n"));
            }
            file.clone_into(&mut self.file);
            return;
        }
        if file != self.file {
            self.finish();
            file.clone_into(&mut self.file);
            self.bar = bar("{prefix} {bar:30} {bytes}/{total_bytes} {bytes_per_sec}, {eta} left");
            if let Some(bar) = &self.bar {
                bar.set_length(total.unwrap_or(0));
                bar.set_prefix(self.file.clone());
            }
        }
        if let Some(bar) = &self.bar {
            bar.set_position(done);
        }
    }

    fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
