//! Figures of many answers, by kind of question.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::caption::{bleu, cider};
use super::edits::{anls, exact_match, nearest};
use super::latex::formula_edit_rate;
use super::vqa::vqa_accuracy;

/// One answered question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answered {
    /// The sample's id.
    pub id: String,
    /// The sample's kind, such as `flag` or `text`.
    pub kind: String,
    /// What the model said.
    pub answer: String,
    /// What it should have said; several people may have answered.
    pub references: Vec<String>,
}

/// A figure over many answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Share of answers that are the same as a reference, case and a final stop aside.
    ExactMatch,
    /// The soft accuracy of visual question answering.
    Vqa,
    /// Average normalised Levenshtein similarity.
    Anls,
    /// Edits for each character of the nearest references; above 1 when answers ramble.
    CharacterErrorRate,
    /// Edits for each word of the nearest references.
    WordErrorRate,
    /// Corpus BLEU, 0 to 100.
    Bleu,
    /// Mean CIDEr-D, 0 to 10.
    Cider,
    /// Edits for each token of the nearest references in LaTeX.
    FormulaEditRate,
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::ExactMatch,
        Self::Vqa,
        Self::Anls,
        Self::CharacterErrorRate,
        Self::WordErrorRate,
        Self::Bleu,
        Self::Cider,
        Self::FormulaEditRate,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::ExactMatch => "exact",
            Self::Vqa => "vqa",
            Self::Anls => "anls",
            Self::CharacterErrorRate => "cer",
            Self::WordErrorRate => "wer",
            Self::Bleu => "bleu",
            Self::Cider => "cider",
            Self::FormulaEditRate => "formula",
        }
    }

    /// The name in tables.
    pub fn title(self) -> &'static str {
        match self {
            Self::ExactMatch => "exact match",
            Self::Vqa => "VQA accuracy",
            Self::Anls => "ANLS",
            Self::CharacterErrorRate => "character error rate",
            Self::WordErrorRate => "word error rate",
            Self::Bleu => "BLEU",
            Self::Cider => "CIDEr-D",
            Self::FormulaEditRate => "formula edit rate",
        }
    }

    /// Whether it is a share, shown as so many of a hundred.
    pub fn is_share(self) -> bool {
        !matches!(self, Self::Bleu | Self::Cider)
    }

    /// The figure over `answers`.
    pub fn of(self, answers: &[&Answered]) -> f64 {
        type Score<'a> = &'a dyn Fn(&str, &[String]) -> (f64, f64);
        // What all answers reached over what they could.
        let share = |score: Score<'_>| {
            let sums = answers
                .iter()
                .map(|one| score(&one.answer, &one.references));
            let (sum, of) = sums.fold((0.0, 0.0), |(a, b), (x, y)| (a + x, b + y));
            sum / of.max(1.0)
        };
        let edits = |(edits, length): (usize, usize)| (edits as f64, length as f64);
        let texts = || {
            let text = answers.iter();
            text.map(|one| (one.answer.as_str(), one.references.as_slice()))
        };
        match self {
            Self::ExactMatch => share(&|answer, references| {
                let right = references.iter().any(|text| exact_match(answer, text));
                (f64::from(right), 1.0)
            }),
            Self::Vqa => share(&|answer, references| (vqa_accuracy(answer, references), 1.0)),
            Self::Anls => share(&|answer, references| (anls(answer, references), 1.0)),
            Self::CharacterErrorRate => share(&|answer, references| {
                edits(nearest(answer, references, |text| text.chars().collect()))
            }),
            Self::WordErrorRate => share(&|answer, references| {
                edits(nearest(answer, references, |text| {
                    text.split_whitespace().collect()
                }))
            }),
            Self::FormulaEditRate => {
                share(&|answer, references| edits(formula_edit_rate(answer, references)))
            }
            Self::Bleu => bleu(texts()),
            Self::Cider => {
                let scores = cider(texts());
                scores.iter().sum::<f64>() / scores.len().max(1) as f64
            }
        }
    }
}

/// The figures of one kind of question.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Figures {
    /// Questions asked.
    pub questions: usize,
    /// What was measured.
    #[serde(flatten)]
    pub figures: BTreeMap<Metric, f64>,
}

/// Figures by kind, and of all together under `all`.
pub fn figures_by_kind(answers: &[Answered], metrics: &[Metric]) -> BTreeMap<String, Figures> {
    let mut by_kind: BTreeMap<&str, Vec<&Answered>> = BTreeMap::new();
    for answered in answers {
        for kind in [answered.kind.as_str(), "all"] {
            by_kind.entry(kind).or_default().push(answered);
        }
    }
    let figures = |answers: &Vec<&Answered>| Figures {
        questions: answers.len(),
        figures: metrics
            .iter()
            .map(|metric| (*metric, metric.of(answers)))
            .collect(),
    };
    let named = by_kind.iter();
    named
        .map(|(kind, of)| ((*kind).to_owned(), figures(of)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_add_up_by_kind_and_over_all() {
        let answered = |kind: &str, answer: &str, reference: &str| Answered {
            id: String::new(),
            kind: kind.into(),
            answer: answer.into(),
            references: vec![reference.into()],
        };
        let answers = [
            answered("flag", "France", "france"),
            answered("flag", "Chad", "Romania"),
            answered("text", "helo", "hello"),
        ];
        let table = figures_by_kind(&answers, &Metric::ALL);
        assert_eq!(table["flag"].figures[&Metric::ExactMatch], 0.5);
        assert_eq!(table["text"].figures[&Metric::CharacterErrorRate], 0.2);
        assert_eq!(table["all"].questions, 3);
        assert_eq!(table["all"].figures[&Metric::WordErrorRate], 1.0);
    }
}
