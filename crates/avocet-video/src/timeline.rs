//! What is said and what is seen, on one time line.

use serde::{Deserialize, Serialize};

use crate::speech::Segment;

/// A captioned video; its JSON is the command's contract.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    /// The video, as the user named it.
    pub source: String,
    /// Its length.
    pub duration_s: f64,
    /// What is said, in order.
    pub segments: Vec<Segment>,
    /// What is seen, in order.
    pub frames: Vec<Frame>,
}

/// A chosen frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// When it is shown.
    pub time_s: f64,
    /// What the model sees on it.
    pub caption: String,
    /// The picture: a file beside, or a data URI.
    pub image: String,
}

/// What is on the screen from one frame to the next, and what is said meanwhile.
#[derive(Debug, Clone, PartialEq)]
pub struct Scene<'a> {
    /// The frame; none for what is said before the first one.
    pub frame: Option<&'a Frame>,
    /// When it begins.
    pub start_s: f64,
    /// When the next one begins, or the video ends.
    pub end_s: f64,
    /// Segments that begin meanwhile.
    pub segments: &'a [Segment],
}

impl Timeline {
    /// The video as scenes: each frame with what is said until the next one.
    ///
    /// Speech belongs to the frame on the screen in the middle of it: a speaker who begins a
    /// breath before the cut talks about the new picture.
    pub fn scenes(&self) -> Vec<Scene<'_>> {
        let middle = |segment: &Segment| (segment.start_s + segment.end_s) / 2.0;
        let until = |time_s: f64| self.segments.partition_point(|s| middle(s) < time_s);
        let mut scenes = Vec::with_capacity(self.frames.len() + 1);
        let first_s = self.frames.first().map_or(f64::INFINITY, |f| f.time_s);
        let mut done = match self.frames.is_empty() {
            true => self.segments.len(),
            false => until(first_s),
        };
        if done > 0 {
            scenes.push(Scene {
                frame: None,
                start_s: self.segments[0].start_s,
                end_s: first_s.min(self.duration_s),
                segments: &self.segments[..done],
            });
        }
        for (index, frame) in self.frames.iter().enumerate() {
            let next = self.frames.get(index + 1).map(|next| next.time_s);
            let end = next.map_or(self.segments.len(), until).max(done);
            scenes.push(Scene {
                frame: Some(frame),
                // The first picture stands for what was there before it, too.
                start_s: if scenes.is_empty() { 0.0 } else { frame.time_s },
                end_s: next.unwrap_or(self.duration_s).max(frame.time_s),
                segments: &self.segments[done..end],
            });
            done = end;
        }
        scenes
    }
}

/// A time for people: 1:02:03, 2:03, 0:03.
pub fn clock(time_s: f64) -> String {
    let whole = time_s.max(0.0).min(u32::MAX as f64) as u64;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// The time line as lines for a terminal.
pub fn to_text(timeline: &Timeline) -> String {
    let width = clock(timeline.duration_s).len().max(4);
    let seen = (timeline.frames.iter()).map(|f| (f.time_s, "seen", format!("[{}]", f.caption)));
    let said = (timeline.segments.iter()).map(|s| (s.start_s, "said", s.text.clone()));
    let mut lines: Vec<(f64, &str, String)> = seen.chain(said).collect();
    lines.sort_by(|a, b| a.0.total_cmp(&b.0));
    let line = |(time_s, what, words): &(f64, &str, String)| {
        let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
        format!("{:>width$}  {what}  {words}\n", clock(*time_s))
    };
    lines.iter().map(line).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::speech::Word;

    pub(crate) fn segment(start_s: f64, end_s: f64, text: &str) -> Segment {
        let words: Vec<&str> = text.split_whitespace().collect();
        let step = (end_s - start_s) / words.len().max(1) as f64;
        let word = |(index, word): (usize, &&str)| Word {
            start_s: start_s + step * index as f64,
            end_s: start_s + step * (index + 1) as f64,
            word: (*word).to_owned(),
        };
        Segment {
            start_s,
            end_s,
            text: text.to_owned(),
            words: words.iter().enumerate().map(word).collect(),
        }
    }

    pub(crate) fn frame(time_s: f64, caption: &str) -> Frame {
        Frame {
            time_s,
            caption: caption.to_owned(),
            image: "data:image/png;base64,AAAA".to_owned(),
        }
    }

    pub(crate) fn timeline() -> Timeline {
        Timeline {
            source: "clip.mp4".into(),
            duration_s: 12.0,
            segments: vec![
                segment(0.2, 0.8, "Hello."),
                segment(1.5, 3.5, "First a penguin."),
                segment(5.9, 7.9, "Then a rocket."),
                segment(8.0, 9.0, "It flies."),
            ],
            frames: vec![
                frame(1.0, "penguin"),
                frame(6.0, "rocket"),
                frame(11.0, "owl"),
            ],
        }
    }

    #[test]
    fn every_segment_is_in_one_scene() {
        let timeline = timeline();
        let scenes = timeline.scenes();
        let counts: Vec<usize> = scenes.iter().map(|scene| scene.segments.len()).collect();
        assert_eq!(counts, [1, 1, 2, 0]);
        assert!(scenes[0].frame.is_none() && scenes[0].end_s == 1.0);
        assert_eq!(scenes[3].end_s, 12.0);
    }

    #[test]
    fn without_frames_or_speech_there_is_what_is_left() {
        let mut timeline = timeline();
        timeline.frames.clear();
        assert_eq!(timeline.scenes().len(), 1);
        assert_eq!(timeline.scenes()[0].segments.len(), 4);
        timeline.segments.clear();
        assert!(timeline.scenes().is_empty());
    }

    #[test]
    fn the_text_is_a_line_for_each_thing() {
        let text = to_text(&timeline());
        assert!(
            text.starts_with("0:00  said  Hello.\n0:01  seen  [penguin]\n"),
            "{text}"
        );
        assert_eq!(text.lines().count(), 7);
    }

    #[test]
    fn clocks_read_as_people_write_them() {
        assert_eq!(clock(3.9), "0:03");
        assert_eq!(clock(123.0), "2:03");
        assert_eq!(clock(3723.5), "1:02:03");
        assert_eq!(clock(-1.0), "0:00");
        assert_eq!(clock(f64::NAN), "0:00");
    }
}
