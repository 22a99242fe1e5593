//! What is wrong with a passage, a question or an answer; each reason is counted in the ledger.

use crate::passages::{count, ends_a_sentence};
use crate::spans::is_last;
use crate::words::{content, f1, is_number, is_section, words};

/// A passage has at least so many words.
const LEAST_PASSAGE_WORDS: usize = 40;
/// And such a share of words of letters alone: less is a table or a program.
const LEAST_LETTERS: f64 = 0.7;
/// Numbers such as 4.13.2, for each of which there are at least so many words: with fewer it is a
/// list of contents.
const LEAST_WORDS_A_SECTION: usize = 20;
/// Words of a question.
const QUESTION_WORDS: std::ops::RangeInclusive<usize> = 4..=30;
/// The answer wanted and the one given must agree this well.
const LEAST_F1: f64 = 0.6;

/// What a question calls the passage, instead of being about what stands in it.
const THE_TEXT: &[&str] = &[
    "the passage",
    "this passage",
    "the text",
    "this text",
    "the author",
    "the narrator",
    "the speaker",
    "the paragraph",
    "this paragraph",
    "the excerpt",
    "the story",
    "the sentence",
    "mentioned",
    "according to",
];
/// How a model says that it has no answer.
const NO_ANSWER: &[&str] = &[
    "not mentioned",
    "not stated",
    "not specified",
    "not provided",
    "unknown",
    "don't know",
    "do not know",
    "no answer",
];
/// Words of a question that point at something outside it.
const POINTERS: &[&str] = &[
    "he", "she", "it", "they", "him", "her", "them", "his", "hers", "its", "their", "theirs",
    "this", "these", "those", "we", "us", "our", "i", "me", "my", "you", "your", "there", "here",
    "above",
];

/// Why `passage` is not asked about, if it is not.
pub(crate) fn passage(passage: &str) -> Option<&'static str> {
    let all = count(passage);
    if all < LEAST_PASSAGE_WORDS {
        return Some("passage: fewer than 40 words");
    }
    let is_plain = |word: &&str| {
        let bare = word.trim_matches(|letter: char| letter.is_ascii_punctuation());
        !bare.is_empty()
            && bare
                .chars()
                .all(|c| c.is_alphabetic() || "'-\u{2019}".contains(c))
    };
    let plain = passage.split_whitespace().filter(is_plain).count();
    let sentences = passage
        .split_whitespace()
        .filter(|word| ends_a_sentence(word));
    let sections = passage.split_whitespace().filter(|word| is_section(word));
    if (plain as f64) < LEAST_LETTERS * all as f64
        || sentences.count() < 2
        || sections.count() * LEAST_WORDS_A_SECTION > all
    {
        return Some("passage: hardly any sentences");
    }
    None
}

/// The question in what the model said about `passage`, or why it is none; one for a `closed_book`
/// must be understood without the passage.
pub(crate) fn question(
    said: &str,
    passage: &str,
    closed_book: bool,
) -> Result<String, &'static str> {
    let question = bare(said, "Question:");
    let mut before = question.split_whitespace().rev();
    let ends = before.next().is_some_and(|last| last.ends_with('?'));
    if !ends || question.contains('\n') || before.any(is_last) {
        return Err("question: not one sentence with a question mark");
    }
    if !QUESTION_WORDS.contains(&count(question)) {
        return Err("question: fewer than 4 or more than 30 words");
    }
    let (low, low_passage) = (question.to_lowercase(), passage.to_lowercase());
    let calls = |name: &&str| low.contains(*name) && !low_passage.contains(*name);
    if THE_TEXT.iter().any(calls) {
        return Err("question: about the text instead of what it says");
    }
    let known = words(passage);
    let is_name = |(place, word): (usize, &str)| {
        let capital = word.starts_with(char::is_uppercase) && place > 0;
        capital || is_number(word)
    };
    let mut named = question
        .split_whitespace()
        .enumerate()
        .filter(|word| is_name(*word));
    if !named.all(|(_, word)| words(word).iter().all(|word| known.contains(word))) {
        return Err("question: names what the passage does not");
    }
    let (about, known) = (content(question), content(passage));
    let found = about.iter().filter(|word| known.contains(word)).count();
    if found == 0 || 2 * found < about.len() {
        return Err("question: about something else");
    }
    if closed_book
        && words(question)
            .iter()
            .any(|word| POINTERS.contains(&word.as_str()))
    {
        return Err("question: not understood without the passage");
    }
    Ok(question.to_owned())
}

/// What is wrong with asking `question` for `wanted`, if anything is.
pub(crate) fn answer(question: &str, wanted: &str) -> Option<&'static str> {
    let (wanted, asked) = (content(wanted), content(question));
    wanted
        .iter()
        .all(|word| asked.contains(word))
        .then_some("answer: repeats the question")
}

