//! Tokens become words: a token may be part of a word, or part of a letter.

use avocet_media::speech::HeardWord;

/// Languages that put no spaces between words; each of their letters counts as one.
const UNSPACED: [&str; 6] = ["zh", "ja", "th", "lo", "my", "yue"];

/// Punctuation that belongs to what follows it.
const OPENING: &str = "\"'“‘¿¡([{«‹„-—–#$£€「『（《【";

/// A token of text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Token {
    /// Its bytes, which need not be whole letters.
    pub bytes: Vec<u8>,
    pub start_s: f64,
    pub end_s: f64,
}

/// The words that the tokens of a segment make, in order.
pub(crate) fn words(tokens: &[Token], language: &str) -> Vec<HeardWord> {
    let is_spaced = !UNSPACED.contains(&language);
    let mut pieces: Vec<Token> = Vec::new();
    for token in tokens {
        match pieces.last_mut() {
            Some(last) if !begins_word(&last.bytes, &token.bytes, is_spaced) => {
                last.bytes.extend(&token.bytes);
                last.end_s = token.end_s;
            }
            _ => pieces.push(token.clone()),
        }
    }
    let mut words: Vec<HeardWord> = Vec::new();
    // Marks that wait for the word they stand before.
    let mut opening: Option<HeardWord> = None;
    for piece in pieces {
        let text = String::from_utf8_lossy(&piece.bytes).into_owned();
        let mut word = HeardWord {
            start_s: piece.start_s,
            end_s: piece.end_s,
            word: text,
        };
        if let Some(mark) = opening.take() {
            word.word.insert_str(0, &mark.word);
            word.start_s = mark.start_s;
        }
        let bare = word.word.trim();
        if bare.chars().any(char::is_alphanumeric) {
            words.push(word);
        } else if !bare.is_empty() && bare.chars().all(|mark| OPENING.contains(mark)) {
            opening = Some(word);
        } else {
            attach(&mut words, word);
        }
    }
    if let Some(mark) = opening {
        attach(&mut words, mark);
    }
    for word in &mut words {
        word.word = word.word.trim().to_owned();
    }
    words.retain(|word| !word.word.is_empty());
    words
}

/// Puts marks behind the last word, if there is one.
fn attach(words: &mut Vec<HeardWord>, mark: HeardWord) {
    match words.last_mut() {
        Some(last) => {
            last.word.push_str(&mark.word);
            last.end_s = mark.end_s;
        }
        None => words.push(mark),
    }
}

/// Whether `next` begins a word after `last`.
fn begins_word(last: &[u8], next: &[u8], is_spaced: bool) -> bool {
    if next.first() == Some(&b' ') {
        return true;
    }
    // A letter cut in two is finished first.
    !is_spaced
        && std::str::from_utf8(last).is_ok()
        && next.first().is_some_and(|byte| !byte.is_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(pieces: &[&[u8]]) -> Vec<Token> {
        (0u32..)
            .zip(pieces)
            .map(|(index, bytes)| Token {
                bytes: bytes.to_vec(),
                start_s: f64::from(index),
                end_s: f64::from(index) + 1.0,
            })
            .collect()
    }

    fn texts(pieces: &[&[u8]], language: &str) -> Vec<String> {
        let words = words(&tokens(pieces), language);
        assert!(words.is_sorted_by(|a, b| a.end_s <= b.start_s), "{words:?}");
        words.into_iter().map(|word| word.word).collect()
    }

    #[test]
    fn tokens_without_a_space_go_on_with_the_word() {
        let pieces: [&[u8]; 6] = [b" mis", b"ter", b" John", b" Dash", b"wood", b"."];
        assert_eq!(texts(&pieces, "en"), ["mister", "John", "Dashwood."]);
        let words = words(&tokens(&pieces), "en");
        assert_eq!((words[2].start_s, words[2].end_s), (3.0, 6.0));
    }

    #[test]
    fn a_letter_in_two_tokens_is_whole_again() {
        assert_eq!(
            texts(&[b" caf\xc3", b"\xa9", b" ol\xc3", b"\xa9"], "fr"),
            ["café", "olé"]
        );
        // 日 and 本, each cut after its first byte.
        let pieces: [&[u8]; 5] = [b"\xe6", b"\x97\xa5", b"\xe6\x9c", b"\xac", "。".as_bytes()];
        assert_eq!(texts(&pieces, "ja"), ["日", "本。"]);
    }

    #[test]
    fn marks_belong_to_their_word() {
        let pieces: [&[u8]; 8] = [
            b" \"", b"Yes", b",\"", b" -", b" he", b" said", b" ...", b" !",
        ];
        assert_eq!(texts(&pieces, "en"), ["\"Yes,\"", "- he", "said ... !"]);
        assert_eq!(texts(&[b" ..."], "en"), ["..."]);
        assert!(texts(&[b" "], "en").is_empty());
        assert!(texts(&[], "en").is_empty());
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        assert_eq!(texts(&[b" a\xff"], "en"), ["a\u{fffd}"]);
    }
}
