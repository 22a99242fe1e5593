//! Which sound track of a file is heard, and what is said where nothing is understood in it.

use std::path::Path;

use avocet_media::video::{AudioInfo, probe};

use super::error::TranscribeError;
use super::languages::{language_name, tagged_language};
use super::options::TranscribeOptions;
use crate::whisper_model::WhisperModel;

/// The sound tracks of a file, and the one that is heard.
#[derive(Debug, Clone, PartialEq)]
pub struct Tracks {
    /// How long the file is, if its container says.
    pub duration_s: Option<f64>,
    heard: AudioInfo,
    others: Vec<AudioInfo>,
}

impl Tracks {
    /// Those of the file at `path`, of which `track`, counted from 1, is heard, or else the
    /// container's default.
    ///
    /// Errors if the file does not open, is no media, has no sound, or lacks the track.
    pub fn of(path: &Path, track: Option<u32>) -> Result<Self, TranscribeError> {
        // A missing file is said in the system's words, not the decoder's.
        std::fs::File::open(path).map_err(|cause| TranscribeError::Io {
            path: path.to_owned(),
            cause,
        })?;
        let info = probe(path)?;
        let path = || path.to_owned();
        let Some(default) = info.audio else {
            return Err(TranscribeError::NoAudio { path: path() });
        };
        let number = track.unwrap_or(default.track);
        let (heard, others): (Vec<_>, Vec<_>) =
            (info.audio_tracks.into_iter()).partition(|info| info.track == number);
        let Some(heard) = heard.into_iter().next() else {
            return Err(TranscribeError::NoTrack {
                path: path(),
                track: number,
                tracks: listed(&others),
            });
        };
        Ok(Self {
            duration_s: info.duration_s,
            heard,
            others,
        })
    }

    /// Which one is heard, and how to hear another, where there are several.
    pub fn choice(&self) -> Option<String> {
        let others = self.instead()?;
        Some(format!("hearing track {}; {others}", named(&self.heard)))
    }

    /// The code of the language that the container says is spoken.
    pub(super) fn language(&self) -> Option<&'static str> {
        self.heard.language.as_deref().and_then(tagged_language)
    }

    /// Errors if the container says that what is spoken is no language of the model, and nobody
    /// says otherwise.
    pub fn check(&self, path: &Path, options: &TranscribeOptions) -> Result<(), TranscribeError> {
        let (model, asked) = (&options.model, options.language.as_deref());
        let Some(code) = self.language() else {
            return Ok(());
        };
        if asked.is_some_and(|asked| asked != "auto") {
            return Ok(());
        }
        if model.is_multilingual || code == "en" {
            return Ok(());
        }
        let others = self.instead();
        let others = others.map(|instead| format!(", another track ({instead})"));
        Err(TranscribeError::OtherLanguage {
            path: path.to_owned(),
            track: self.heard.track,
            language: titled(language_name(code).unwrap_or(code)),
            model: model.name.clone(),
            others: others.unwrap_or_default(),
        })
    }

    /// Why a transcript is empty, where somebody speaks for so long.
    pub(super) fn why_nothing(&self, voice_s: f64, model: &WhisperModel) -> String {
        let what = match (voice_s > 0.0, model.is_multilingual) {
            (false, _) => "nobody speaks".to_owned(),
            (true, true) => {
                format!(
                    "somebody speaks for {voice_s:.1} s, but {} makes out no words",
                    model.name
                )
            }
            (true, false) => format!(
                "somebody speaks for {voice_s:.1} s, but {} knows English only and makes out no \
                 words; take a multilingual speech model, such as base",
                model.name
            ),
        };
        match self.instead() {
            Some(instead) => format!("{what} in track {}; {instead}", named(&self.heard)),
            None => what,
        }
    }

    /// How to hear another track, if there is one.
    fn instead(&self) -> Option<String> {
        let others = listed(&self.others);
        (!others.is_empty()).then(|| format!("--track hears another: {others}"))
    }
}

fn listed(tracks: &[AudioInfo]) -> String {
    let names: Vec<String> = tracks.iter().map(named).collect();
    names.join(", ")
}

/// A track's number, with what the container says about it.
fn named(track: &AudioInfo) -> String {
    let tag = track.language.as_deref();
    let language = tag.map(|tag| {
        let name = tagged_language(tag).and_then(language_name);
        name.map_or_else(|| tag.to_owned(), titled)
    });
    let about: Vec<String> = language.into_iter().chain(track.title.clone()).collect();
    match about.is_empty() {
        true => track.track.to_string(),
        // What a file says is one line, whatever it says.
        false => format!("{} ({})", track.track, about.join(", "))
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" "),
    }
}

/// A language's name with capitals.
fn titled(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    };
    name.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track(number: u32, language: Option<&str>, title: Option<&str>) -> AudioInfo {
        AudioInfo {
            track: number,
            codec: "aac".into(),
            sample_rate_hz: 48_000,
            channels: 2,
            language: language.map(str::to_owned),
            title: title.map(str::to_owned),
        }
    }

    fn model(name: &str, is_multilingual: bool) -> WhisperModel {
        WhisperModel {
            name: name.into(),
            path: "x".into(),
            is_multilingual,
            bytes: 1,
        }
    }

    fn options(name: &str, is_multilingual: bool) -> TranscribeOptions {
        TranscribeOptions {
            model: model(name, is_multilingual),
            language: None,
            track: None,
            num_threads: 1,
            beam_size: 1,
        }
    }

    fn tracks(heard: AudioInfo, others: &[AudioInfo]) -> Tracks {
        Tracks {
            duration_s: None,
            heard,
            others: others.to_vec(),
        }
    }

    #[test]
    fn another_track_is_offered_where_there_is_one() {
        let one = tracks(track(1, None, None), &[]);
        assert_eq!(one.choice(), None);
        assert_eq!(one.why_nothing(0.0, &model("base", true)), "nobody speaks");
        let two = tracks(
            track(2, Some("eng"), Some("Main")),
            &[
                track(1, Some("haitian"), Some("a\nb")),
                track(3, Some("ht"), None),
            ],
        );
        assert_eq!(
            two.choice().unwrap(),
            "hearing track 2 (English, Main); --track hears another: 1 (haitian, a b), \
             3 (Haitian Creole)"
        );
        let said = two.why_nothing(2.0, &model("tiny.en", false));
        assert!(
            said.contains("speaks for 2.0 s, but tiny.en knows English only"),
            "{said}"
        );
        assert!(
            said.contains("such as base in track 2 (English, Main); --track"),
            "{said}"
        );
    }

    #[test]
    fn a_model_of_english_is_given_no_track_that_says_it_is_another_language() {
        let path = Path::new("film.mkv");
        let german = tracks(track(1, Some("ger"), None), &[track(2, Some("eng"), None)]);
        german.check(path, &options("base", true)).unwrap();
        let refused = german.check(path, &options("tiny.en", false)).unwrap_err();
        let refused = refused.to_string();
        for word in [
            "film.mkv: track 1",
            "German",
            "tiny.en",
            "English only",
            "2 (English)",
        ] {
            assert!(refused.contains(word), "{word}: {refused}");
        }
        let alone = tracks(track(1, Some("de"), None), &[]);
        let refused = alone.check(path, &options("tiny.en", false)).unwrap_err();
        assert!(!refused.to_string().contains("another track"), "{refused}");
        for tag in [None, Some("en-GB"), Some("mul")] {
            let unknown = tracks(track(1, tag, None), &[]);
            unknown.check(path, &options("tiny.en", false)).unwrap();
        }
    }
}
