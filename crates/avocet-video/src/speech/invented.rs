//! Text that nobody said: what Whisper writes where it hears no words.

use std::io::Write;

use avocet_media::speech::HeardSegment;
use flate2::Compression;
use flate2::write::ZlibEncoder;

/// Nobody speaks if the model is this sure of it,
const SILENT: f32 = 0.6;
/// and this unsure of its words.
const UNSURE: f32 = -1.0;
/// Text that shrinks to less than its length over this goes round in circles.
const REPEATED: f64 = 2.4;

/// Whether a segment is no speech: silence that was guessed at, a loop, or a note such as
/// `[Music]`.
pub(crate) fn is_invented(segment: &HeardSegment) -> bool {
    let is_silence = segment.no_speech > SILENT && segment.log_probability < UNSURE;
    is_silence || is_note(&segment.text) || repetition(&segment.text) > REPEATED
}

/// Whether the text says nothing, or only what the sound is like: in brackets, between stars or
/// with notes.
fn is_note(text: &str) -> bool {
    let text = text.trim().trim_end_matches('.');
    let pairs = [('[', ']'), ('(', ')'), ('*', '*'), ('♪', '♪')];
    let is_enclosed = pairs.iter().any(|&(open, close)| {
        text.strip_prefix(open)
            .and_then(|rest| rest.strip_suffix(close))
            .is_some_and(|inner| !inner.contains([open, close]))
    });
    is_enclosed || !text.chars().any(char::is_alphanumeric)
}

/// How many times shorter the text becomes when repetition is taken out.
fn repetition(text: &str) -> f64 {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    // Writing to memory does not fail.
    let written = encoder.write_all(text.as_bytes());
    match written.and_then(|()| encoder.finish()) {
        Ok(short) => text.len() as f64 / short.len().max(1) as f64,
        Err(_) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(text: &str, no_speech: f32, log_probability: f32) -> HeardSegment {
        HeardSegment {
            start_s: 0.0,
            end_s: 1.0,
            text: text.into(),
            words: vec![],
            no_speech,
            log_probability,
        }
    }

    #[test]
    fn speech_is_kept() {
        let long = "He was not an ill-disposed young man, unless to be rather cold-hearted and \
                    rather selfish is to be ill-disposed.";
        for text in [
            long,
            "Yes.",
            "No, no, no.",
            "(He) said [so] twice.",
            "日本語です。",
        ] {
            assert!(!is_invented(&segment(text, 0.1, -0.3)), "{text}");
        }
        assert!(!is_invented(&segment("Quiet.", 0.9, -0.2)));
        assert!(!is_invented(&segment("Mumbled.", 0.1, -1.5)));
    }

    #[test]
    fn silence_notes_and_loops_are_left_out() {
        assert!(is_invented(&segment("Thank you.", 0.9, -1.2)));
        for text in [
            "[Music]",
            "(applause)",
            "*sighs*",
            "♪ ♪",
            "...",
            "",
            "[BLANK_AUDIO].",
        ] {
            assert!(is_invented(&segment(text, 0.1, -0.3)), "{text}");
        }
        let loop_ = "and then I went to the shop ".repeat(8);
        assert!(is_invented(&segment(&loop_, 0.1, -0.2)));
    }
}
