//! Subtitle files: SubRip and WebVTT.

use std::fmt::Write;

/// What is on the screen for a while.
#[derive(Debug, Clone, PartialEq)]
pub struct Cue {
    /// When it appears.
    pub start_s: f64,
    /// When it goes.
    pub end_s: f64,
    /// What is seen meanwhile; it stands in brackets, above what is said.
    pub seen: Option<String>,
    /// What is said, line by line.
    pub lines: Vec<String>,
}

/// Cues as SubRip, which has no escapes: an arrow in a text is shortened, since readers take it
/// for a line of times.
pub fn srt(cues: &[Cue]) -> String {
    let mut out = String::new();
    for (index, cue) in cues.iter().enumerate() {
        let (start, end) = (time(cue.start_s, ','), time(cue.end_s, ','));
        // Writing to a string does not fail.
        let _ = write!(out, "{}\n{start} --> {end}\n", index + 1);
        let seen = cue.seen.iter().map(|seen| format!("[{seen}]"));
        for line in seen.chain(cue.lines.iter().cloned()) {
            let _ = writeln!(out, "{}", line.replace("-->", "->"));
        }
        out.push('\n');
    }
    out
}

/// Cues as WebVTT; what is seen has the class `seen`.
pub fn vtt(cues: &[Cue]) -> String {
    let mut out = String::from("WEBVTT\n\n");
    if cues.iter().any(|cue| cue.seen.is_some()) {
        out.push_str("STYLE\n::cue(.seen) { color: #9fd3ff; font-style: italic }\n\n");
    }
    for cue in cues {
        let (start, end) = (time(cue.start_s, '.'), time(cue.end_s, '.'));
        let _ = writeln!(out, "{start} --> {end}");
        let seen = cue.seen.iter();
        let seen = seen.map(|seen| format!("<c.seen>[{}]</c>", escaped(seen)));
        for line in seen.chain(cue.lines.iter().map(|line| escaped(line))) {
            let _ = writeln!(out, "{line}");
        }
        out.push('\n');
    }
    out
}

/// The text with what WebVTT reads as markup spelled out, which `-->` is as well.
fn escaped(line: &str) -> String {
    line.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Hours, minutes, seconds and milliseconds; hours go on beyond 99.
fn time(time_s: f64, point: char) -> String {
    let all = (time_s * 1000.0).round() as u64;
    let (hours, minutes) = (all / 3_600_000, all / 60_000 % 60);
    let (seconds, ms) = (all / 1000 % 60, all % 1000);
    format!("{hours:02}:{minutes:02}:{seconds:02}{point}{ms:03}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speech::{Segment, Transcript, Word, captions};

    fn transcript() -> Transcript {
        let word = |start_s, end_s, word: &str| Word {
            start_s,
            end_s,
            word: word.into(),
        };
        Transcript {
            source: "talk.mp4".into(),
            duration_s: 3700.5,
            language: Some("en".into()),
            nothing: None,
            model: "base".into(),
            segments: vec![
                Segment {
                    start_s: 0.5,
                    end_s: 1.75,
                    text: "A --> B & <i>".into(),
                    words: vec![
                        word(0.5, 0.75, "A"),
                        word(0.75, 1.0, "-->"),
                        word(1.0, 1.25, "B"),
                        word(1.25, 1.5, "&"),
                        word(1.5, 1.75, "<i>"),
                    ],
                },
                Segment {
                    start_s: 3661.001,
                    end_s: 3662.9996,
                    text: "Late.".into(),
                    words: vec![word(3661.001, 3662.9996, "Late.")],
                },
            ],
        }
    }

    #[test]
    fn subtitles_have_their_format_and_no_markup_from_the_text() {
        let captions = captions(&transcript());
        assert_eq!(
            srt(&captions),
            "1\n00:00:00,500 --> 00:00:01,750\nA -> B & <i>\n\n\
             2\n01:01:01,001 --> 01:01:03,000\nLate.\n\n"
        );
        assert_eq!(
            vtt(&captions),
            "WEBVTT\n\n00:00:00.500 --> 00:00:01.750\nA --&gt; B &amp; &lt;i&gt;\n\n\
             01:01:01.001 --> 01:01:03.000\nLate.\n\n"
        );
        assert_eq!(transcript().text(), "A --> B & <i>\nLate.\n");
    }

    #[test]
    fn json_reads_back_and_has_the_promised_fields() {
        let text = serde_json::to_string(&transcript()).unwrap();
        assert_eq!(text.lines().count(), 1);
        let back: Transcript = serde_json::from_str(&text).unwrap();
        assert_eq!(back, transcript());
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["segments"][0]["words"][1]["word"], "-->");
        assert_eq!(value["duration_s"], 3700.5);
    }

    #[test]
    fn nothing_said_is_an_empty_file_of_its_format() {
        let empty = Transcript {
            segments: vec![],
            ..transcript()
        };
        assert_eq!(srt(&captions(&empty)), "");
        assert_eq!(vtt(&captions(&empty)), "WEBVTT\n\n");
        assert_eq!(empty.text(), "");
    }
}