/// Whether what the model `said` to `question` is the answer that was `wanted`, in what it adds to
/// the question: the one may be a few words and the other a whole sentence.
pub(crate) fn agree(question: &str, wanted: &str, said: &str) -> Result<(), &'static str> {
    let said = first_sentence(bare(said, "Answer:"));
    let low = said.to_lowercase();
    if said.is_empty() || NO_ANSWER.iter().any(|none| low.contains(none)) {
        return Err("answer: none found by the model");
    }
    let asked = content(question);
    let added = |said: &str| {
        let mut added = content(said);
        added.retain(|word| !asked.contains(word));
        added
    };
    match f1(&added(wanted), &added(said)) {
        f1 if f1 >= LEAST_F1 => Ok(()),
        _ => Err("answer: the model finds another"),
    }
}

/// A small model often goes on when it has answered.
fn first_sentence(said: &str) -> &str {
    let line = said.lines().next().unwrap_or_default();
    match line.split_whitespace().find(|word| is_last(word)) {
        Some(last) => &line[..last.as_ptr() as usize - line.as_ptr() as usize + last.len()],
        None => line,
    }
}

/// What was said without the label and the quotation marks around it.
fn bare<'a>(said: &'a str, label: &str) -> &'a str {
    let said = said.trim();
    let said = said.strip_prefix(label).unwrap_or(said).trim();
    let quoted = said
        .strip_prefix('"')
        .and_then(|said| said.strip_suffix('"'));
    quoted.filter(|inner| !inner.contains('"')).unwrap_or(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSAGE: &str = "Alice took down a jar from one of the shelves in 1865. It was labelled \
                           orange marmalade, but to her great disappointment it was empty.";

    #[test]
    fn a_list_of_contents_is_no_passage() {
        let entry = "4.13.12. August 2010: Frans Pop died. ";
        assert_eq!(
            passage(&entry.repeat(9)),
            Some("passage: hardly any sentences")
        );
        assert_eq!(passage(&format!("{entry}{}", PASSAGE.repeat(2))), None);
    }

    #[test]
    fn questions_are_kept_or_rejected_for_what_is_wrong_with_them() {
        let reason = |said: &str| question(said, PASSAGE, false).err().unwrap_or("kept");
        for (said, wanted) in [
            ("What did Alice take down?", "kept"),
            ("Question: \"What did Alice take down?\"", "kept"),
            ("Alice took a jar.", "one sentence"),
            ("Alice took a jar. Why did she?", "one sentence"),
            ("What did she take?\nWhat was on it?", "one sentence"),
            ("Was the <image> jar empty for Alice?", "kept"),
            ("Why a jar?", "4"),
            (
                "What is the passage about Alice and the jar?",
                "about the text",
            ),
            ("What did the Queen say of the jar?", "names"),
            ("What did Alice take in 1866?", "names"),
            ("What did Alice take in 1865?", "kept"),
            (
                "Why do people sail across oceans in a jar?",
                "something else",
            ),
            ("What is it that was?", "something else"),
            ("", "one sentence"),
        ] {
            assert!(reason(said).contains(wanted), "{said}: {}", reason(said));
        }
        let long = format!("What did Alice take {}?", "jar ".repeat(30).trim());
        assert!(reason(&long).contains("30"));
    }

    #[test]
    fn a_closed_book_question_points_at_nothing_outside_it() {
        let reason = |said: &str| question(said, PASSAGE, true).err();
        assert_eq!(reason("What was Alice's jar labelled?"), None);
        let pointing = reason("What did she take down from the shelves?");
        assert!(pointing.unwrap().contains("without the passage"));
    }

    #[test]
    fn a_question_does_not_say_its_answer() {
        let asked = "What did Alice take down from the shelves?";
        assert_eq!(answer(asked, "a jar"), None);
        assert!(answer(asked, "the shelves").unwrap().contains("repeats"));
        assert!(answer(asked, "it").unwrap().contains("repeats"));
    }

    #[test]
    fn the_answer_found_is_the_one_wanted() {
        let agree = |wanted, said| agree("What was on the shelf?", wanted, said);
        for said in [
            "Answer: an empty jar",
            "The empty jar.",
            "An empty jar was on the shelf.",
            "The empty jar. It stood there for years and nobody opened it.",
            "the empty jar\nof orange marmalade from the best shop in town",
        ] {
            assert_eq!(agree("the empty jar", said), Ok(()), "{said}");
        }
        let other = agree("a jar", "orange marmalade was on the shelf");
        assert!(other.unwrap_err().contains("another"));
        for none in ["", "It is not mentioned."] {
            assert!(agree("a jar", none).unwrap_err().contains("none"));
        }
    }

    #[test]
    fn a_passage_is_made_of_sentences() {
        let prose = [PASSAGE, PASSAGE].join(" ");
        assert_eq!(passage(&prose), None);
        assert!(passage(PASSAGE).unwrap().contains("40 words"));
        let table = "1 2 3 x=4. y=5. ".repeat(20);
        assert!(passage(&table).unwrap().contains("sentences"));
        let list = "apple pear plum ".repeat(20);
        assert!(passage(&list).unwrap().contains("sentences"));
        let marked = prose + " <image> and <|im_end|> are words.";
        assert_eq!(passage(&marked), None);
    }
}
