//! What is said in a file, for commands that want more than that.

use std::path::Path;

use anyhow::Result;
use video::speech::{TranscribeOptions, Transcript, transcribe};

use crate::features::Feature;
use crate::stages::Stage;
use crate::whisper;

/// Hypotheses kept while decoding, as in `avocet transcribe`.
const BEAM_SIZE: u32 = 5;
/// More threads than this gain nothing.
const MAX_THREADS: usize = 8;

/// Writes down what is said in a file with sound, with the model `reference`.
///
/// Errors if the model cannot be had, does not know the language, or the file does not decode.
pub fn hear(path: &Path, reference: &str, language: Option<&str>) -> Result<Transcript> {
    Feature::Speech.needed_for(path)?;
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get());
    let options = TranscribeOptions {
        model: whisper::find(reference)?,
        language: language.map(str::to_owned),
        num_threads: threads.min(MAX_THREADS) as u32,
        beam_size: BEAM_SIZE,
    };
    let stage = Stage::begin("listening");
    let transcript = transcribe(path, &options, &mut |progress| {
        stage.at(progress.done_s, progress.total_s.unwrap_or(0.0));
    });
    stage.end();
    Ok(transcript?)
}
