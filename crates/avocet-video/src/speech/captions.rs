//! Words become captions: at most two lines of 42 columns, shown long enough to be read, one after
//! another.

use super::transcript::{PAUSE_S, Segment, Transcript, Word};
use crate::subtitles::Cue;

/// Columns of a line.
const COLUMNS: usize = 42;
/// Lines of a caption.
const LINES: usize = 2;
/// A caption is shown no longer than its words take, unless that is shorter than this.
const SHORTEST_S: f64 = 0.8;
/// A sentence that ends starts a new caption if the present one is shown this long.
const SENTENCE_S: f64 = 2.0;
/// No caption takes longer than this to say.
const LONGEST_S: f64 = 7.0;

/// The captions of a transcript whose times are in order; they never overlap.
pub fn captions(transcript: &Transcript) -> Vec<Cue> {
    let mut captions: Vec<Cue> = transcript.segments.iter().flat_map(of_segment).collect();
    let starts: Vec<f64> = captions.iter().map(|caption| caption.start_s).collect();
    for (index, caption) in captions.iter_mut().enumerate() {
        let free_until = starts.get(index + 1).copied();
        let free_until = free_until.unwrap_or(f64::INFINITY);
        let wanted = caption.end_s.max(caption.start_s + SHORTEST_S);
        caption.end_s = wanted.min(free_until).max(caption.start_s);
    }
    captions
}

/// A word and the text from there to the next.
struct Spelled<'a> {
    word: Word,
    /// The word with the spaces behind it, as in the segment.
    text: &'a str,
}

fn of_segment(segment: &Segment) -> Vec<Cue> {
    let mut captions = Vec::new();
    let mut present: Vec<Spelled> = Vec::new();
    for spelled in spelled(segment) {
        if let (Some(first), Some(last)) = (present.first(), present.last()) {
            let said_s = last.word.end_s - first.word.start_s;
            let pauses = spelled.word.start_s - last.word.end_s >= PAUSE_S;
            let sentence = last.word.word.ends_with(['.', '!', '?', '。', '！', '？']);
            let is_over = pauses
                || (sentence && said_s > SENTENCE_S)
                || spelled.word.end_s - first.word.start_s > LONGEST_S;
            let texts: Vec<&str> = present
                .iter()
                .map(|s| s.text)
                .chain([spelled.text])
                .collect();
            if is_over || wrap(&texts).len() > LINES {
                captions.push(caption(&present));
                present.clear();
            }
        }
        present.push(spelled);
    }
    if !present.is_empty() {
        captions.push(caption(&present));
    }
    captions
}

fn caption(words: &[Spelled]) -> Cue {
    let texts: Vec<&str> = words.iter().map(|spelled| spelled.text).collect();
    let (first, last) = (&words[0].word, &words[words.len() - 1].word);
    Cue {
        start_s: first.start_s,
        end_s: last.end_s,
        seen: None,
        lines: balanced(&texts),
    }
}

/// The words of a segment with the spaces between them, which not every script has.
fn spelled(segment: &Segment) -> Vec<Spelled<'_>> {
    let text = segment.text.as_str();
    let mut starts = Vec::new();
    let mut from = 0;
    for word in &segment.words {
        let found = text[from..].find(&word.word).map(|at| from + at);
        let Some(at) = found.filter(|_| !word.word.is_empty()) else {
            continue;
        };
        starts.push((at, word));
        from = at + word.word.len();
    }
    if starts.is_empty() {
        let whole = Word {
            start_s: segment.start_s,
            end_s: segment.end_s,
            word: text.to_owned(),
        };
        return vec![Spelled { word: whole, text }];
    }
    // What stands before the first word, such as an opening quote, belongs to it.
    starts[0].0 = 0;
    let ends = starts.iter().skip(1).map(|(at, _)| *at).chain([text.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|((at, word), end)| Spelled {
            word: (*word).clone(),
            text: &text[*at..end],
        })
        .collect()
}

/// Lines that are filled one after another; a word longer than a line has one to itself.
fn wrap(words: &[&str]) -> Vec<String> {
    wrap_at(words, COLUMNS)
}

fn wrap_at(words: &[&str], columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        let fits = lines
            .last()
            .is_some_and(|line| width(line) + width(word.trim_end()) <= columns);
        match lines.last_mut() {
            Some(line) if fits => line.push_str(word),
            _ => lines.push((*word).to_owned()),
        }
    }
    for line in &mut lines {
        *line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    lines
}

