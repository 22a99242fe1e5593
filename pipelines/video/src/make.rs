//! The pipeline: videos to aligned samples, several at a time, and in order into shards.

use std::fs;
use std::path::{Path, PathBuf};

use avocet_data::Sample;
use avocet_data::shard::Manifest;
use avocet_media::child::ChildError;
use avocet_media::video::{MediaInfo, probe};
use avocet_video::WatchError;
use avocet_video::frames::{Budget, Choice, choose};
use avocet_video::speech::{Segment, TranscribeError};
use avocet_video::watch::{Still, duration_s, jpeg, look_through, stills};
use pipeline::{Outcome, in_order, rest};
use serde_json::json;

use crate::aligned::{Bounds, Shot, samples};
use crate::args::Args;
use crate::error::VideoError;
use crate::hearing::{Hearing, Whisper};
use crate::inputs::{Input, inputs};
use crate::remembered::Remembered;

/// The longest transcript that is read.
const MAX_TRANSCRIPT_BYTES: u64 = 64 << 20;

/// Makes the dataset, or the rest of one that was begun, with Whisper.
///
/// Errors as [`make_with`] does, or if the speech model cannot be had.
pub fn make(args: &Args) -> Result<Manifest, VideoError> {
    make_with(args, &Whisper::of(args))
}

/// Makes the dataset, or the rest of one that was begun; `hearing` is asked for videos without a
/// transcript.
///
/// Errors if a flag is out of range, an input or a transcript is missing, the decoder does not
/// start, or the dataset cannot be written. A video that does not decode is no error: the ledger
/// says so.
pub fn make_with(args: &Args, hearing: &impl Hearing) -> Result<Manifest, VideoError> {
    args.run.check()?;
    check(args)?;
    let inputs = inputs(&args.inputs)?;
    let inputs = &inputs[args.run.share(inputs.len())];
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(args.jobs)
        .build()?;
    let writer = args.run.open("video", args.split, settings(args))?;
    if rest(&writer, inputs).is_empty() {
        return Ok(writer.finish()?);
    }
    let hearing = &Remembered::new(hearing, writer.scratch()?);
    let at_once = pool.current_num_threads().max(1);
    let name = |input: &Input| input.name.clone();
    let watch = |input: &Input| one_video(input, args, hearing);
    in_order(writer, inputs, (&pool, at_once), name, watch)
}

fn check(args: &Args) -> Result<(), VideoError> {
    let flag = |flag, got: String, range: &str| {
        Err(VideoError::Flag {
            flag,
            got,
            range: range.to_owned(),
        })
    };
    if args.licence.trim().is_empty() {
        return flag(
            "licence",
            "empty".into(),
            "the name of a licence, or unknown",
        );
    }
    if args.max_tokens < args.tokens_per_frame {
        let range = format!(
            "at least --tokens-per-frame, which is {}",
            args.tokens_per_frame
        );
        return flag("max-tokens", args.max_tokens.to_string(), &range);
    }
    Ok(())
}

/// All that the bytes depend on.
fn settings(args: &Args) -> serde_json::Value {
    let choice = match args.choice.choice() {
        Choice::Every(step_s) => json!({ "every_s": step_s }),
        Choice::Scenes => json!("scenes"),
        Choice::ScenesAndEvery(step_s) => json!({ "scenes_and_every_s": step_s }),
        Choice::Speech => json!("speech"),
    };
    json!({
        "choice": choice, "whisper": args.whisper, "language": args.language,
        "transcripts": args.transcripts.is_some(), "max_frames": args.max_frames,
        "max_pixels": args.max_pixels, "max_tokens": args.max_tokens,
        "tokens_per_frame": args.tokens_per_frame, "max_seconds": args.max_seconds,
        "licence": args.licence,
    })
}

/// The budget of one video, and how much of it goes into a sample.
fn budget(args: &Args) -> (Budget, Bounds) {
    let budget = Budget {
        max_frames: args.max_frames,
        max_pixels: args.max_pixels,
        max_tokens: usize::MAX,
        tokens_per_frame: args.tokens_per_frame,
    };
    let bounds = Bounds {
        max_frames: args.max_tokens / args.tokens_per_frame,
        max_ms: (args.max_seconds * 1000.0) as u64,
    };
    (budget, bounds)
}

