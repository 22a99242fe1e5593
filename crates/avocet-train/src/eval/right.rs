//! Whether an answer is right, by what was asked for: a text as it stands, a formula by its tokens, a
//! name whatever its case and article; and "not sure" where nobody can know, in any words.

use avocet_infer::is_not_sure;

use super::answer::Outcome;
use super::edits::{nearest, normalised};
use super::latex::formula_tokens;
use super::scores::Answered;

/// How the kinds of questions for a formula begin.
const FORMULA: &str = "formula";
const ARTICLES: [&str; 3] = ["a ", "an ", "the "];
/// A reading with no larger share of wrong characters is of use.
const USEFUL: f64 = 0.2;

impl Outcome {
    /// Whether what was said is right. That nobody can know it is right in any words that say so,
    /// and "not sure" is right nowhere else.
    pub fn is_right(&self) -> bool {
        self.would_be_right(&self.answered.answer)
    }

    /// Whether it was said that the model is not sure.
    pub fn is_not_sure(&self) -> bool {
        match &self.reply {
            Some(reply) => !reply.sure,
            None => !self.spelled && is_not_sure(&self.answered.answer),
        }
    }

    /// Whether the model's own answer is right, be it said or held back.
    pub fn knows(&self) -> bool {
        self.would_be_right(self.own_answer())
    }

    /// Whether the model's own answer is right, or, where it reads, nearly so.
    pub fn is_of_use(&self) -> bool {
        let reads = self.spelled || is_formula(&self.answered);
        let nearly = || {
            let (edits, length) = nearest(self.own_answer(), &self.answered.references, |text| {
                text.chars().collect::<Vec<_>>()
            });
            edits as f64 <= USEFUL * length as f64
        };
        self.knows() || (reads && nearly())
    }

    /// Whether nobody can know what was asked.
    pub fn is_unknowable(&self) -> bool {
        let first = self.answered.references.first();
        !self.spelled && first.is_some_and(|truth| is_not_sure(truth))
    }

    /// Whether yes or no was asked for.
    pub(super) fn is_whether(&self) -> bool {
        let references = &self.answered.references;
        let first = references.first().map(|answer| normalised(answer));
        matches!(first.as_deref(), Some("yes" | "no"))
    }

    fn own_answer(&self) -> &str {
        let reply = self.reply.as_ref();
        let own = reply.and_then(|reply| reply.answer.as_ref());
        own.map_or(self.answered.answer.as_str(), |answer| &answer.text)
    }

    fn would_be_right(&self, answer: &str) -> bool {
        let doubts = !self.spelled && is_not_sure(answer);
        let same: fn(&str, &str) -> bool = match (self.spelled, is_formula(&self.answered)) {
            (true, _) => same_text,
            (false, true) => same_formula,
            (false, false) => same_name,
        };
        let mut references = self.answered.references.iter();
        references.any(|right| same(answer, right) || (doubts && is_not_sure(right)))
    }
}

/// As they stand, spaces around them aside.
fn same_text(one: &str, other: &str) -> bool {
    one.trim() == other.trim()
}

/// By their tokens, as the rate of edits of formulas counts.
fn same_formula(one: &str, other: &str) -> bool {
    formula_tokens(one) == formula_tokens(other)
}

fn same_name(one: &str, other: &str) -> bool {
    without_article(one) == without_article(other)
}

/// A kind may stand behind the name of its set.
fn is_formula(one: &Answered) -> bool {
    let kind = one.kind.rsplit('/').next().unwrap_or_default();
    kind.starts_with(FORMULA)
}

fn without_article(text: &str) -> String {
    let text = normalised(text);
    let stripped = ARTICLES
        .iter()
        .find_map(|article| text.strip_prefix(article));
    stripped.map_or_else(|| text.clone(), str::to_owned)
}

#[cfg(test)]
pub(super) mod tests {
    use avocet_infer::{Answer, FinishReason, NOT_SURE, Reply, Timing, Usage};

