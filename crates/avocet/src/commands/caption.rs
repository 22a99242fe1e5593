//! `avocet caption`: what is said and what is seen in a video, on one time line.

mod args;
mod describe;
mod files;

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use avocet_infer::Engine;
use avocet_media::video::{MediaInfo, probe};
use video::frames::{Budget, Chosen, choose};
use video::timeline::{Segment, Timeline};
use video::watch::{duration_s, look_through, stills};

pub use args::CaptionArgs;

use args::CaptionFormat;

use crate::features::Feature;
use crate::input::{embedded, model, speech};
use crate::ui::output;
use crate::ui::progress::Stage;

/// What `mini` has learned to name fills its picture; in the wide frame of a film a thing is known
/// again where the frame is shrunk to so many patches.
const MINI_FRAME: &str = "vision.max_patches=144";

/// Captions the video.
pub fn run(args: &CaptionArgs) -> Result<()> {
    let formats = formats(args)?;
    let path = &args.video;
    Feature::Video.needed_for(path)?;
    let info = probe(path)?;
    if info.video.is_none() {
        bail!(
            "{}: has no picture; avocet transcribe says what is heard",
            path.display()
        );
    }
    // What cannot be had is said before anybody waits for the rest.
    let mut settings = Vec::new();
    if args.model == embedded::NAME {
        settings.push(MINI_FRAME.to_owned());
    }
    settings.extend(args.settings.iter().cloned());
    let engine = model::load(&args.model, &settings)?;
    let describer = describe::Describer::new(&engine, args)?;
    let heard = hear_it(args, &info)?;
    let (chosen, budget, length_s) = watch(path, &info, &heard.segments, args, &engine)?;
    let stills = stills(path, &info, &chosen.times_s, &budget)?;
    let (frames, pictures) = describer.describe(stills, chosen.times_s.len())?;

    let timeline = Timeline {
        source: path.display().to_string(),
        duration_s: round(length_s),
        segments: heard.segments.clone(),
        frames,
    };
    output::note(&summary(&timeline, &chosen, &budget));
    let made_with = files::MadeWith {
        notes: notes(&describer, &heard),
        language: heard.language.clone(),
    };
    match &args.output {
        Some(folder) => files::write(folder, &timeline, &pictures, &formats, args, &made_with)
            .with_context(|| format!("-o {}", folder.display())),
        None => output::print(&files::render(
            formats[0], &timeline, &pictures, &made_with, None,
        )?),
    }
}

/// The formats asked for, each once; without a folder there is room for one.
fn formats(args: &CaptionArgs) -> Result<Vec<CaptionFormat>> {
    let mut formats = args.format.clone();
    if formats.is_empty() {
        formats = match &args.output {
            Some(_) => CaptionFormat::ALL.to_vec(),
            None => vec![CaptionFormat::Txt],
        };
    }
    formats.sort_unstable();
    formats.dedup();
    if args.output.is_none() && formats.len() > 1 {
        bail!(
            "--format: {} formats need a folder to go to; give -o DIR",
            formats.len()
        );
    }
    Ok(formats)
}

/// What is said in the video, and by what it was heard.
#[derive(Debug, Default)]
struct HeardWords {
    segments: Vec<Segment>,
    language: Option<String>,
    /// Name of the speech model; none if nobody listened.
    model: Option<String>,
}

fn hear_it(args: &CaptionArgs, info: &MediaInfo) -> Result<HeardWords> {
    if args.no_speech || info.audio.is_none() {
        return Ok(HeardWords::default());
    }
    let transcript = speech::hear(
        &args.video,
        &args.whisper,
        args.language.as_deref(),
        args.track,
    )
    .map_err(|error| anyhow!("{error:#} (--no-speech captions only what is seen)"))?;
    Ok(HeardWords {
        segments: video::sentences(&transcript.segments),
        language: transcript.language,
        model: Some(transcript.model),
    })
}

/// Looks at the whole video and chooses the frames that stand for it.
fn watch(
    path: &Path,
    info: &MediaInfo,
    segments: &[Segment],
    args: &CaptionArgs,
    engine: &Engine,
) -> Result<(Chosen, Budget, f64)> {
    let stage = Stage::begin("looking");
    let all_s = info.duration_s.unwrap_or(0.0);
    let looks = look_through(path, info, |time_s| stage.at(time_s, all_s))?;
    stage.end();
    let length_s = duration_s(info, &looks);
    let spoken: Vec<(f64, f64)> = segments.iter().map(|s| (s.start_s, s.end_s)).collect();
    let mut budget = Budget {
        max_frames: args.max_frames,
        max_pixels: args.max_pixels,
        max_tokens: args.max_vision_tokens,
        tokens_per_frame: 0,
    };
    budget.tokens_per_frame = tokens_per_frame(engine, info, &budget)?;
    if budget.frames() == 0 {
        bail!(
            "--max-vision-tokens is {}, but one frame takes {}",
            budget.max_tokens,
            budget.tokens_per_frame
        );
    }
    Ok((
        choose(&looks, length_s, &spoken, args.choice.choice(), &budget),
        budget,
        length_s,
    ))
}

/// What one frame of the video costs, as the model counts what it sees.
fn tokens_per_frame(engine: &Engine, info: &MediaInfo, budget: &Budget) -> Result<usize> {
    let Some(video) = &info.video else {
        return Ok(0);
    };
    let (width, height) = budget.fit(video.width as usize, video.height as usize);
    Ok(engine.vision_tokens(width, height)?)
}

/// Milliseconds are as fine as the JSON gets.
fn round(time_s: f64) -> f64 {
    (time_s * 1000.0).round() / 1000.0
}

/// What was done, and what the budget allowed.
fn summary(timeline: &Timeline, chosen: &Chosen, budget: &Budget) -> String {
    let slow = chosen
        .changes
        .iter()
        .filter(|change| change.dissolve)
        .count();
    let words: usize = timeline
        .segments
        .iter()
        .map(|segment| segment.words.len())
        .sum();
    let mut left_out = Vec::new();
    for (count, why) in [
        (chosen.blank, "blank"),
        (chosen.alike, "like another"),
        (chosen.over_budget, "over the budget"),
    ] {
        if count > 0 {
            left_out.push(format!("{count} {why}"));
        }
    }
    let left_out = match left_out.is_empty() {
        true => String::new(),
        false => format!(" ({} left out)", left_out.join(", ")),
    };
    format!(
        "{}: {:.1} s, {} scene changes ({slow} slow), {words} words in {} segments\n\
         {} of {} frames described{left_out}; budget: {budget}\n",
        timeline.source,
        timeline.duration_s,
        chosen.changes.len(),
        timeline.segments.len(),
        timeline.frames.len(),
        chosen.candidates,
    )
}

/// What the page says below: by what it was made, and what that means.
fn notes(describer: &describe::Describer<'_>, heard: &HeardWords) -> Vec<String> {
    let heard_by = match &heard.model {
        Some(model) => format!("Heard by Whisper {model}. "),
        None => String::new(),
    };
    let asked: Vec<String> = (describer.questions().iter())
        .map(|question| format!("“{question}”"))
        .collect();
    let model = describer.model();
    let surest = match asked.len() {
        1 => "",
        _ => " – the answer it is surest of stands",
    };
    let mut notes = vec![format!(
        "{heard_by}Seen by {model}, asked {}{surest}.",
        asked.join(", ")
    )];
    if describer.is_mini() {
        notes.push(
            "mini names drawn shapes, flags and emoji, and reads a line of text. It has never seen \
             a photograph: what it calls one is a guess without meaning."
                .to_owned(),
        );
    }
    notes
}
