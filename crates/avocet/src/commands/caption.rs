//! `avocet caption`: what is said and what is seen in a video, on one time line.

mod args;
mod files;

use anyhow::{Context, Result, anyhow, bail};
use avocet_infer::{Engine, SamplingOptions};
use avocet_media::Picture;
use avocet_media::video::{MediaInfo, VideoInfo, probe};
use avocet_video::caption::{Captioned, Film, Progress, caption};
use avocet_video::frames::Budget;
use avocet_video::speech::Segment;

pub use args::CaptionArgs;

use args::CaptionFormat;

use crate::features::Feature;
use crate::input::{blank, embedded, model, speech};
use crate::ui::output;
use crate::ui::progress::Stage;

/// What `mini` has learned to name fills its picture; in the wide frame of a film a thing is known
/// again where the frame is shrunk to so many patches.
const MINI_FRAME: &str = "vision.max_patches=144";

/// What a model is asked that was taught to describe photographs.
const DESCRIBE: &str = "Describe the picture in one sentence.";
/// What `mini` is asked: it was taught names, flags and lines of text by questions of their own.
const MINI: [&str; 3] = [
    "What is in the picture?",
    "Which flag do you see?",
    "What does the text say?",
];

/// Captions the video.
pub fn run(args: &CaptionArgs) -> Result<()> {
    let formats = formats(args)?;
    let path = args.video.as_path();
    Feature::Video.needed_for(path)?;
    let info = probe(path)?;
    let Some(video) = &info.video else {
        bail!(
            "{}: has no picture; avocet transcribe says what is heard",
            path.display()
        );
    };
    // What cannot be had is said before anybody waits for the rest.
    let mut settings = Vec::new();
    if args.model == embedded::NAME {
        settings.push(MINI_FRAME.to_owned());
    }
    settings.extend(args.settings.iter().cloned());
    let engine = model::load(&args.model, &settings)?;
    let questions = questions(args, &engine)?;
    let budget = budget(args, video, &engine)?;
    let heard = hear_it(args, &info)?;
    let film = Film {
        path,
        info: &info,
        segments: &heard.segments,
    };
    let options = SamplingOptions::greedy(args.max_tokens as usize);
    let say = |picture: &Picture| -> Result<Option<String>> {
        let image = engine.preprocess(picture)?;
        if let Some(caption) = blank::caption(&image) {
            return Ok(Some(caption));
        }
        let images = [image];
        let Some(answer) = engine.surest_answer(&images, &questions, &options)? else {
            return Ok(None);
        };
        let reply = engine.judge(&images, answer, args.sureness.threshold)?;
        Ok(if reply.sure {
            Some(reply.text)
        } else {
            reply.perhaps.map(|coarser| format!("perhaps {coarser}"))
        })
    };
    let mut stage = Stage::begin("looking");
    let at = |progress| match progress {
        Progress::Looking { time_s } => stage.at(time_s, info.duration_s.unwrap_or(0.0)),
        Progress::Describing { done: 0, .. } => stage = Stage::begin("describing"),
        Progress::Describing { done, all } => stage.at(done as f64, all as f64),
    };
    let captioned = caption(&film, args.choice.choice(), &budget, say, at)?;
    stage.end();

    output::note(&summary(&captioned, &budget));
    let made_with = files::MadeWith {
        notes: notes(&engine, &questions, &heard),
        language: heard.language.clone(),
    };
    match &args.output {
        Some(folder) => files::write(folder, &captioned, &formats, args, &made_with)
            .with_context(|| format!("-o {}", folder.display())),
        None => output::print(&files::render(formats[0], &captioned, &made_with, None)?),
    }
}

/// What the model is asked about each frame: what it was taught to answer, unless the flags say.
fn questions(args: &CaptionArgs, engine: &Engine) -> Result<Vec<String>> {
    if args
        .question
        .iter()
        .any(|question| question.trim().is_empty())
    {
        bail!("--question is empty");
    }
    Ok(match (args.question.is_empty(), is_mini(engine)) {
        (false, _) => args.question.clone(),
        (true, true) => MINI.map(str::to_owned).to_vec(),
        (true, false) => vec![DESCRIBE.to_owned()],
    })
}

/// Whether it is the built-in model, which knows no photographs.
fn is_mini(engine: &Engine) -> bool {
    engine.config().name == embedded::NAME
}

/// What the frames may cost, as the model counts what it sees.
///
/// Errors if there is no room for one.
fn budget(args: &CaptionArgs, video: &VideoInfo, engine: &Engine) -> Result<Budget> {
    let mut budget = Budget {
        max_frames: args.max_frames,
        max_pixels: args.max_pixels,
        max_tokens: args.max_vision_tokens,
        tokens_per_frame: 0,
    };
    let (width, height) = budget.fit(video.width as usize, video.height as usize);
    budget.tokens_per_frame = engine.vision_tokens(width, height)?;
    if budget.frames() == 0 {
        bail!(
            "--max-vision-tokens is {}, but one frame takes {}",
            budget.max_tokens,
            budget.tokens_per_frame
        );
    }
    Ok(budget)
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
        segments: avocet_video::sentences(&transcript.segments),
        language: transcript.language,
        model: Some(transcript.model),
    })
}

/// What was done, and what the budget allowed.
fn summary(captioned: &Captioned, budget: &Budget) -> String {
    let Captioned {
        timeline, chosen, ..
    } = captioned;
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
        (captioned.unsure, "not sure of"),
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
fn notes(engine: &Engine, questions: &[String], heard: &HeardWords) -> Vec<String> {
    let heard_by = match &heard.model {
        Some(model) => format!("Heard by Whisper {model}. "),
        None => String::new(),
    };
    let asked: Vec<String> = (questions.iter())
        .map(|question| format!("“{question}”"))
        .collect();
    let model = &engine.config().name;
    let surest = match asked.len() {
        1 => "",
        _ => " – the answer it is surest of stands",
    };
    let mut notes = vec![format!(
        "{heard_by}Seen by {model}, asked {}{surest}.",
        asked.join(", ")
    )];
    if is_mini(engine) {
        notes.push(
            "mini names drawn shapes, flags and emoji, and reads a line of text. It has never seen \
             a photograph: what it calls one is a guess without meaning."
                .to_owned(),
        );
    }
    notes
}
