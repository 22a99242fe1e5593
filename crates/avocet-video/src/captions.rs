//! Subtitles that hold both what is said and what is seen.
//!
//! One cue at a time is on the screen: cues are cut wherever something begins or ends, so that no
//! player has to guess how overlapping cues stack.

use crate::subtitles::Cue;
use crate::timeline::Timeline;

/// The longest that a frame's caption stays, unless something is said meanwhile.
const SEEN_S: f64 = 4.0;
/// Cues shorter than this cannot be read; what they would say is in the next one.
const SHORTEST_S: f64 = 0.05;

/// Cues in order, none overlapping the next.
pub fn cues(timeline: &Timeline) -> Vec<Cue> {
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
        let seen = at(&seen, middle);
        let lines: Vec<String> = at(&said, middle).into_iter().collect();
        let (start_s, end_s) = (pair[0], pair[1]);
        match cues.last_mut() {
            Some(last) if last.end_s == start_s && last.seen == seen && last.lines == lines => {
                last.end_s = end_s;
            }
            _ if seen.is_none() && lines.is_empty() => {}
            _ => cues.push(Cue {
                start_s,
                end_s,
                seen,
                lines,
            }),
        }
    }
    cues
}

/// Words on one line: an empty line would end a cue, an arrow would begin one.
fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.replace("-->", "->")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subtitles::{srt, vtt};
    use crate::timeline::tests::{frame, segment, timeline};
    use proptest::collection::vec;
    use proptest::prelude::*;

    #[test]
    fn cues_never_overlap_and_hold_both() {
        let cues = cues(&timeline());
        for pair in cues.windows(2) {
            assert!(pair[0].end_s <= pair[1].start_s, "{pair:?}");
        }
        let both = cues
            .iter()
            .filter(|cue| cue.seen.is_some() && !cue.lines.is_empty());
        assert_eq!(both.count(), 3, "{cues:?}");
        assert!(cues.iter().all(|cue| cue.start_s < cue.end_s));
        let said: Vec<&str> = cues
            .iter()
            .flat_map(|cue| &cue.lines)
            .map(String::as_str)
            .collect();
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
                prop_assert!(cue.end_s - cue.start_s >= SHORTEST_S - 1e-9, "{:?}", cue);
                prop_assert!(cue.seen.is_some() || !cue.lines.is_empty());
            }
            for pair in cues.windows(2) {
                prop_assert!(pair[0].end_s <= pair[1].start_s, "{:?}", pair);
            }
            for text in [srt(&cues), vtt(&cues)] {
                prop_assert_eq!(text.matches(" --> ").count(), cues.len(), "{}", text);
            }
        }
    }

    #[test]
    fn srt_marks_what_is_seen_with_brackets() {
        let srt = srt(&cues(&timeline()));
        assert!(
            srt.starts_with("1\n00:00:00,200 --> 00:00:00,800\nHello.\n\n2\n"),
            "{srt}"
        );
        assert!(srt.contains("\n[penguin]\nFirst a penguin.\n\n"), "{srt}");
    }

    #[test]
    fn vtt_marks_it_with_a_class() {
        let vtt = vtt(&cues(&timeline()));
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
        let cues = cues(&hostile);
        let vtt = vtt(&cues);
        assert_eq!(vtt.matches("-->").count(), cues.len(), "{vtt}");
        assert!(!vtt.contains("<b>") && !vtt.contains("<v "), "{vtt}");
        let srt = srt(&cues);
        assert_eq!(srt.matches("-->").count(), cues.len(), "{srt}");
    }
}
