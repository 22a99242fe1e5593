//! Training samples of a video: pictures, and the words spoken around them.

use avocet_data::{Content, Sample, SampleError};
use avocet_text::Part;
use avocet_video::speech::{Segment, Word};

/// The task that aligned samples belong to.
pub const KIND: &str = "video";

/// A chosen frame as a picture file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shot {
    /// When it is shown, in milliseconds from the start of the file.
    pub time_ms: u64,
    /// A JPEG or PNG file.
    pub image: Vec<u8>,
}

/// How much one sample may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The most pictures.
    pub max_frames: usize,
    /// The longest stretch of the video.
    pub max_ms: u64,
}

/// Cuts a video into samples: documents in which each picture stands before the words spoken while
/// it is on the screen.
///
/// A new sample begins with the picture that would make the current one hold too many pictures or
/// last too long. Words before the first picture belong to it; a stretch with pictures and no words
/// gives no sample, as nothing could be learned from it. The source says which stretch of which
/// file it is and when each picture is shown, as a media fragment: `talk.mp4#t=0.4,12.6&frames=0.4,8`.
///
/// Errors if `source` or `licence` is empty.
pub fn samples(
    (source, licence): (&str, &str),
    shots: &[Shot],
    segments: &[Segment],
    bounds: Bounds,
) -> Result<Vec<Sample>, SampleError> {
    let words = words(segments);
    let mut samples = Vec::new();
    let mut first = 0;
    let mut spoken = 0;
    while first < shots.len() {
        let fits = |shot: &&Shot| shot.time_ms - shots[first].time_ms < bounds.max_ms;
        let length = (shots[first..].iter().take(bounds.max_frames.max(1)))
            .take_while(fits)
            .count()
            .max(1);
        let end = first + length;
        let begins_ms = shots[first].time_ms;
        // What is said long after the last picture is said about something else.
        let next_ms = shots.get(end).map_or(u64::MAX, |shot| shot.time_ms);
        let until_ms = match next_ms <= shots[end - 1].time_ms.saturating_add(bounds.max_ms) {
            true => next_ms,
            false => begins_ms.saturating_add(bounds.max_ms),
        };
        let said = |until: u64| words.partition_point(|word| word.start_ms < until);
        let mut parts = Vec::new();
        let mut last_ms = begins_ms;
        let from_ms = words.get(spoken).map_or(begins_ms, |word| word.start_ms);
        for index in first..end {
            parts.push(Part::Image);
            let next = shots.get(index + 1).filter(|_| index + 1 < end);
            let to = said(next.map_or(until_ms, |shot| shot.time_ms)).max(spoken);
            let said = joined(&words[spoken..to]);
            parts.extend((!said.is_empty()).then_some(Part::Text(said)));
            last_ms = (words[spoken..to].iter())
                .map(|word| word.end_ms)
                .fold(last_ms.max(shots[index].time_ms), u64::max);
            spoken = to;
        }
        let pictures = &shots[first..end];
        if parts.len() > pictures.len() {
            let images = pictures.iter().map(|shot| (shot.image.clone(), None));
            let source = fragment(source, from_ms.min(begins_ms), last_ms, pictures);
            let content = Content::Document(parts);
            samples.push(Sample::new(
                KIND,
                &source,
                licence,
                images.collect(),
                content,
            )?);
        }
        // Words between the end of a stretch and the next picture have no picture.
        spoken = said(next_ms).max(spoken);
        first = end;
    }
    Ok(samples)
}

/// A word on its way into a document.
struct Spoken<'a> {
    text: &'a str,
    start_ms: u64,
    end_ms: u64,
}

/// All words in order; a segment without words counts as one.
fn words(segments: &[Segment]) -> Vec<Spoken<'_>> {
    let mut words = Vec::new();
    let mut at_ms = 0;
    let mut push = |text, start_s, end_s| {
        // Times that go back would put a word before one that was said earlier.
        let start_ms = milliseconds(start_s).max(at_ms);
        at_ms = start_ms;
        words.push(Spoken {
            text,
            start_ms,
            end_ms: milliseconds(end_s).max(start_ms),
        });
    };
    for segment in segments {
        if segment.words.is_empty() {
            push(segment.text.trim(), segment.start_s, segment.end_s);
        }
        for Word {
            start_s,
            end_s,
            word,
        } in &segment.words
        {
            push(word.trim(), *start_s, *end_s);
        }
    }
    words.retain(|word| !word.text.is_empty());
    words
}

