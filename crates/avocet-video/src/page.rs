//! One page that shows the time line: pictures, captions, words, and the video if it lies beside.
//!
//! The page is one file that asks no network for anything (`avocet_report`).

use avocet_report::Page;
use serde::Serialize;

use crate::speech::Segment;
use crate::timeline::{Scene, Timeline, clock};

const TEMPLATE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");

/// Marks on the axis, at most.
const MOST_TICKS: usize = 8;
/// Distances of the marks, in seconds.
const TICKS_S: [f64; 14] = [
    1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0,
];

/// What the page says beside the time line.
#[derive(Debug, Clone, Default)]
pub struct About {
    /// Its heading.
    pub title: String,
    /// Where the video lies, seen from the page; none if it cannot be reached from there.
    pub video: Option<String>,
    /// The language spoken, such as `en`, if known.
    pub language: Option<String>,
    /// What was used to make it, and what that means; a paragraph each.
    pub notes: Vec<String>,
}

#[derive(Serialize)]
struct Body<'a> {
    title: &'a str,
    facts: String,
    duration_s: f64,
    cover: Option<&'a str>,
    video: Option<&'a str>,
    scenes: Vec<Card<'a>>,
    bars: Vec<Bar<'a>>,
    ticks: Vec<String>,
    notes: &'a [String],
}

#[derive(Serialize)]
struct Card<'a> {
    start_s: f64,
    end_s: f64,
    clock: String,
    image: Option<&'a str>,
    caption: &'a str,
    lines: Vec<Line<'a>>,
}

#[derive(Serialize)]
struct Line<'a> {
    number: usize,
    start_s: f64,
    end_s: f64,
    clock: String,
    /// Whether the card's own time says it already.
    at_start: bool,
    pieces: Vec<Piece<'a>>,
}

#[derive(Serialize)]
struct Bar<'a> {
    start_s: f64,
    clock: String,
    text: &'a str,
}

/// A word with its time, or what stands between two of them.
#[derive(Debug, PartialEq, Serialize)]
struct Piece<'a> {
    text: &'a str,
    start_s: Option<f64>,
    end_s: Option<f64>,
}

/// The page of a time line whose images are data URIs.
pub fn to_html(timeline: &Timeline, about: &About) -> String {
    let scenes = timeline.scenes();
    let duration_s = length(timeline);
    let mut number = 0;
    let cards = scenes.iter().map(|scene| {
        let lines = scene.segments.iter().map(|segment| {
            number += 1;
            line(number, segment, scene)
        });
        Card {
            start_s: seconds(scene.start_s),
            end_s: seconds(scene.end_s),
            clock: clock(scene.start_s),
            image: scene.frame.map(|frame| frame.image.as_str()),
            caption: scene.frame.map_or("", |frame| frame.caption.trim()),
            lines: lines.collect(),
        }
    });
    let bar = |segment: &'_ Segment| (seconds(segment.start_s), clock(segment.start_s));
    let body = Body {
        scenes: cards.collect(),
        bars: (timeline.segments.iter())
            .map(|segment| {
                let (start_s, clock) = bar(segment);
                let text = segment.text.trim();
                Bar {
                    start_s,
                    clock,
                    text,
                }
            })
            .collect(),
        ticks: ticks(duration_s).map(clock).collect(),
        title: &about.title,
        facts: facts(timeline),
        duration_s,
        cover: timeline.frames.first().map(|frame| frame.image.as_str()),
        video: about.video.as_deref(),
        notes: &about.notes,
    };
    let page = Page {
        title: &about.title,
        language: about.language.as_deref(),
        style: &format!("{STYLE}{}", positions(timeline, &scenes, duration_s)),
        script: Some(SCRIPT),
        plays_media: about.video.is_some(),
    };
    page.render(TEMPLATE, &body)
}

/// A path as an address relative to the page: what has a meaning in addresses is escaped.
pub fn address(path: &str) -> String {
    let mut address = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' => {
                address.push(char::from(byte));
            }
            _ => address.push_str(&format!("%{byte:02X}")),
        }
    }
    address
}

/// The length that everything fits into.
fn length(timeline: &Timeline) -> f64 {
    let ends = timeline.segments.iter().map(|segment| segment.end_s);
    let frames = timeline.frames.iter().map(|frame| frame.time_s);
    let last = ends.chain(frames).fold(0.0, f64::max);
    seconds(timeline.duration_s.max(last).max(0.1))
}

fn facts(timeline: &Timeline) -> String {
    let words: usize = (timeline.segments.iter())
        .map(|segment| {
            segment
                .words
                .len()
                .max(segment.text.split_whitespace().count())
        })
        .sum();
    let many = |count: usize, one: &str| match count {
        1 => format!("1 {one}"),
        _ => format!("{count} {one}s"),
    };
    let mut facts = vec![clock(timeline.duration_s)];
    facts.push(many(timeline.frames.len(), "picture"));
    facts.push(match words {
        0 => "nothing is said".to_owned(),
        _ => many(words, "spoken word"),
    });
    facts.join(" · ")
}

fn line<'a>(number: usize, segment: &'a Segment, scene: &Scene<'_>) -> Line<'a> {
    Line {
        number,
        start_s: seconds(segment.start_s),
        end_s: seconds(segment.end_s),
        clock: clock(segment.start_s),
        at_start: segment.start_s < scene.start_s || clock(segment.start_s) == clock(scene.start_s),
        pieces: pieces(segment),
    }
}

