//! A media file becomes a transcript, in a stream: memory does not grow with its length.

use std::path::Path;

use avocet_media::audio::{self, SAMPLE_RATE_HZ};
use avocet_media::speech::{Heard, HeardSegment, HeardWord, Listener, SpeechOptions};

use super::error::TranscribeError;
use super::invented::is_invented;
use super::languages::language_code;
use super::onsets::{Placed, Said, place};
use super::options::TranscribeOptions;
use super::tracks::Tracks;
use super::transcript::{PAUSE_S, Segment, Transcript, Word};
use super::windows::{Window, Windows};

/// A language found in a window as long as this holds for the rest.
const SURE_OF_LANGUAGE_S: f64 = 10.0;
/// Sound that starts this much later than it should is a gap; less is rounding.
const GAP_S: f64 = 0.01;

/// How far a transcription has got.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TranscribeProgress {
    /// Seconds of the file that are done.
    pub done_s: f64,
    /// Seconds it has, if its container says.
    pub total_s: Option<f64>,
}

/// Writes down what is said in the file at `path`; nothing said gives a transcript without
/// segments.
///
/// Tells `progress` as it goes. Errors if the language is unknown, to Whisper or to the model, the
/// file does not open or has no such sound, or the worker ends.
pub fn transcribe(
    path: &Path,
    options: &TranscribeOptions,
    progress: &mut dyn FnMut(TranscribeProgress),
) -> Result<Transcript, TranscribeError> {
    let language = asked_language(options)?;
    let tracks = Tracks::of(path, options.track)?;
    let total_s = tracks.duration_s;
    tracks.check(path, options)?;
    let mut scribe = Scribe {
        listener: Listener::new(SpeechOptions {
            model: options.model.path.clone(),
            model_bytes: options.model.bytes,
            num_threads: options.num_threads,
            beam_size: options.beam_size,
        })?,
        language,
        heard_language: None,
        voice_s: 0.0,
        segments: Vec::new(),
    };
    let (mut windows, mut offset_s, mut position_s) = (Windows::new(), 0.0, 0.0);
    for block in audio::blocks(path, options.track)? {
        let block = block?;
        if block.start_s > position_s + GAP_S {
            // What follows a gap is a sound of its own.
            scribe.write(windows.finish(), offset_s)?;
            windows = Windows::new();
            offset_s = block.start_s;
            position_s = block.start_s;
        }
        position_s += block.samples.len() as f64 / f64::from(SAMPLE_RATE_HZ);
        scribe.write(windows.push(&block.samples), offset_s)?;
        let done_s = position_s;
        progress(TranscribeProgress { done_s, total_s });
    }
    scribe.write(windows.finish(), offset_s)?;
    let mut transcript = Transcript {
        source: path.display().to_string(),
        duration_s: position_s,
        language: scribe
            .heard_language
            .filter(|_| !scribe.segments.is_empty()),
        model: options.model.name.clone(),
        nothing: (scribe.segments.is_empty())
            .then(|| tracks.why_nothing(scribe.voice_s, &options.model)),
        segments: scribe.segments,
    };
    transcript.tidy();
    Ok(transcript)
}

/// The code of the language that was asked for, if one was.
fn asked_language(options: &TranscribeOptions) -> Result<Option<&'static str>, TranscribeError> {
    let asked = options.language.as_deref().filter(|asked| *asked != "auto");
    let Some(asked) = asked else {
        return Ok((!options.model.is_multilingual).then_some("en"));
    };
    let language = asked.to_owned();
    let Some(code) = language_code(asked) else {
        return Err(TranscribeError::Language { language });
    };
    if !options.model.is_multilingual && code != "en" {
        let model = options.model.name.clone();
        return Err(TranscribeError::EnglishOnly { model, language });
    }
    Ok(Some(code))
}

/// Has windows heard and keeps what was said.
struct Scribe {
    listener: Listener,
    /// The language that is known, given or found.
    language: Option<&'static str>,
    heard_language: Option<String>,
    /// How long somebody speaks.
    voice_s: f64,
    segments: Vec<Segment>,
}

impl Scribe {
    fn write(&mut self, windows: Vec<Window>, offset_s: f64) -> Result<(), TranscribeError> {
        for window in windows {
            let heard = self.listener.hear(&window.samples, self.language)?;
            let seconds = window.samples.len() as f64 / f64::from(SAMPLE_RATE_HZ);
            self.voice_s += seconds;
            if self.language.is_none() && seconds >= SURE_OF_LANGUAGE_S {
                self.language = language_code(&heard.language);
            }
            // The last window is the best guess until one was long enough.
            let language = self.language.map(str::to_owned);
            let found = language.unwrap_or_else(|| heard.language.clone());
            self.heard_language = Some(found);
            self.segments.extend(in_the_file(heard, &window, offset_s));
        }
        Ok(())
    }
}

/// What was said in a window, with the times of the file; a segment lies in one region of speech.
fn in_the_file(heard: Heard, window: &Window, offset_s: f64) -> Vec<Segment> {
    let mut segments = heard.segments;
    segments.retain(|segment| !is_invented(segment));
    let said: Vec<Said> = (segments.iter().flat_map(|segment| &segment.words))
        .map(|word| Said {
            start_s: word.start_s,
            end_s: word.end_s,
            letters: word.word.chars().count(),
        })
        .collect();
    let mut placed = place(&said, window).into_iter();
    let mut all = Vec::new();
    for HeardSegment { text, words, .. } in segments {
        let places: Vec<Placed> = placed.by_ref().take(words.len()).collect();
        let words: Vec<Word> = (words.into_iter().zip(&places))
            .map(|(HeardWord { word, .. }, place)| Word {
                start_s: offset_s + place.start_s,
                end_s: offset_s + place.end_s,
                word,
            })
            .collect();
        let whole = Segment {
            start_s: words.first().map_or(offset_s, |word| word.start_s),
            end_s: words.last().map_or(offset_s, |word| word.end_s),
            text,
            words,
        };
        all.extend(whole.cut(|index, words| {
            places[index].piece != places[index + 1].piece
                || words[index + 1].start_s - words[index].end_s >= PAUSE_S
        }));
    }
    all
}
