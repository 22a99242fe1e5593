//! What the model is asked: for a question about a passage, for its answer, and for the answer
//! once more in other words.
//!
//! Each prompt is a conversation that shows the task on two small texts first.

use avocet_text::Turn;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Raised whenever a prompt changes; it stands in the manifest.
pub(crate) const VERSION: u32 = 1;

/// Tokens of a question, and of an answer: more than the filters let pass.
const QUESTION_TOKENS: usize = 48;
const ANSWER_TOKENS: usize = 32;
/// Questions are drawn, so that several about one passage differ; answers are the likeliest.
const TEMPERATURE: f64 = 0.7;
const TOP_P: f64 = 0.9;

/// A text to show a task on, with questions that begin with each of [`FIRST_WORDS`].
struct Example {
    text: &'static str,
    questions: [&'static str; 6],
    answers: [&'static str; 6],
}

/// What questions begin with.
const FIRST_WORDS: [&str; 6] = ["What", "Who", "Where", "Why", "How", "Which"];

const EXAMPLES: [Example; 2] = [
    Example {
        text: "The Nile is about 6,650 kilometres long. It flows north through Egypt and reaches \
               the Mediterranean Sea near the city of Alexandria. Farmers have used its water for \
               their fields since ancient times, as it hardly ever rains there.",
        questions: [
            "What have farmers used the water of the Nile for?",
            "Who has used the water of the Nile since ancient times?",
            "Where does the Nile reach the Mediterranean Sea?",
            "Why do farmers use the water of the Nile?",
            "How long is the Nile?",
            "Which sea does the Nile reach?",
        ],
        answers: [
            "their fields",
            "farmers",
            "near the city of Alexandria",
            "it hardly ever rains there",
            "about 6,650 kilometres",
            "the Mediterranean Sea",
        ],
    },
    Example {
        text: "Mrs. Hill had lost her keys on the way home, so her neighbour Tom climbed through \
               the kitchen window and opened the green door from within. She gave him a jar of \
               honey to thank him.",
        questions: [
            "What did Mrs. Hill give Tom to thank him?",
            "Who climbed through the kitchen window?",
            "Where did Mrs. Hill lose her keys?",
            "Why did Tom climb through the kitchen window?",
            "How did Tom open the green door?",
            "Which door did Tom open from within?",
        ],
        answers: [
            "a jar of honey",
            "her neighbour Tom",
            "on the way home",
            "Mrs. Hill had lost her keys",
            "from within",
            "the green door",
        ],
    },
];

/// What an [`Ask`] is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A question about a passage.
    Question,
    /// The answer to a question in its passage.
    Answer,
    /// The answer again, in other words.
    Check,
}

/// What the model is to say something to.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    /// What for.
    pub step: Step,
    /// The conversation; its last turn is to be answered.
    pub turns: Vec<Turn>,
    /// The most tokens of what is said.
    pub max_tokens: usize,
    /// 0 takes the likeliest token.
    pub temperature: f64,
    /// Only the likeliest tokens whose probabilities reach this together are drawn.
    pub top_p: f64,
    /// Seed of the draws.
    pub seed: u64,
}

impl Ask {
    /// All that decides what is said.
    pub(crate) fn key(&self) -> String {
        format!("{self:?}")
    }
}

/// The order in which questions about a passage begin: each beginning once before any comes again.
pub(crate) fn beginnings(count: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut beginnings = Vec::new();
    while beginnings.len() < count {
        let mut some: Vec<usize> = (0..FIRST_WORDS.len()).collect();
        some.shuffle(rng);
        beginnings.extend(some);
    }
    beginnings.truncate(count);
    beginnings
}

/// Asks for a question about `passage` that begins with the first word of that number.
pub(crate) fn question(passage: &str, beginning: usize, seed: u64) -> Ask {
    let word = FIRST_WORDS[beginning];
    let asked = |text: &str| {
        format!(
            "{text}\n\nWrite one question about a fact in this text. It begins with \"{word}\", and \
             its answer is a few words of the text."
        )
    };
    let mut turns = Vec::new();
    for example in &EXAMPLES {
        turns.push(Turn::user(asked(example.text)));
        turns.push(Turn::assistant(example.questions[beginning]));
    }
    turns.push(Turn::user(asked(passage)));
    Ask {
        step: Step::Question,
        turns,
        max_tokens: QUESTION_TOKENS,
        temperature: TEMPERATURE,
        top_p: TOP_P,
        seed,
    }
}

/// Asks for the answer to `question` in `passage`, in the words of `step`.
///
/// Both put the text first: behind the question, SmolLM2-135M repeats its beginning whatever is
/// asked.
pub(crate) fn answer(step: Step, passage: &str, question: &str) -> Ask {
    let asked = |text: &str, question: &str| match step {
        Step::Check => format!("Text: {text}\n\nQuestion: {question}\nAnswer:"),
        Step::Question | Step::Answer => {
            format!("{text}\n\nAnswer with a few words of the text: {question}")
        }
    };
    // Each way of asking shows other questions.
    let shown = if step == Step::Check { [4, 0] } else { [2, 3] };
    let mut turns = Vec::new();
    for (example, shown) in EXAMPLES.iter().zip(shown) {
        turns.push(Turn::user(asked(example.text, example.questions[shown])));
        turns.push(Turn::assistant(example.answers[shown]));
    }
    turns.push(Turn::user(asked(passage, question)));
    Ask {
        step,
        turns,
        max_tokens: ANSWER_TOKENS,
        temperature: 0.0,
        top_p: 1.0,
        seed: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filters;
    use rand::SeedableRng;

    #[test]
    fn the_examples_pass_the_filters() {
        for example in &EXAMPLES {
            for (question, answer) in example.questions.iter().zip(example.answers) {
                let kept = filters::question(question, example.text, false);
                assert_eq!(kept.as_deref(), Ok(*question));
                let kept = filters::answer(answer, question, example.text);
                assert_eq!(kept.as_deref(), Ok(answer), "{question}");
            }
        }
    }

    #[test]
    fn each_beginning_comes_once_before_any_comes_again() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut drawn = beginnings(12, &mut rng);
        assert_eq!(drawn.len(), 12);
        for half in drawn.chunks_mut(6) {
            half.sort_unstable();
            assert_eq!(half, [0, 1, 2, 3, 4, 5]);
        }
    }

    #[test]
    fn the_passage_and_the_question_stand_in_the_last_turn() {
        let asks = [
            question("A text.", 3, 1),
            answer(Step::Answer, "A text.", "Why?"),
            answer(Step::Check, "A text.", "Why?"),
        ];
        for ask in &asks {
            let last = &ask.turns.last().unwrap().text;
            assert!(last.contains("A text."), "{last}");
            assert_eq!(last.contains("Why?"), ask.step != Step::Question);
        }
        assert_ne!(asks[1].key(), asks[2].key());
        assert_ne!(asks[0].key(), question("A text.", 3, 2).key());
    }
}
