//! Figures of a task that is a group of datasets: a row each, with what fits its questions.

use serde::Serialize;

use super::edits::{nearest, normalised};
use super::latex::formula_tokens;
use super::scores::Answered;

/// How a model says that it does not know.
const NOT_SURE: [&str; 9] = [
    "not sure",
    "unsure",
    "not certain",
    "don't know",
    "do not know",
    "can't tell",
    "cannot tell",
    "can not tell",
    "no idea",
];
/// How the kinds of questions for a formula begin.
const FORMULA: &str = "formula";
const ARTICLES: [&str; 3] = ["a ", "an ", "the "];

/// An answer, and whether it was to be read off letter by letter.
pub type Reply = (Answered, bool);

/// The figures of one dataset of a group.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct SetFigures {
    /// Questions asked.
    pub questions: usize,
    /// Share of right answers to questions other than yes or no, where there are any: a text is
    /// right as it stands, a formula by its tokens, a name whatever its case and article.
    pub right: Option<f64>,
    /// Edits for each character of what was to be read letter by letter, where anything was.
    pub characters_wrong: Option<f64>,
    /// Share of right answers to yes or no, where that was asked.
    pub yes_or_no: Option<f64>,
    /// Answers that say that the model is not sure.
    pub not_sure: usize,
}

impl SetFigures {
    /// Of these answers.
    pub fn of(replies: &[Reply]) -> Self {
        let (whether, open): (Vec<_>, Vec<_>) =
            replies.iter().partition(|(one, _)| is_whether(one));
        let spelled = replies.iter().filter(|(_, spelled)| *spelled);
        let edits = spelled.map(|(one, _)| {
            nearest(&one.answer, &one.references, |text| {
                text.chars().collect::<Vec<_>>()
            })
        });
        let (edits, length) = edits.fold((0, 0), |(a, b), (x, y)| (a + x, b + y));
        Self {
            questions: replies.len(),
            right: share(&open),
            characters_wrong: (length > 0).then(|| edits as f64 / length as f64),
            yes_or_no: share(&whether),
            not_sure: replies
                .iter()
                .filter(|(one, _)| is_not_sure(&one.answer))
                .count(),
        }
    }
}

/// Whether an answer says that whoever gives it does not know.
pub fn is_not_sure(answer: &str) -> bool {
    let answer = normalised(answer).replace('’', "'");
    NOT_SURE.iter().any(|phrase| answer.contains(phrase))
}

/// Whether an answer is one of those that are right, or says in other words that nobody can know;
/// what is read off may have such words in it.
fn is_right((one, spelled): &Reply) -> bool {
    let not_sure = !spelled && is_not_sure(&one.answer);
    let same: fn(&str, &str) -> bool = match (*spelled, is_formula(one)) {
        (true, _) => same_text,
        (false, true) => same_formula,
        (false, false) => same_name,
    };
    one.references
        .iter()
        .any(|right| same(&one.answer, right) || (not_sure && is_not_sure(right)))
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

fn is_whether(one: &Answered) -> bool {
    let first = one.references.first().map(|answer| normalised(answer));
    matches!(first.as_deref(), Some("yes" | "no"))
}

fn without_article(text: &str) -> String {
    let text = normalised(text);
    let stripped = ARTICLES
        .iter()
        .find_map(|article| text.strip_prefix(article));
    stripped.map_or_else(|| text.clone(), str::to_owned)
}

fn share(replies: &[&Reply]) -> Option<f64> {
    let right = replies.iter().filter(|reply| is_right(reply)).count();
    (!replies.is_empty()).then(|| right as f64 / replies.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(answer: &str, references: &[&str], spelled: bool) -> Reply {
        let answered = Answered {
            id: String::new(),
            kind: String::new(),
            answer: answer.into(),
            references: references.iter().map(|text| (*text).to_owned()).collect(),
        };
        (answered, spelled)
    }

    #[test]
    fn a_row_has_what_fits_its_questions() {
        let figures = SetFigures::of(&[
            reply("A spanner.", &["wrench", "spanner"], false),
            reply("hammer", &["wrench"], false),
            reply("Yes", &["yes"], false),
            reply("no", &["yes"], false),
            reply("I am not sure.", &["no"], false),
        ]);
        assert_eq!(figures.right, Some(0.5));
        assert_eq!(figures.yes_or_no, Some(1.0 / 3.0));
        assert_eq!((figures.questions, figures.not_sure), (5, 1));
        assert_eq!(figures.characters_wrong, None);

        let figures = SetFigures::of(&[reply("helo", &["hello"], true), reply("a", &["a"], true)]);
        assert_eq!(figures.characters_wrong, Some(1.0 / 6.0));
        assert_eq!((figures.right, figures.yes_or_no), (Some(0.5), None));
    }

    #[test]
    fn what_nobody_can_know_is_right_in_any_words_that_say_so() {
        for answer in [
            "not sure",
            "I don’t know.",
            "Not sure; perhaps an animal",
            "I cannot tell",
        ] {
            assert!(is_right(&reply(answer, &["not sure"], false)), "{answer}");
        }
        // What is known is not right by saying that it is not.
        assert!(!is_right(&reply("not sure", &["a dog", "dog"], false)));
        assert!(is_right(&reply("nothing", &["not sure", "nothing"], false)));
        assert!(!is_not_sure("a knot"));
    }

    #[test]
    fn a_text_is_right_as_it_stands_and_a_name_without_case_and_article() {
        for wrong in ["the Archive", "The archive", "Archive", "The Archive."] {
            let read = reply(wrong, &["The Archive"], true);
            assert!(!is_right(&read), "{wrong}");
            let named = reply(wrong, &["The Archive"], false);
            assert!(is_right(&named), "{wrong}");
        }
        assert!(!is_right(&reply("no idea", &["no idea of it"], true)));
        assert!(is_right(&reply(" The Archive\n", &["The Archive"], true)));
    }

    #[test]
    fn a_formula_is_right_by_its_tokens() {
        let formula = |answer: &str, kind: &str| {
            let (mut one, spelled) = reply(answer, &["x + \\frac{A}{2}"], false);
            one.kind = kind.into();
            is_right(&(one, spelled))
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
