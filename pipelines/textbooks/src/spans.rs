//! What can be asked for in a passage: short runs of its own words.
//!
//! Names, numbers with what they count, and things with an article, each with the sentences that a
//! question about it may need. Which of them make good questions is left to the model and to the
//! round trip; here it is enough that most are whole phrases.

use std::ops::Range;

use avocet_text::MONTHS;

use crate::passages::{ends_a_sentence, words};
use crate::words::{STOP_WORDS, is_section};

/// Abbreviations that end no sentence.
const ABBREVIATIONS: &[&str] = &[
    "mr.", "mrs.", "ms.", "dr.", "st.", "vs.", "e.g.", "i.e.", "etc.", "no.",
];
/// What a thing's name begins with.
const ARTICLES: &[&str] = &[
    "a", "an", "the", "his", "her", "its", "their", "our", "my", "your", "this", "every",
];
/// Words inside names, such as `Duke of York`.
const OF_NAMES: &[&str] = &["of", "de", "von", "van"];
/// Numbers as words.
const NUMBERS: &[&str] = &[
    "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "twenty", "thirty", "forty", "fifty", "sixty", "hundred", "thousand", "million", "both",
];
/// What stands before the name of a place.
const BEFORE_PLACES: &[&str] = &["in", "at", "from", "to", "near", "into"];
/// The longest phrase, in words.
const MOST_WORDS: usize = 6;
/// Sentences before the phrase's own are shown until there are so many words.
const ENOUGH_WORDS: usize = 12;

/// A phrase of a passage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    /// The phrase, without punctuation around it.
    pub text: String,
    /// Its sentence, and those before that make it understood.
    pub around: String,
    /// What it seems to be.
    pub kind: Kind,
}

/// What a phrase seems to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Of a person or a work.
    Name,
    /// A name behind a word such as "in".
    Place,
    /// A year, a month, or a date.
    Time,
    /// A number, with or without what it counts.
    Amount,
    /// Something with an article.
    Thing,
}

/// A word: its text, the letters without punctuation, and whether a phrase ends with it.
struct Word<'a> {
    bare: &'a str,
    start: usize,
    ends: bool,
    begins: bool,
}

/// All phrases of `passage`, in their order, none of them twice.
pub(crate) fn spans(passage: &str) -> Vec<Span> {
    let sentences = sentences(passage);
    let mut found: Vec<Span> = Vec::new();
    for (index, sentence) in sentences.iter().enumerate() {
        let words = bare_words(&passage[sentence.clone()]);
        let around = around(passage, &sentences, index);
        let mut at = 0;
        while at < words.len() {
            let phrase = phrase(&words, at);
            if let Some((kind, end)) = phrase {
                let last = &words[end - 1];
                let place = words[at].start..last.start + last.bare.len();
                let text = passage[sentence.clone()][place].to_owned();
                if found.iter().all(|known| known.text != text) {
                    let around = around.clone();
                    found.push(Span { text, around, kind });
                }
            }
            at = phrase.map_or(at + 1, |(_, end)| end);
        }
    }
    found
}

/// What phrase begins with the word at `at`, if one does, and where it ends.
fn phrase(words: &[Word<'_>], at: usize) -> Option<(Kind, usize)> {
    let word = &words[at];
    // The first word of a sentence has a capital whatever it is.
    let alone = !word.begins || !word.ends && words.get(at + 1).is_some_and(is_name);
    let before = at.checked_sub(1).map(|before| &words[before]);
    let (kind, end) = if let Some(end) = time(words, at) {
        (Kind::Time, end)
    } else if is_name(word) && alone {
        let behind = |before: &Word<'_>| {
            !before.ends && BEFORE_PLACES.contains(&before.bare.to_lowercase().as_str())
        };
        match before.is_some_and(behind) {
            true => (Kind::Place, name(words, at)),
            false => (Kind::Name, name(words, at)),
        }
    } else if is_amount(word.bare) {
        (Kind::Amount, thing(words, at, 2)?)
    } else if ARTICLES.contains(&word.bare.to_lowercase().as_str()) && !word.ends {
        let end = thing(words, at, 3)?;
        // A verb has slipped in, or the thing goes on behind.
        let inner = &words[at + 1..end];
        let whole = inner.iter().all(|word| !looks_like_a_verb(word.bare));
        if inner.is_empty() || !whole {
            return None;
        }
        (Kind::Thing, end)
    } else {
        return None;
    };
    (end - at <= MOST_WORDS).then_some((kind, end))
}

