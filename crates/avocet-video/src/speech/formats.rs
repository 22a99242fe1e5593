//! A transcript as a file of subtitles.

use std::fmt::Write;

use super::captions::Caption;

/// Captions as SubRip, which has no escapes: an arrow in a text is shortened, since readers take it
/// for a line of times.
pub fn srt(captions: &[Caption]) -> String {
    let mut out = String::new();
    for (index, caption) in captions.iter().enumerate() {
        let (start, end) = (time(caption.start_s, ','), time(caption.end_s, ','));
        // Writing to a string does not fail.
        let _ = write!(out, "{}\n{start} --> {end}\n", index + 1);
        for line in &caption.lines {
            out.push_str(&line.replace("-->", "->"));
            out.push('\n');
        }
        out.push('\n');
    }
    out
}

/// Captions as WebVTT.
pub fn vtt(captions: &[Caption]) -> String {
    let mut out = String::from("WEBVTT\n\n");
    for caption in captions {
        let (start, end) = (time(caption.start_s, '.'), time(caption.end_s, '.'));
        let _ = writeln!(out, "{start} --> {end}");
        for line in &caption.lines {
            out.push_str(&escaped(line));
            out.push('\n');
        }
        out.push('\n');
    }
    out
}

/// The text with what WebVTT reads as markup spelled out, which `-->` is as well.
fn escaped(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    for letter in line.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            other => out.push(other),
        }
    }
    out
}

/// Hours, minutes, seconds and milliseconds; hours go on beyond 99.
fn time(time_s: f64, point: char) -> String {
    let all = (time_s * 1000.0).round() as u64;
    let (ms, s, min, h) = (
        all % 1000,
        all / 1000 % 60,
        all / 60_000 % 60,
        all / 3_600_000,
    );
    format!("{h:02}:{min:02}:{s:02}{point}{ms:03}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speech::captions::captions;
    use crate::speech::transcript::{Segment, Transcript, Word};

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
