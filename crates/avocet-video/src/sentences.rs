//! Long segments as sentences: a speech model may write half a minute as one piece, and a picture
//! belongs to a sentence.

use crate::speech::{PAUSE_S, Segment, Word};

/// The segments, cut where a sentence ends or the speaker pauses; no word is lost or changed.
pub fn sentences(segments: &[Segment]) -> Vec<Segment> {
    let is_end = |index: usize, words: &[Word]| {
        ends_a_sentence(&words[index]) || words[index + 1].start_s - words[index].end_s >= PAUSE_S
    };
    let segments = segments.iter().cloned();
    segments.flat_map(|segment| segment.cut(is_end)).collect()
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
