//! What one pass of Whisper over its window gave: tokens with times, parted where it heard a part.

use avocet_media::speech::HeardSegment;
use whisper_rs::WhisperState;

use crate::words::{Token, words};

/// Times of tokens count hundredths of a second.
const TICKS_PER_S: f64 = 100.0;
/// A token that stands for a time counts fiftieths.
const MARKS_PER_S: f64 = 50.0;

/// Which tokens are text, and which are times.
#[derive(Debug, Clone, Copy)]
pub(super) struct Vocabulary {
    /// All tokens before this one are text.
    pub end_of_text: i32,
    /// This one stands for the start of the window, those behind it for later times.
    pub start_of_window: i32,
}

/// What was heard in a pass.
#[derive(Debug, Default)]
pub(super) struct Pass {
    pub segments: Vec<HeardSegment>,
    /// Where there is more to hear, in seconds of the pass; none if it heard all.
    pub rest_s: Option<f64>,
}

/// The text between two times.
#[derive(Default)]
struct Part {
    tokens: Vec<Token>,
    log_probability: f32,
}

impl Pass {
    /// Reads what the state heard in `duration_s` of sound that began at `from_s` of the window.
    pub fn of(
        state: &WhisperState,
        vocabulary: Vocabulary,
        language: &str,
        (from_s, duration_s): (f64, f64),
    ) -> Self {
        let mut pass = Self::default();
        // Whisper says where a token has ended; the next begins there.
        let mut now_s = 0.0f64;
        for segment in state.as_iter() {
            let mut part = Part::default();
            let no_speech = segment.no_speech_probability();
            // The times that stand behind all text so far.
            let mut marks = Vec::new();
            for index in 0..segment.n_tokens() {
                let Some(token) = segment.get_token(index) else {
                    break;
                };
                let id = token.token_id();
                if id >= vocabulary.start_of_window {
                    marks.push(f64::from(id - vocabulary.start_of_window) / MARKS_PER_S);
                    pass.add(&mut part, language, no_speech, from_s);
                } else if id < vocabulary.end_of_text {
                    marks.clear();
                    let data = token.token_data();
                    let end_s = data.t_dtw as f64 / TICKS_PER_S;
                    let start_s = now_s;
                    now_s = end_s.clamp(now_s, duration_s);
                    part.log_probability += data.plog;
                    part.tokens.push(Token {
                        bytes: token.to_bytes().unwrap_or_default().to_vec(),
                        start_s: from_s + start_s,
                        end_s: from_s + now_s,
                    });
                }
            }
            pass.add(&mut part, language, no_speech, from_s);
            // One time says where the last part ended; a second, that another began there.
            pass.rest_s = marks.get(1).copied();
        }
        pass
    }

    /// Adds a part that has ended.
    fn add(&mut self, part: &mut Part, language: &str, no_speech: f32, from_s: f64) {
        let Part {
            tokens,
            log_probability,
        } = std::mem::take(part);
        if tokens.is_empty() {
            return;
        }
        let bytes: Vec<u8> = tokens.iter().flat_map(|t| t.bytes.clone()).collect();
        self.segments.push(HeardSegment {
            start_s: tokens.first().map_or(from_s, |token| token.start_s),
            end_s: tokens.last().map_or(from_s, |token| token.end_s),
            text: String::from_utf8_lossy(&bytes).trim().to_owned(),
            words: words(&tokens, language),
            no_speech,
            log_probability: log_probability / tokens.len() as f32,
        });
    }
}