/// The text of a segment with its words marked; what is between them stays as it is.
fn pieces(segment: &Segment) -> Vec<Piece<'_>> {
    let plain = |text| Piece {
        text,
        start_s: None,
        end_s: None,
    };
    let mut pieces = Vec::new();
    let mut rest = segment.text.trim();
    for word in &segment.words {
        let spoken = word.word.trim();
        let Some(at) = rest.find(spoken).filter(|_| !spoken.is_empty()) else {
            continue;
        };
        if at > 0 {
            pieces.push(plain(&rest[..at]));
        }
        pieces.push(Piece {
            text: &rest[at..at + spoken.len()],
            start_s: Some(seconds(word.start_s)),
            end_s: Some(seconds(word.end_s)),
        });
        rest = &rest[at + spoken.len()..];
    }
    if !rest.is_empty() {
        pieces.push(plain(rest));
    }
    pieces
}

/// Where everything stands on the time line; the policy allows no style at the element itself.
fn positions(timeline: &Timeline, scenes: &[Scene<'_>], duration_s: f64) -> String {
    let percent = |time_s: f64| (time_s / duration_s * 100.0).clamp(0.0, 100.0);
    let mut rules = String::new();
    let mut place = |name: &str, index: usize, start_s: f64, end_s: f64| {
        let (left, right) = (percent(start_s), percent(end_s));
        let width = (right - left).max(0.0);
        let index = index + 1;
        rules.push_str(&format!(
            "#{name}{index}{{left:{left:.3}%;width:{width:.3}%}}\n"
        ));
    };
    for (index, scene) in scenes.iter().enumerate() {
        place("s", index, scene.start_s, scene.end_s);
    }
    for (index, segment) in timeline.segments.iter().enumerate() {
        place("b", index, segment.start_s, segment.end_s);
    }
    for (index, tick) in ticks(duration_s).enumerate() {
        rules.push_str(&format!("#k{}{{left:{:.3}%}}\n", index + 1, percent(tick)));
    }
    rules
}

/// Round times from 0 on, few enough to be read.
fn ticks(duration_s: f64) -> impl Iterator<Item = f64> {
    let fits = |step: &&f64| duration_s / **step <= MOST_TICKS as f64;
    let step = TICKS_S.iter().find(fits).copied();
    let step = step.unwrap_or_else(|| (duration_s / MOST_TICKS as f64 / 3600.0).ceil() * 3600.0);
    // The last mark stays clear of the right edge.
    (0..=MOST_TICKS)
        .map(move |index| index as f64 * step)
        .take_while(move |tick| *tick <= duration_s * 0.97)
}

/// Milliseconds are fine enough for a page.
fn seconds(time_s: f64) -> f64 {
    (time_s * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::tests::{frame, segment, timeline};

    fn about() -> About {
        About {
            title: "clip.mp4".into(),
            video: Some("clip.mp4".into()),
            language: None,
            notes: vec!["Made with mini.".into()],
        }
    }

    #[test]
    fn everything_is_on_the_page() {
        let page = to_html(&timeline(), &about());
        for text in [
            "penguin",
            "rocket",
            "owl",
            "Made with mini.",
            "0:12 · 3 pictures · 9 spoken words",
        ] {
            assert!(page.contains(text), "{text}: {page}");
        }
        assert_eq!(page.matches("<li class=\"card").count(), 4);
        assert_eq!(page.matches("class=\"words\"").count(), 4);
        assert_eq!(page.matches("class=\"bar\"").count(), 4);
    }

    #[test]
    fn hostile_words_and_names_write_no_markup() {
        let evil = "\"><script>alert(1)</script><img src=x onerror=alert(2)>'";
        let mut hostile = timeline();
        hostile.frames[0] = frame(1.0, evil);
        hostile.segments[1] = segment(1.5, 3.5, evil);
        let about = About {
            title: evil.into(),
            video: Some(address(evil)),
            language: Some(evil.into()),
            notes: vec![evil.into()],
        };
        let page = to_html(&hostile, &about);
        assert_eq!(page.matches("<script").count(), 1, "{page}");
        assert!(!page.contains("<img src=x") && page.contains("&lt;script&gt;"));
        // Nothing breaks out of an attribute either.
        assert!(!page.contains(evil) && !page.contains("\"\"><") && !page.contains("=\"\">"));
    }

    #[test]
    fn pieces_laid_side_by_side_are_the_text() {
        let mut odd = segment(0.0, 2.0, "  He said: \"Yes — no\", twice. ");
        odd.words.remove(2);
        odd.words[0].word = " elsewhere".into();
        let joined: String = pieces(&odd).iter().map(|piece| piece.text).collect();
        assert_eq!(joined, odd.text.trim());
        let timed = pieces(&odd)
            .iter()
            .filter(|piece| piece.start_s.is_some())
            .count();
        assert_eq!(timed, 4);
    }

    #[test]
    fn marks_are_round_and_few() {
        for (duration_s, expected) in [(0.1, 1), (8.7, 5), (19.9, 4), (3600.0, 6), (1e6, 8)] {
            let ticks: Vec<f64> = ticks(duration_s).collect();
            assert_eq!(ticks.len(), expected, "{duration_s}: {ticks:?}");
        }
    }

    #[test]
    fn addresses_keep_folders_and_escape_the_rest() {
        assert_eq!(address("../a b/ü#?.mp4"), "../a%20b/%C3%BC%23%3F.mp4");
        assert_eq!(address("javascript:x"), "javascript%3Ax");
    }
}
