//! What was said, and when.

use serde::{Deserialize, Serialize};

/// A break between words this long ends a sentence, whatever the marks say.
pub(crate) const PAUSE_S: f64 = 1.0;

/// All that is said in a recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transcript {
    /// The file.
    pub source: String,
    /// How long it is heard.
    pub duration_s: f64,
    /// The language that was spoken, by its two-letter code; none where nothing was said.
    pub language: Option<String>,
    /// The speech model.
    pub model: String,
    /// What is said, in order and apart.
    pub segments: Vec<Segment>,
    /// Why there is nothing, where there is nothing.
    #[serde(skip)]
    pub nothing: Option<String>,
}

/// A sentence, or as much of one as was said in one breath.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// When it begins.
    pub start_s: f64,
    /// When it ends.
    pub end_s: f64,
    /// What is said.
    pub text: String,
    /// Its words in order.
    pub words: Vec<Word>,
}

/// A word with the punctuation that follows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Word {
    /// When it begins.
    pub start_s: f64,
    /// When it ends.
    pub end_s: f64,
    /// As written in the text, without spaces around it.
    pub word: String,
}

impl Transcript {
    /// Makes times whole milliseconds that never go back: no word begins before the one before it
    /// has ended, each lies in its segment, and all lie within the recording. Segments without
    /// text are left out.
    pub fn tidy(&mut self) {
        let mut now = 0.0f64;
        let end = milliseconds(self.duration_s);
        self.duration_s = end;
        self.segments.retain(|segment| !segment.text.is_empty());
        for segment in &mut self.segments {
            segment.start_s = milliseconds(segment.start_s).clamp(now, end.max(now));
            let mut at = segment.start_s;
            for word in &mut segment.words {
                word.start_s = milliseconds(word.start_s).clamp(at, end.max(at));
                word.end_s = milliseconds(word.end_s).clamp(word.start_s, end.max(word.start_s));
                at = word.end_s;
            }
            segment.end_s = milliseconds(segment.end_s).clamp(at, end.max(at));
            now = segment.end_s;
        }
    }

    /// Everything said, a segment a line.
    pub fn text(&self) -> String {
        let lines = self.segments.iter().map(|segment| segment.text.as_str());
        lines.flat_map(|line| [line, "\n"]).collect()
    }
}

impl Segment {
    /// The segment in pieces, with an end wherever `is_end` says so of a word that has one behind
    /// it; no word is lost or changed.
    pub(crate) fn cut(self, is_end: impl Fn(usize, &[Word]) -> bool) -> Vec<Self> {
        let mut pieces = Vec::new();
        let (mut first, mut text_start, mut text_end) = (0, 0, 0);
        for (index, word) in self.words.iter().enumerate() {
            let rest = &self.text[text_end..];
            // A word that the text lacks says that they do not belong together: nothing is cut.
            let Some(at) = rest.find(word.word.trim()) else {
                return vec![self];
            };
            text_end += at + word.word.trim().len();
            if index + 1 < self.words.len() && is_end(index, &self.words) {
                let text = &self.text[text_start..text_end];
                pieces.push(piece(text, &self.words[first..=index]));
                (first, text_start) = (index + 1, text_end);
            }
        }
        if first == 0 {
            return vec![self];
        }
        pieces.push(piece(&self.text[text_start..], &self.words[first..]));
        pieces
    }
}

fn piece(text: &str, words: &[Word]) -> Segment {
    Segment {
        start_s: words.first().map_or(0.0, |word| word.start_s),
        end_s: words.last().map_or(0.0, |word| word.end_s),
        text: text.trim().to_owned(),
        words: words.to_vec(),
    }
}

fn milliseconds(time_s: f64) -> f64 {
    let time_s = if time_s.is_finite() {
        time_s.max(0.0)
    } else {
        0.0
    };
    (time_s * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(start_s: f64, end_s: f64) -> Word {
        let word = "a".into();
        Word {
            start_s,
            end_s,
            word,
        }
    }

    #[test]
    fn times_never_go_back_and_stay_in_the_recording() {
        let segment = |start_s, end_s, words| Segment {
            start_s,
            end_s,
            text: "a".into(),
            words,
        };
        let mut transcript = Transcript {
            source: "x".into(),
            duration_s: 10.0004,
            language: None,
            nothing: None,
            model: "tiny.en".into(),
            segments: vec![
                segment(
                    -1.0,
                    3.0,
                    vec![word(-1.0, 2.0), word(1.0, 0.5), word(2.5, 4.0)],
                ),
                segment(3.5, f64::NAN, vec![word(3.0, 99.0)]),
            ],
        };
        transcript.segments.push(Segment {
            text: String::new(),
            ..segment(0.0, 1.0, vec![])
        });
        transcript.tidy();
        assert_eq!(transcript.segments.len(), 2);
        let times: Vec<f64> = transcript
            .segments
            .iter()
            .flat_map(|segment| {
                let words = segment
                    .words
                    .iter()
                    .flat_map(|word| [word.start_s, word.end_s]);
                [segment.start_s]
                    .into_iter()
                    .chain(words)
                    .chain([segment.end_s])
            })
            .collect();
        assert!(times.is_sorted(), "{times:?}");
        assert_eq!(times.first().copied(), Some(0.0));
        assert_eq!(times.last().copied(), Some(10.0));
    }
}
