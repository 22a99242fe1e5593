//! Long segments as sentences: a speech model may write half a minute as one piece, and a picture
//! belongs to a sentence.

use crate::speech::{Segment, Word};

/// A break between words this long ends a piece, whatever the marks say.
const PAUSE_S: f64 = 1.0;

/// The segments, cut where a sentence ends or the speaker pauses; no word is lost or changed.
pub fn sentences(segments: &[Segment]) -> Vec<Segment> {
    segments.iter().flat_map(cut).collect()
}

fn cut(segment: &Segment) -> Vec<Segment> {
    let mut pieces = Vec::new();
    let (mut first, mut text_start, mut text_end) = (0, 0, 0);
    for (index, word) in segment.words.iter().enumerate() {
        let rest = &segment.text[text_end..];
        // A word that the text lacks says that they do not belong together: nothing is cut.
        let Some(at) = rest.find(word.word.trim()) else {
            return vec![segment.clone()];
        };
        text_end += at + word.word.trim().len();
        let Some(next) = segment.words.get(index + 1) else {
            break;
        };
        if ends_a_sentence(word) || next.start_s - word.end_s >= PAUSE_S {
            let text = &segment.text[text_start..text_end];
            pieces.push(piece(text, &segment.words[first..=index]));
            (first, text_start) = (index + 1, text_end);
        }
    }
    if first == 0 {
        return vec![segment.clone()];
    }
    pieces.push(piece(&segment.text[text_start..], &segment.words[first..]));
    pieces
}

fn piece(text: &str, words: &[Word]) -> Segment {
    Segment {
        start_s: words.first().map_or(0.0, |word| word.start_s),
        end_s: words.last().map_or(0.0, |word| word.end_s),
        text: text.trim().to_owned(),
        words: words.to_vec(),
    }
}

fn ends_a_sentence(word: &Word) -> bool {
    let bare = word
        .word
        .trim_end_matches(['"', '\'', '”', '’', ')', ']', '»']);
    bare.ends_with(['.', '?', '!', '…', '。', '？', '！'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::tests::segment;

    #[test]
    fn a_long_segment_is_cut_after_sentences_and_pauses() {
        let mut long = segment(0.0, 9.0, "\"One two. Three four, five! Six seven\"");
        long.words[6].start_s = 10.5;
        long.words[6].end_s = 11.0;
        let cut = sentences(&[long.clone()]);
        let texts: Vec<&str> = cut.iter().map(|segment| segment.text.as_str()).collect();
        assert_eq!(texts, ["\"One two.", "Three four, five!", "Six", "seven\""]);
        let words: Vec<Word> = cut
            .iter()
            .flat_map(|segment| segment.words.clone())
            .collect();
        assert_eq!(words, long.words);
        assert_eq!((cut[3].start_s, cut[3].end_s), (10.5, 11.0));
    }

    #[test]
    fn what_needs_no_cut_or_cannot_be_cut_stays() {
        let short = segment(0.0, 2.0, "Hello there.");
        let mut odd = segment(3.0, 5.0, "One. Two.");
        odd.words[0].word = "elsewhere".into();
        let bare = Segment {
            words: Vec::new(),
            ..short.clone()
        };
        let all = [short, odd, bare];
        assert_eq!(sentences(&all), all);
    }
}