/// Words with spaces between them.
fn joined(words: &[Spoken<'_>]) -> String {
    let words: Vec<&str> = words.iter().map(|word| word.text).collect();
    words.join(" ")
}

/// Seconds, without more digits than they need.
fn shown(ms: u64) -> String {
    let text = format!("{}.{:03}", ms / 1000, ms % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn fragment(source: &str, from_ms: u64, to_ms: u64, pictures: &[Shot]) -> String {
    let frames: Vec<String> = pictures.iter().map(|shot| shown(shot.time_ms)).collect();
    let (from, to) = (shown(from_ms), shown(to_ms));
    format!("{source}#t={from},{to}&frames={}", frames.join(","))
}

fn milliseconds(time_s: f64) -> u64 {
    (time_s.max(0.0) * 1000.0).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: (&str, &str) = ("talk.mp4", "CC-BY-4.0");
    const BOUNDS: Bounds = Bounds {
        max_frames: 8,
        max_ms: 60_000,
    };

    fn segment(start_s: f64, end_s: f64, text: &str) -> Segment {
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

    fn shots(times_s: &[f64]) -> Vec<Shot> {
        (times_s.iter().enumerate())
            .map(|(index, time_s)| Shot {
                time_ms: milliseconds(*time_s),
                image: vec![0xff, 0xd8, index as u8],
            })
            .collect()
    }

    fn texts(samples: &[Sample]) -> Vec<String> {
        samples.iter().map(Sample::text).collect()
    }

    #[test]
    fn a_picture_stands_before_the_words_spoken_while_it_is_shown() {
        let segments = [
            segment(0.0, 0.9, "Good morning."),
            segment(2.0, 6.0, "One two three four"),
        ];
        let made = samples(FROM, &shots(&[1.0, 4.0]), &segments, BOUNDS).unwrap();
        assert_eq!(
            texts(&made),
            ["<image>Good morning. One two<image>three four"]
        );
        assert_eq!(made[0].images.len(), 2);
        assert_eq!(made[0].source, "talk.mp4#t=0,6&frames=1,4");
        assert_eq!(made[0].licence, "CC-BY-4.0");
    }

    #[test]
    fn samples_are_bounded_in_pictures_and_time_and_lose_no_word_between() {
        let segments: Vec<Segment> = (0..40)
            .map(|n| segment(f64::from(n), f64::from(n) + 0.9, &format!("w{n}")))
            .collect();
        let times: Vec<f64> = (0..20).map(|n| f64::from(n) * 2.0).collect();
        let bounds = Bounds {
            max_frames: 6,
            max_ms: 9_000,
        };
        let made = samples(FROM, &shots(&times), &segments, bounds).unwrap();
        assert_eq!(made.iter().map(|sample| sample.images.len()).max(), Some(5));
        let all = texts(&made).join("");
        for n in 0..39 {
            assert!(all.contains(&format!("w{n}")), "w{n}: {all}");
        }
    }

    #[test]
    fn what_is_said_long_after_a_picture_is_left_out() {
        let segments = [segment(1.0, 2.0, "near"), segment(70.0, 71.0, "far")];
        let made = samples(FROM, &shots(&[0.5]), &segments, BOUNDS).unwrap();
        assert_eq!(texts(&made), ["<image>near"]);
    }

    #[test]
    fn silence_teaches_nothing_and_speech_without_pictures_is_no_aligned_sample() {
        assert!(
            samples(FROM, &shots(&[0.5, 3.0]), &[], BOUNDS)
                .unwrap()
                .is_empty()
        );
        let said = [segment(1.0, 2.0, "alone")];
        assert!(samples(FROM, &[], &said, BOUNDS).unwrap().is_empty());
    }

    #[test]
    fn spoken_markers_are_no_pictures_and_times_never_go_back() {
        let mut odd = segment(3.0, 5.0, "say <image> now");
        odd.words[2].start_s = 0.0;
        let made = samples(FROM, &shots(&[0.5]), &[odd], BOUNDS).unwrap();
        assert_eq!(texts(&made), ["<image>say <image> now"]);
        assert_eq!((made[0].images.len(), made[0].id.len()), (1, 32));
    }
}
