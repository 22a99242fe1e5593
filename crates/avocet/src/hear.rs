//! What is said in a file, for commands that want more than that.

use std::path::Path;

use anyhow::{Result, bail};
use video::timeline::Segment;

/// What was heard.
pub struct Transcript {
    /// What is said.
    pub segments: Vec<Segment>,
    /// The language spoken.
    pub language: Option<String>,
    /// The speech model.
    pub model: String,
}

/// Hears a file.
pub fn transcribe(_path: &Path, _whisper: &str, _language: Option<&str>) -> Result<Transcript> {
    bail!("no speech model yet")
}
