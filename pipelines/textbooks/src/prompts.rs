//! What the model is asked: for a question that a phrase answers, and for the answer to it.
//!
//! Each prompt is plain text to go on with, which shows the task on two small texts first. Small
//! models do this better than they follow a request: SmolLM2-135M-Instruct answered most requests
//! for a question with an answer, or with a question that the text does not answer.

use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use crate::spans::{Kind, Span};

/// Raised whenever a prompt changes; it stands in the manifest.
pub(crate) const VERSION: u32 = 3;

/// Tokens of a question, and of an answer: more than the filters let pass.
const QUESTION_TOKENS: usize = 32;
const ANSWER_TOKENS: usize = 24;

/// A text to show a task on, with questions and the phrases of it that answer them.
struct Example {
    text: &'static str,
    asked: [(&'static str, &'static str); 2],
}

const EXAMPLES: [Example; 2] = [
    Example {
        text: "The Nile is about 6,650 kilometres in length. It flows north through Egypt and \
               reaches the sea at Alexandria.",
        asked: [
            ("Where does the Nile reach the sea?", "Alexandria"),
            ("How long is the Nile?", "6,650 kilometres"),
        ],
    },
    Example {
        text: "Mrs. Hill had lost her keys, so her neighbour Tom climbed through the kitchen \
               window. She gave him a jar of honey to thank him.",
        asked: [
            ("Who gave Tom a jar of honey?", "Mrs. Hill"),
            (
                "What did Tom climb through when the keys were lost?",
                "the kitchen window",
            ),
        ],
    },
];

/// What an [`Ask`] is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A question that a phrase of a text answers.
    Question,
    /// The answer to a question in its text.
    Answer,
}

/// What the model is to go on with.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    /// What for.
    pub step: Step,
    /// Text whose last line is to be ended.
    pub text: String,
    /// The most tokens of what is said; always the likeliest ones.
    pub max_tokens: usize,
}

impl Ask {
    /// All that decides what is said.
    pub(crate) fn key(&self) -> String {
        format!("{self:?}")
    }
}

/// A word that a question for `span` may begin with.
pub(crate) fn beginning(span: &Span, rng: &mut ChaCha8Rng) -> &'static str {
    let words: &[&str] = match span.kind {
        Kind::Name => &["Who", "What"],
        Kind::Place => &["Where"],
        Kind::Time => &["When"],
        Kind::Amount => &["How", "How many"],
        Kind::Thing => &["What"],
    };
    words.choose(rng).copied().unwrap_or("What")
}

/// Asks for a question that begins with `beginning` and is answered by `span`.
pub(crate) fn question(span: &Span, beginning: &str) -> Ask {
    let mut text = String::new();
    for example in &EXAMPLES {
        for (question, answer) in example.asked {
            let shown = example.text;
            text += &format!("Text: {shown}\nAnswer: {answer}\nQuestion: {question}\n\n");
        }
    }
    let (shown, answer) = (&span.around, &span.text);
    text += &format!("Text: {shown}\nAnswer: {answer}\nQuestion: {beginning}");
    Ask {
        step: Step::Question,
        text,
        max_tokens: QUESTION_TOKENS,
    }
}

/// Asks for the answer to `question` in `shown`.
pub(crate) fn answer(shown: &str, question: &str) -> Ask {
    let mut text = String::new();
    for example in &EXAMPLES {
        for (question, answer) in example.asked {
            let shown = example.text;
            text += &format!("Text: {shown}\nQuestion: {question}\nAnswer: {answer}\n\n");
        }
    }
    text += &format!("Text: {shown}\nQuestion: {question}\nAnswer:");
    Ask {
        step: Step::Answer,
        text,
        max_tokens: ANSWER_TOKENS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filters;
    use crate::spans::spans;
    use rand::SeedableRng;

    #[test]
    fn the_examples_pass_the_filters() {
        for example in &EXAMPLES {
            for (question, answer) in example.asked {
                let kept = filters::question(question, example.text, false);
                assert_eq!(kept.as_deref(), Ok(question));
                assert_eq!(filters::answer(question, answer), None);
                let known = spans(example.text);
                let found = known.iter().find(|span| span.text == answer);
                assert!(found.is_some(), "{answer}: {known:?}");
            }
        }
    }

    #[test]
    fn the_text_and_what_is_asked_come_last() {
        let span = Span {
            text: "the hat".into(),
            around: "A text about the hat.".into(),
            kind: Kind::Thing,
        };
        let asked = question(&span, "What");
        let wanted = "Text: A text about the hat.\nAnswer: the hat\nQuestion: What";
        assert!(asked.text.ends_with(wanted), "{}", asked.text);
        let answered = answer("A text.", "Why?");
        let wanted = "Text: A text.\nQuestion: Why?\nAnswer:";
        assert!(answered.text.ends_with(wanted), "{}", answered.text);
        assert_ne!(asked.key(), question(&span, "Which").key());
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        assert_eq!(beginning(&span, &mut rng), "What");
    }
}