/// The end of a date, if one begins here: a day, month and year, or what there is of them.
fn time(words: &[Word<'_>], at: usize) -> Option<usize> {
    let goes_on = |end: usize| end < words.len() && !words[end - 1].ends;
    let is_month = |at: usize| MONTHS.contains(&words[at].bare);
    let number = |at: usize| words[at].bare.parse::<u32>().ok();
    let year = |at: usize| number(at).filter(|year| (1000..2100).contains(year));
    let day = number(at).is_some_and(|day| (1..=31).contains(&day));
    let mut end = at;
    if day && goes_on(at + 1) && is_month(at + 1) {
        end = at + 2;
    } else if is_month(at) {
        end = at + 1;
    }
    if end == at {
        return year(at).map(|_| at + 1);
    }
    match goes_on(end) {
        true if year(end).is_some() => Some(end + 1),
        // April Hill is somebody's name.
        true if !day && is_name(&words[end]) => None,
        _ => Some(end),
    }
}

/// The end of a name: words with capitals, and `of` between them.
fn name(words: &[Word<'_>], at: usize) -> usize {
    let mut end = at + 1;
    while end < words.len() && !words[end - 1].ends {
        if is_name(&words[end]) {
            end += 1;
        } else if OF_NAMES.contains(&words[end].bare)
            && !words[end].ends
            && words.get(end + 1).is_some_and(is_name)
        {
            end += 2;
        } else {
            break;
        }
    }
    end
}

/// The end of a thing: at most `most` words with a meaning behind the first, up to a word without
/// one or a sign. None if it goes on.
fn thing(words: &[Word<'_>], at: usize, most: usize) -> Option<usize> {
    let mut end = at + 1;
    while end < words.len() && !words[end - 1].ends {
        let low = words[end].bare.to_lowercase();
        if STOP_WORDS.contains(&low.as_str()) {
            break;
        }
        end += 1;
    }
    (end - at - 1 <= most).then_some(end)
}

fn is_name(word: &Word<'_>) -> bool {
    let mut letters = word.bare.chars();
    let capital = letters.next().is_some_and(char::is_uppercase);
    let low = word.bare.to_lowercase();
    capital && letters.next().is_some() && !STOP_WORDS.contains(&low.as_str())
}

fn is_amount(bare: &str) -> bool {
    bare.starts_with(|letter: char| letter.is_ascii_digit()) && !is_section(bare)
        || NUMBERS.contains(&bare.to_lowercase().as_str())
}

fn looks_like_a_verb(bare: &str) -> bool {
    ["ed", "ly", "ing"]
        .iter()
        .any(|ending| bare.ends_with(ending))
}

/// The words of a sentence without the signs around them.
fn bare_words(sentence: &str) -> Vec<Word<'_>> {
    let mut begins = true;
    let mut all = Vec::new();
    for (start, word) in words(sentence) {
        let front = word.trim_start_matches(|letter: char| !letter.is_alphanumeric());
        let bare = front.trim_end_matches(|letter: char| !letter.is_alphanumeric());
        if bare.is_empty() {
            // A dash between words ends a phrase.
            if let Some(last) = all.last_mut() {
                let last: &mut Word<'_> = last;
                last.ends = true;
            }
            continue;
        }
        let before = word.len() - front.len();
        if before > 0
            && let Some(last) = all.last_mut()
        {
            let last: &mut Word<'_> = last;
            last.ends = true;
        }
        let abbreviated = is_abbreviation(front);
        all.push(Word {
            bare,
            start: start + before,
            ends: front.len() > bare.len() && !abbreviated || bare.contains("--"),
            begins: begins || before > 0,
        });
        begins = false;
    }
    all
}

fn is_abbreviation(word: &str) -> bool {
    ABBREVIATIONS.contains(&word.to_lowercase().as_str())
}

/// Whether a word is the last of its sentence: it ends like one and is no abbreviation.
pub(crate) fn is_last(word: &str) -> bool {
    ends_a_sentence(word) && !is_abbreviation(word)
}

/// The places of the sentences of `text`.
fn sentences(text: &str) -> Vec<Range<usize>> {
    let mut all = Vec::new();
    let (mut start, mut last) = (None, 0);
    for (place, word) in words(text) {
        let from = *start.get_or_insert(place);
        last = place + word.len();
        if is_last(word) {
            all.push(from..last);
            start = None;
        }
    }
    all.extend(start.map(|start| start..last));
    all
}

/// The sentence of that number behind as many before it as give it enough words.
fn around(passage: &str, sentences: &[Range<usize>], index: usize) -> String {
    let end = sentences[index].end;
    let mut start = sentences[index].start;
    for before in sentences[..index].iter().rev() {
        if words(&passage[start..end]).count() >= ENOUGH_WORDS {
            break;
        }
        start = before.start;
    }
    passage[start..end].replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        spans(text).into_iter().map(|span| span.text).collect()
    }

    #[test]
    fn names_amounts_and_things_are_found_whole() {
        let text = "Ian Murdock was there. In 1865 the Duke of York met Mrs. Hill, who owned 12 old ships. She gave him a \
                    jar of honey, and the captain quickly left for Lisbon.";
        let wanted = [
            "Ian Murdock",
            "1865",
            "the Duke",
            "Mrs. Hill",
            "12 old ships",
            "a jar",
            "Lisbon",
        ];
        let found = found(text);
        for span in wanted {
            assert!(found.iter().any(|known| known == span), "{span}: {found:?}");
        }
        assert!(!found.iter().any(|span| span.contains("quickly")));
        assert!(!found.iter().any(|span| span.starts_with("She")));
    }

    #[test]
    fn a_phrase_is_told_by_what_stands_before_and_within_it() {
        let text = "It was 4.13.12 then. On 21 April 1999 the firm moved from Lisbon to Rome, where April Hill \
                    had lived since June 1890 with 12 cats, until 1895.";
        let spans = spans(text);
        let kind = |text: &str| spans.iter().find(|span| span.text == text).map(|s| s.kind);
        for (text, wanted) in [
            ("21 April 1999", Some(Kind::Time)),
            ("June 1890", Some(Kind::Time)),
            ("1895", Some(Kind::Time)),
            ("Lisbon", Some(Kind::Place)),
            ("Rome", Some(Kind::Place)),
            ("12 cats", Some(Kind::Amount)),
            ("April Hill", Some(Kind::Name)),
            ("4.13.12", None),
        ] {
            assert_eq!(kind(text), wanted, "{text}: {spans:?}");
        }
    }

    #[test]
    fn a_phrase_ends_at_signs_and_comes_once() {
        assert_eq!(
            found("He saw London, Paris -- Rome and London."),
            ["London", "Paris", "Rome"]
        );
        assert_eq!(found(""), Vec::<String>::new());
        assert_eq!(found("\u{2014} ! ..."), Vec::<String>::new());
    }

    #[test]
    fn a_phrase_is_shown_with_enough_before_it() {
        let text = format!("{}\nIt lay in Lisbon. It rained.", "Rain fell. ".repeat(30));
        let span = &spans(&text)[0];
        assert_eq!(span.text, "Lisbon");
        assert!(span.around.ends_with("It lay in Lisbon."));
        let words = span.around.split(' ').count();
        assert!((12..14).contains(&words), "{words}: {}", span.around);
    }
}