/// As few lines, as even as possible.
fn balanced(words: &[&str]) -> Vec<String> {
    let lines = wrap(words);
    if lines.len() < 2 {
        return lines;
    }
    let longest = words.iter().map(|word| width(word.trim_end())).max();
    let narrow = longest.unwrap_or(0).max(1)..COLUMNS;
    narrow
        .map(|columns| wrap_at(words, columns))
        .find(|narrower| narrower.len() <= lines.len())
        .unwrap_or(lines)
}

/// Columns of a text: the letters of East Asia are two wide.
fn width(text: &str) -> usize {
    text.chars()
        .map(|letter| match letter {
            '\u{1100}'..='\u{115F}'
            | '\u{2E80}'..='\u{A4CF}'
            | '\u{AC00}'..='\u{D7A3}'
            | '\u{F900}'..='\u{FAFF}'
            | '\u{FE30}'..='\u{FE4F}'
            | '\u{FF00}'..='\u{FF60}'
            | '\u{FFE0}'..='\u{FFE6}'
            | '\u{1F300}'..='\u{1FAFF}'
            | '\u{20000}'..='\u{3FFFD}' => 2,
            _ => 1,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transcript(texts: &[&str], word_s: f64) -> Transcript {
        let mut at = 0.0;
        let segments = texts
            .iter()
            .map(|text| {
                let start_s = at;
                let words: Vec<Word> = text
                    .split_whitespace()
                    .map(|word| {
                        at += word_s;
                        Word {
                            start_s: at - word_s,
                            end_s: at,
                            word: word.into(),
                        }
                    })
                    .collect();
                Segment {
                    start_s,
                    end_s: at,
                    text: (*text).into(),
                    words,
                }
            })
            .collect();
        Transcript {
            source: "x".into(),
            duration_s: at,
            language: None,
            nothing: None,
            model: "tiny.en".into(),
            segments,
        }
    }

    #[test]
    fn captions_have_every_word_in_order_within_two_lines_that_never_overlap() {
        let long = "It was the best of times, it was the worst of times. It was the age of wisdom, \
                    it was the age of foolishness, it was the epoch of belief, it was the season.";
        let transcript = transcript(&[long, "Yes.", long], 0.3);
        let captions = captions(&transcript);
        let words = |text: &str| {
            text.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let all: String = captions.iter().map(|c| c.lines.join(" ") + " ").collect();
        assert_eq!(words(&all), words(&format!("{long} Yes. {long}")));
        for caption in &captions {
            assert!((1..=LINES).contains(&caption.lines.len()), "{caption:?}");
            assert!(
                caption
                    .lines
                    .iter()
                    .all(|line| line.chars().count() <= COLUMNS)
            );
            assert!(caption.end_s > caption.start_s && caption.end_s - caption.start_s < 8.0);
        }
        assert!(
            captions
                .windows(2)
                .all(|two| two[0].end_s <= two[1].start_s)
        );
    }

    #[test]
    fn a_short_word_stays_to_be_read() {
        let captions = captions(&transcript(&["Yes."], 0.1));
        assert_eq!(captions[0].end_s, SHORTEST_S);
    }

    #[test]
    fn lines_are_even() {
        let words: Vec<&str> = "one two three four five six seven eight nine ten"
            .split_inclusive(' ')
            .collect();
        assert_eq!(
            balanced(&words),
            ["one two three four five", "six seven eight nine ten"]
        );
    }

    #[test]
    fn a_script_without_spaces_is_broken_between_its_words() {
        let mut transcript = transcript(&["私は"], 0.5);
        let segment = &mut transcript.segments[0];
        segment.text = "私は学生です。".repeat(8);
        segment.words = (0..16)
            .map(|index| Word {
                start_s: f64::from(index) * 0.3,
                end_s: f64::from(index) * 0.3 + 0.3,
                word: if index % 2 == 0 {
                    "私は"
                } else {
                    "学生です。"
                }
                .into(),
            })
            .collect();
        let captions = captions(&transcript);
        let all: String = captions
            .iter()
            .map(|caption| caption.lines.concat())
            .collect();
        assert_eq!(all, segment_text(&transcript));
        let fits = |line: &String| width(line) <= COLUMNS && !line.contains(' ');
        assert!(
            captions
                .iter()
                .all(|caption| caption.lines.iter().all(fits))
        );
    }

    fn segment_text(transcript: &Transcript) -> String {
        transcript.segments[0].text.clone()
    }

    #[test]
    fn a_word_longer_than_a_line_keeps_its_letters() {
        let word = "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen";
        let captions = captions(&transcript(&[word], 1.0));
        assert_eq!(captions[0].lines, [word]);
    }
}