/// Watches and hears one video. What is wrong with the file is a reason, not an error.
fn one_video(input: &Input, args: &Args, hearing: &impl Hearing) -> Result<Outcome, VideoError> {
    if !input.is_video {
        return Ok(Outcome::Rejected("not named as a video"));
    }
    let info = match probe(&input.path) {
        Ok(info) => info,
        Err(error) => return refused(WatchError::from(error).into()),
    };
    if info.video.is_none() {
        return Ok(Outcome::Rejected("no picture"));
    }
    let segments = match transcript(&input.path, args)? {
        Some(segments) => segments,
        None if info.audio.is_none() => return Ok(Outcome::Rejected("no sound")),
        None => match hearing.hear(&input.path) {
            Ok(segments) => segments,
            Err(error) => return refused(error),
        },
    };
    if segments
        .iter()
        .all(|segment| segment.text.trim().is_empty())
    {
        return Ok(Outcome::Rejected("nothing is said"));
    }
    match watched(input, &info, &segments, args) {
        Ok(samples) if samples.is_empty() => {
            Ok(Outcome::Rejected("nothing is said while a frame is shown"))
        }
        Ok(samples) => Ok(Outcome::Samples(samples)),
        Err(error) => refused(error),
    }
}

fn watched(
    input: &Input,
    info: &MediaInfo,
    segments: &[Segment],
    args: &Args,
) -> Result<Vec<Sample>, VideoError> {
    let (budget, bounds) = budget(args);
    let looks = look_through(&input.path, info, |_| {})?;
    let spoken: Vec<(f64, f64)> = segments.iter().map(|s| (s.start_s, s.end_s)).collect();
    let length_s = duration_s(info, &looks);
    let chosen = choose(&looks, length_s, &spoken, args.choice.choice(), &budget);
    let shot = |still: Result<Still, WatchError>| {
        let still = still?;
        Ok::<_, WatchError>(Shot {
            time_ms: (still.time_s * 1000.0).round() as u64,
            image: jpeg(&still.picture)?,
        })
    };
    let shots = stills(&input.path, info, &chosen.times_s, &budget)?.map(shot);
    let shots: Vec<Shot> = shots.collect::<Result<_, _>>()?;
    let from = (input.name.as_str(), args.licence.trim());
    Ok(samples(from, &shots, segments, bounds)?)
}

/// A reason for the ledger, where the file is to blame; otherwise the error stays one.
fn refused(error: VideoError) -> Result<Outcome, VideoError> {
    let reason = match &error {
        VideoError::Watch(WatchError::Media(child)) => match **child {
            ChildError::Missing { .. } | ChildError::Start { .. } | ChildError::Limited(_) => {
                return Err(error);
            }
            ChildError::Refused { .. } => "does not decode",
            ChildError::Memory { .. } => "needs too much memory to decode",
            _ => "the decoder gave up",
        },
        VideoError::Watch(WatchError::NoPicture { .. }) => "no picture",
        VideoError::Hearing(error) if matches!(**error, TranscribeError::OtherLanguage { .. }) => {
            "in a language that the speech model does not know"
        }
        _ => return Err(error),
    };
    Ok(Outcome::Rejected(reason))
}

/// What a transcript beside says, if there is one.
fn transcript(video: &Path, args: &Args) -> Result<Option<Vec<Segment>>, VideoError> {
    #[derive(serde::Deserialize)]
    struct Transcript {
        segments: Vec<Segment>,
    }
    let (Some(folder), Some(stem)) = (&args.transcripts, video.file_stem()) else {
        return Ok(None);
    };
    let mut name = stem.to_os_string();
    name.push(".json");
    let path: PathBuf = folder.join(name);
    let wrong = |reason: String| VideoError::Input {
        path: path.clone(),
        reason,
    };
    let length = match fs::metadata(&path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(wrong(error.to_string())),
    };
    if length > MAX_TRANSCRIPT_BYTES {
        return Err(wrong(format!(
            "has {length} bytes, at most {MAX_TRANSCRIPT_BYTES} are read"
        )));
    }
    let bytes = fs::read(&path).map_err(|error| wrong(error.to_string()))?;
    let read: Transcript = serde_json::from_slice(&bytes).map_err(|e| wrong(e.to_string()))?;
    Ok(Some(read.segments))
}
