//! What is said in a file, for commands that want more than that.

use std::path::Path;

use anyhow::Result;
use avocet_video::speech::{Tracks, TranscribeOptions, Transcript, transcribe};

use super::whisper;
use crate::features::Feature;
use crate::ui::output;
use crate::ui::progress::Stage;

/// Hypotheses kept while decoding, as in `avocet transcribe`.
const BEAM_SIZE: u32 = 5;

/// Writes down what is said in a file with sound, with the model `reference`, and says which track
/// that is in and why there is nothing.
///
/// Errors if the model cannot be had, does not know the language, or the file does not decode or
/// lacks the track.
pub fn hear(
    path: &Path,
    reference: &str,
    language: Option<&str>,
    track: Option<u32>,
) -> Result<Transcript> {
    Feature::Speech.needed_for(path)?;
    let note = |what: &str| output::note(&format!("{}: {what}\n", path.display()));
    let tracks = Tracks::of(path, track)?;
    let options = TranscribeOptions {
        model: whisper::find(reference)?,
        language: language.map(str::to_owned),
        track,
        num_threads: whisper::threads(),
        beam_size: BEAM_SIZE,
    };
    tracks.check(path, &options)?;
    if let Some(choice) = tracks.choice().filter(|_| track.is_none()) {
        note(&choice);
    }
    let stage = Stage::begin("listening");
    let transcript = transcribe(path, &options, &mut |progress| {
        stage.at(progress.done_s, progress.total_s.unwrap_or(0.0));
    });
    stage.end();
    let transcript = transcript?;
    if let Some(why) = &transcript.nothing {
        note(why);
    }
    Ok(transcript)
}
