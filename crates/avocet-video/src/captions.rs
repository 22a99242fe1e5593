//! Subtitle files that hold both what is said and what is seen.
//!
//! One cue at a time is on the screen: cues are cut wherever something begins or ends, so that no
//! player has to guess how overlapping cues stack. What is seen stands in brackets, above what is
//! said; in VTT it has the class `seen` besides.

use std::fmt::Write;

use crate::timeline::Timeline;

/// The longest that a frame's caption stays, unless something is said meanwhile.
const SEEN_S: f64 = 4.0;
/// Cues shorter than this cannot be read; what they would say is in the next one.
const SHORTEST_S: f64 = 0.05;

/// What is on the screen for a while.
#[derive(Debug, Clone, PartialEq)]
struct Cue {
    start_ms: u64,
    end_ms: u64,
    seen: Option<String>,
    said: Option<String>,
}

/// SubRip: numbered cues, times with a comma.
pub fn to_srt(timeline: &Timeline) -> String {
    let mut text = String::new();
    for (index, cue) in cues(timeline).iter().enumerate() {
        let (start, end) = (stamp(cue.start_ms, ','), stamp(cue.end_ms, ','));
        let seen = cue.seen.as_ref().map(|seen| format!("[{seen}]"));
        let lines = [seen.as_ref(), cue.said.as_ref()].into_iter().flatten();
        let lines = lines.map(String::as_str).collect::<Vec<_>>().join("\n");
        // Writing into a string cannot fail.
        let _ = write!(text, "{}\n{start} --> {end}\n{lines}\n\n", index + 1);
    }
    text
}

/// WebVTT: what is seen has the class `seen`.
pub fn to_vtt(timeline: &Timeline) -> String {
    let mut text =
        String::from("WEBVTT\n\nSTYLE\n::cue(.seen) { color: #9fd3ff; font-style: italic }\n\n");
    for cue in cues(timeline) {
        let (start, end) = (stamp(cue.start_ms, '.'), stamp(cue.end_ms, '.'));
        let seen = cue
            .seen
            .as_ref()
            .map(|s| format!("<c.seen>[{}]</c>", escape(s)));
        let said = cue.said.as_ref().map(|said| escape(said));
        let lines = [seen, said]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join("\n");
        let _ = write!(text, "{start} --> {end}\n{lines}\n\n");
    }
    text
}

/// Cues in order, none overlapping the next.
fn cues(timeline: &Timeline) -> Vec<Cue> {
    let said: Vec<(f64, f64, String)> = (timeline.segments.iter())
        .map(|s| (s.start_s, s.end_s, one_line(&s.text)))
        .filter(|(_, _, text)| !text.is_empty())
        .collect();
    let seen: Vec<(f64, f64, String)> = (timeline.frames.iter().enumerate())
        .map(|(index, frame)| {
            let next = timeline.frames.get(index + 1);
            let end = next.map_or(timeline.duration_s.max(frame.time_s + 1.0), |n| n.time_s);
            // Whoever reads a caption reads it once: it goes when it was there long enough.
            (
                frame.time_s,
                end.min(frame.time_s + SEEN_S),
                one_line(&frame.caption),
            )
        })
        .filter(|(_, _, text)| !text.is_empty())
        .collect();
    let mut edges: Vec<f64> = (said.iter().chain(&seen))
        .flat_map(|(start, end, _)| [*start, *end])
        .filter(|edge| edge.is_finite())
        .map(|edge| edge.max(0.0))
        .collect();
    edges.sort_by(f64::total_cmp);
    edges.dedup_by(|later, earlier| *later - *earlier < SHORTEST_S);
    let at = |list: &[(f64, f64, String)], time_s: f64| {
        let on = |(start, end, _): &&(f64, f64, String)| *start <= time_s && time_s < *end;
        list.iter().rev().find(on).map(|(_, _, text)| text.clone())
    };
    let mut cues: Vec<Cue> = Vec::new();
    for pair in edges.windows(2) {
        let middle = (pair[0] + pair[1]) / 2.0;
        let (seen, said) = (at(&seen, middle), at(&said, middle));
        let (start_ms, end_ms) = (milliseconds(pair[0]), milliseconds(pair[1]));
        match cues.last_mut() {
            Some(last) if last.end_ms == start_ms && last.seen == seen && last.said == said => {
                last.end_ms = end_ms;
            }
            _ if seen.is_none() && said.is_none() => {}
            _ => cues.push(Cue {
                start_ms,
                end_ms,
                seen,
                said,
            }),
        }
    }
    cues
}

