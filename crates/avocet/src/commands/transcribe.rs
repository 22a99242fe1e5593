//! `avocet transcribe`: what is said in a video or sound file, with times.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use avocet_video::speech::{
    Tracks, TranscribeOptions, TranscribeProgress, Transcript, captions, language_code, transcribe,
};
use avocet_video::subtitles::{srt, vtt};
use indicatif::ProgressBar;

use crate::args::input;
use crate::features::Feature;
use crate::input::whisper;
use crate::ui::output;
use crate::ui::progress::{LINE_EVERY, bar};

/// `avocet transcribe`.
#[derive(Debug, clap::Args)]
pub struct TranscribeArgs {
    /// A video or sound file of any kind that FFmpeg reads.
    #[arg(value_name = "MEDIA", value_parser = input())]
    pub media: PathBuf,
    /// The speech model: `base` (99 languages, 145 MB) or `tiny.en` (English, 75 MB), fetched once;
    /// a ggml file, a faster-whisper folder, or a ggml file of a hub (owner/name/file.bin).
    #[arg(long, value_name = "REF", default_value = "base")]
    pub whisper: String,
    /// The language that is spoken, such as en or german; found out when absent or auto.
    #[arg(long, value_name = "L")]
    pub language: Option<String>,
    /// Which sound track, counted from 1, where the file has several; the file's default when
    /// absent.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub track: Option<u32>,
    /// What to write; more than one, parted by commas, needs -o.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "txt",
        value_name = "FORMAT"
    )]
    pub format: Vec<TranscriptFormat>,
    /// Write files named after MEDIA into this folder, instead of printing.
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// The same as --format json.
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
    /// Hypotheses kept while decoding; 1 is the fastest, and a little less exact.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=8))]
    pub beam: u8,
    /// Threads that compute; as many as the machine has, up to 8, when absent.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    pub threads: Option<u8>,
}

/// How a transcript is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum TranscriptFormat {
    /// SubRip subtitles.
    Srt,
    /// WebVTT subtitles.
    Vtt,
    /// Segments and words with their times.
    Json,
    /// Plain text, a segment a line.
    Txt,
}

impl TranscriptFormat {
    /// The ending of such a file.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Srt => "srt",
            Self::Vtt => "vtt",
            Self::Json => "json",
            Self::Txt => "txt",
        }
    }

    /// The whole file.
    ///
    /// Errors if a time is no number.
    pub fn write(self, transcript: &Transcript) -> Result<String, serde_json::Error> {
        Ok(match self {
            Self::Srt => srt(&captions(transcript)),
            Self::Vtt => vtt(&captions(transcript)),
            Self::Json => serde_json::to_string(transcript)? + "\n",
            Self::Txt => transcript.text(),
        })
    }
}

/// Transcribes a file, and prints or writes the transcript.
pub fn run(args: &TranscribeArgs) -> Result<()> {
    let mut formats = args.format.clone();
    formats.dedup();
    if args.json {
        formats = vec![TranscriptFormat::Json];
    }
    if formats.len() > 1 && args.output.is_none() {
        bail!("--format: more than one needs -o DIR to write them to");
    }
    if !args.media.exists() {
        bail!("{}: no such file", args.media.display());
    }
    if let Some(language) = args
        .language
        .as_deref()
        .filter(|language| *language != "auto")
        && language_code(language).is_none()
    {
        bail!("--language {language}: is not one of Whisper's; give a code such as en, or auto");
    }
    Feature::Speech.needed_for(&args.media)?;
    // Before a model is fetched for nothing.
    let tracks = Tracks::of(&args.media, args.track)?;
    if let Some(folder) = &args.output {
        std::fs::create_dir_all(folder).with_context(|| format!("-o {}", folder.display()))?;
    }
    let options = TranscribeOptions {
        model: whisper::find(&args.whisper)?,
        language: args.language.clone(),
        track: args.track,
        num_threads: args.threads.map_or_else(whisper::threads, u32::from),
        beam_size: u32::from(args.beam),
    };
    tracks.check(&args.media, &options)?;
    if let Some(choice) = tracks.choice().filter(|_| args.track.is_none()) {
        output::note(&format!("{}: {choice}\n", args.media.display()));
    }
    let mut shown = Shown::new(&args.media, &options.model.name);
    let result = transcribe(&args.media, &options, &mut |progress| shown.at(progress));
    shown.finish();
    let transcript = result?;
    if let Some(why) = &transcript.nothing {
        output::note(&format!("{}: {why}\n", args.media.display()));
    }
    match &args.output {
        None => output::print(&formats[0].write(&transcript)?),
        Some(folder) => {
            for format in formats {
                let path = write(folder, &args.media, format, &transcript)?;
                output::print(&format!("{}\n", path.display()))?;
            }
            Ok(())
        }
    }
}

/// Writes the transcript beside others of the same name, whole or not at all.
fn write(
    folder: &Path,
    media: &Path,
    format: TranscriptFormat,
    transcript: &Transcript,
) -> Result<PathBuf> {
    let stem = media.file_stem().unwrap_or_default().to_os_string();
    let mut name = stem;
    name.push(".");
    name.push(format.ending());
    let path = folder.join(name);
    let text = format.write(transcript)?;
    output::save(&path, text.as_bytes())?;
    Ok(path)
}

/// A bar on a terminal, or a line every few seconds.
struct Shown {
    bar: Option<ProgressBar>,
    name: String,
    last_line: Instant,
}

impl Shown {
    fn new(media: &Path, model: &str) -> Self {
        let name = media.display().to_string();
        let bar = bar("{msg} {bar:30} {percent}%, {eta} left");
        match &bar {
            Some(bar) => {
                bar.set_message(format!("listening with {model}"));
                bar.enable_steady_tick(Duration::from_millis(500));
            }
            None => output::note(&format!("{name}: listening with {model}\n")),
        }
        Self {
            bar,
            name,
            last_line: Instant::now(),
        }
    }

    fn at(&mut self, progress: TranscribeProgress) {
        let TranscribeProgress { done_s, total_s } = progress;
        if let Some(bar) = &self.bar {
            if let Some(total_s) = total_s {
                bar.set_length((total_s * 1000.0) as u64);
            }
            bar.set_position((done_s * 1000.0) as u64);
        } else if self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            let of = total_s.map_or_else(String::new, |total_s| format!(" of {total_s:.0}"));
            output::note(&format!("{}: {done_s:.0}{of} s\n", self.name));
        }
    }

    fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
