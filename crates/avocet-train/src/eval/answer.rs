//! Held-out questions become answers.

use avocet_infer::{Engine, Question, SamplingOptions};

use super::error::Result;
use super::scores::Answered;
use super::task::Asked;

/// What became of a question.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The answer; nothing for a question that cannot be answered.
    pub answered: Answered,
    /// Why it cannot be answered.
    pub problem: Option<String>,
}

/// Answers some questions together, each with at most `max_tokens` tokens.
///
/// ```no_run
/// use avocet_train::eval::{Answered, Metric, Result, Task, answer, figures_by_kind};
///
/// fn exact(engine: &avocet_infer::Engine, task: &Task) -> Result<f64> {
///     let asked = task.questions(100)?.collect::<Result<Vec<_>>>()?;
///     let outcomes = answer(engine, &asked, 64)?;
///     let answered: Vec<Answered> = outcomes.into_iter().map(|one| one.answered).collect();
///     let kinds = figures_by_kind(&answered, &[Metric::ExactMatch]);
///     Ok(kinds["all"].figures[&Metric::ExactMatch])
/// }
/// ```
pub fn answer(engine: &Engine, asked: &[Asked], max_tokens: usize) -> Result<Vec<Outcome>> {
    let mut questions = Vec::with_capacity(asked.len());
    let mut problems: Vec<Option<String>> = Vec::with_capacity(asked.len());
    for one in asked {
        let images = one.images.iter();
        let images: std::result::Result<Vec<_>, _> =
            images.map(|bytes| engine.read_whole_image(bytes)).collect();
        problems.push(images.as_ref().err().map(ToString::to_string));
        // With no images for its markers, a question whose image is broken fails below by itself.
        let images = images.unwrap_or_default();
        questions.push(Question {
            images,
            turns: one.turns.clone(),
        });
    }
    let answers = engine.answer_together(&questions, &SamplingOptions::greedy(max_tokens))?;
    let mut outcomes = Vec::with_capacity(asked.len());
    for ((asked, answer), problem) in asked.iter().zip(answers).zip(problems) {
        let (answer, problem) = match answer {
            Ok(text) => (text, None),
            Err(error) => (String::new(), problem.or_else(|| Some(error.to_string()))),
        };
        outcomes.push(Outcome {
            answered: Answered {
                id: asked.id.clone(),
                kind: asked.kind.clone(),
                answer,
                references: asked.references.clone(),
            },
            problem,
        });
    }
    Ok(outcomes)
}