fn milliseconds(time_s: f64) -> u64 {
    (time_s * 1000.0).round() as u64
}

fn stamp(ms: u64, mark: char) -> String {
    let (hours, minutes) = (ms / 3_600_000, ms / 60_000 % 60);
    let (seconds, ms) = (ms / 1000 % 60, ms % 1000);
    format!("{hours:02}:{minutes:02}:{seconds:02}{mark}{ms:03}")
}

/// Words on one line: an empty line would end a cue, an arrow would begin one.
fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.replace("-->", "->")
}

/// Text as VTT wants it.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::tests::{frame, segment, timeline};
    use proptest::collection::vec;
    use proptest::prelude::*;

    #[test]
    fn cues_never_overlap_and_hold_both() {
        let cues = cues(&timeline());
        for pair in cues.windows(2) {
            assert!(pair[0].end_ms <= pair[1].start_ms, "{pair:?}");
        }
        let both = cues
            .iter()
            .filter(|cue| cue.seen.is_some() && cue.said.is_some());
        assert_eq!(both.count(), 3, "{cues:?}");
        assert!(cues.iter().all(|cue| cue.start_ms < cue.end_ms));
        let said: Vec<&str> = cues.iter().filter_map(|cue| cue.said.as_deref()).collect();
        for text in ["Hello.", "First a penguin.", "Then a rocket.", "It flies."] {
            assert!(said.contains(&text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn cues_of_any_time_line_follow_one_another_and_can_be_read(
            said in vec((0.0..60f64, -1.0..9f64, ".{0,12}"), 0..8),
            seen in vec((0.0..60f64, ".{0,12}"), 0..8),
        ) {
            let mut timeline = timeline();
            timeline.segments = said
                .iter()
                .map(|(start_s, length_s, text)| segment(*start_s, start_s + length_s, text))
                .collect();
            timeline.frames = seen.iter().map(|(time_s, text)| frame(*time_s, text)).collect();
            timeline.frames.sort_by(|a, b| a.time_s.total_cmp(&b.time_s));
            let cues = cues(&timeline);
            for cue in &cues {
                // Half a millisecond on either side is lost to rounding.
                prop_assert!(cue.end_ms + 1 >= cue.start_ms + 50, "{:?}", cue);
                prop_assert!(cue.seen.is_some() || cue.said.is_some());
            }
            for pair in cues.windows(2) {
                prop_assert!(pair[0].end_ms <= pair[1].start_ms, "{:?}", pair);
            }
            for text in [to_srt(&timeline), to_vtt(&timeline)] {
                prop_assert_eq!(text.matches(" --> ").count(), cues.len(), "{}", text);
            }
        }
    }

    #[test]
    fn srt_marks_what_is_seen_with_brackets() {
        let srt = to_srt(&timeline());
        assert!(
            srt.starts_with("1\n00:00:00,200 --> 00:00:00,800\nHello.\n\n2\n"),
            "{srt}"
        );
        assert!(srt.contains("\n[penguin]\nFirst a penguin.\n\n"), "{srt}");
    }

    #[test]
    fn vtt_marks_it_with_a_class() {
        let vtt = to_vtt(&timeline());
        assert!(vtt.starts_with("WEBVTT\n"));
        assert!(
            vtt.contains("<c.seen>[penguin]</c>\nFirst a penguin.\n"),
            "{vtt}"
        );
    }

    #[test]
    fn words_cannot_write_cues() {
        let mut hostile = timeline();
        hostile.segments = vec![segment(
            0.0,
            2.0,
            "a\n\n5\n00:00:01.000 --> 00:00:09.000\n<b>x</b>",
        )];
        hostile.frames = vec![frame(0.0, "</c><v Eve>&\n\nNOTE"), frame(5.0, "  ")];
        let vtt = to_vtt(&hostile);
        assert_eq!(vtt.matches("-->").count(), cues(&hostile).len(), "{vtt}");
        assert!(!vtt.contains("<b>") && !vtt.contains("<v "), "{vtt}");
        let srt = to_srt(&hostile);
        assert_eq!(srt.matches("-->").count(), cues(&hostile).len(), "{srt}");
    }
}
