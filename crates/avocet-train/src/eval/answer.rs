//! Held-out questions become replies.

use avocet_infer::{Engine, Question, Reply, SamplingOptions};

use super::error::Result;
use super::scores::Answered;
use super::task::Asked;

/// What became of a question.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// What was said; nothing to a question that cannot be answered.
    pub answered: Answered,
    /// It was to be read off letter by letter.
    pub spelled: bool,
    /// How it came to be said; none for a question that cannot be answered.
    pub reply: Option<Reply>,
    /// Why it cannot be answered.
    pub problem: Option<String>,
}

impl Outcome {
    /// How probable the model says it is that what it answered, or would have answered, is right.
    pub fn confidence(&self) -> Option<f64> {
        self.reply.as_ref()?.confidence()
    }
}

/// Replies to some questions together, each with at most `max_tokens` tokens, in the way that
/// [`Engine::reply`] does.
///
/// ```no_run
/// use avocet_train::eval::{Answered, Metric, Result, Task, answer, figures_by_kind};
///
/// fn exact(engine: &avocet_infer::Engine, task: &Task) -> Result<f64> {
///     let asked = task.questions(100)?.collect::<Result<Vec<_>>>()?;
///     let outcomes = answer(engine, &asked, 64, None)?;
///     let answered: Vec<Answered> = outcomes.into_iter().map(|one| one.answered).collect();
///     let kinds = figures_by_kind(&answered, &[Metric::ExactMatch]);
///     Ok(kinds["all"].figures[&Metric::ExactMatch])
/// }
/// ```
pub fn answer(
    engine: &Engine,
    asked: &[Asked],
    max_tokens: usize,
    threshold: Option<f64>,
) -> Result<Vec<Outcome>> {
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
    let options = SamplingOptions::greedy(max_tokens);
    let replies = engine.reply_together(&questions, &options, threshold)?;
    let mut outcomes = Vec::with_capacity(asked.len());
    for ((asked, reply), problem) in asked.iter().zip(replies).zip(problems) {
        let (reply, problem) = match reply {
            Ok(reply) => (Some(reply), None),
            Err(error) => (None, problem.or_else(|| Some(error.to_string()))),
        };
        outcomes.push(Outcome {
            answered: Answered {
                id: asked.id.clone(),
                kind: asked.kind.clone(),
                answer: reply
                    .as_ref()
                    .map_or_else(String::new, |reply| reply.text.clone()),
                references: asked.references.clone(),
            },
            spelled: asked.spelled,
            reply,
            problem,
        });
    }
    Ok(outcomes)
}