    use super::*;

    /// What a model said that had no reason to hold anything back.
    pub fn outcome(answer: &str, references: &[&str], spelled: bool) -> Outcome {
        Outcome {
            answered: Answered {
                id: String::new(),
                kind: String::new(),
                answer: answer.into(),
                references: references.iter().map(|text| (*text).to_owned()).collect(),
            },
            spelled,
            reply: None,
            problem: None,
        }
    }

    /// What a model said that was so confident of `answer`, and that holds back below a half.
    pub fn held(answer: &str, confidence: f64, references: &[&str]) -> Outcome {
        let sure = confidence >= 0.5;
        let text = if sure { answer } else { NOT_SURE };
        let reply = Reply {
            text: text.into(),
            sure,
            perhaps: None,
            answer: Some(Answer {
                text: answer.into(),
                token_ids: vec![1, 2],
                finish_reason: FinishReason::Stop,
                log_probability: confidence.ln(),
                confidence,
                usage: Usage::default(),
                timing: Timing::default(),
            }),
        };
        Outcome {
            reply: Some(reply),
            ..outcome(text, references, false)
        }
    }

    #[test]
    fn what_nobody_can_know_is_right_in_any_words_that_say_so() {
        for answer in [
            "not sure",
            "I don’t know.",
            "Not sure; perhaps an animal",
            "I cannot tell",
        ] {
            assert!(outcome(answer, &["not sure"], false).is_right(), "{answer}");
        }
        // What is known is not right by saying that it is not.
        assert!(!outcome("not sure", &["a dog", "dog"], false).is_right());
        assert!(outcome("nothing", &["not sure", "nothing"], false).is_right());
    }

    #[test]
    fn what_is_held_back_may_have_been_known() {
        let known = held("a dog", 0.3, &["dog"]);
        assert!(!known.is_right() && known.is_not_sure() && known.knows());
        let unknown = held("a dog", 0.3, &["not sure"]);
        assert!(unknown.is_right() && unknown.is_unknowable() && !unknown.knows());
        let said = held("a dog", 0.6, &["dog"]);
        assert!(said.is_right() && !said.is_not_sure());
    }

    #[test]
    fn a_reading_is_of_use_where_most_of_it_is_right() {
        assert!(outcome("The Archlve", &["The Archive"], true).is_of_use());
        assert!(!outcome("The A", &["The Archive"], true).is_of_use());
        // Most of a name is another name.
        assert!(!outcome("Nigeri", &["Niger"], false).is_of_use());
    }

    #[test]
    fn a_text_is_right_as_it_stands_and_a_name_without_case_and_article() {
        for wrong in ["the Archive", "The archive", "Archive", "The Archive."] {
            let read = outcome(wrong, &["The Archive"], true);
            assert!(!read.is_right(), "{wrong}");
            let named = outcome(wrong, &["The Archive"], false);
            assert!(named.is_right(), "{wrong}");
        }
        assert!(!outcome("no idea", &["no idea of it"], true).is_right());
        assert!(outcome(" The Archive\n", &["The Archive"], true).is_right());
    }

    #[test]
    fn a_formula_is_right_by_its_tokens() {
        let formula = |answer: &str, kind: &str| {
            let mut one = outcome(answer, &["x + \\frac{A}{2}"], false);
            one.answered.kind = kind.into();
            one.is_right()
        };
        for kind in ["formula", "formulas-tex/formula", "formula-file"] {
            assert!(formula("x+\\frac {A} {2}", kind), "{kind}");
            for wrong in ["X+\\frac{A}{2}", "x+\\frac{a}{2}", "x-\\frac{A}{2}"] {
                assert!(!formula(wrong, kind), "{wrong}");
            }
        }
        // What is no formula is a name.
        assert!(formula("X + \\frac{a}{2}", "other"));
    }
}
