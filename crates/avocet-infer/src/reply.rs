//! What is said in the end: the answer, that the model is not sure of it, or that nothing is to be
//! seen. Commands and evaluation reply in this one way.

use std::ops::ControlFlow;

use avocet_config::AnswerKind;
use avocet_text::Turn;

use crate::answer::{Answer, FinishReason, Timing, Usage};
use crate::engine::Engine;
use crate::error::InferError;
use crate::images::Image;
use crate::not_sure::{NOT_SURE, is_not_sure};
use crate::sampler::SamplingOptions;
use crate::together::Question;

/// The most tokens of the coarser thing.
const COARSER_TOKENS: usize = 12;

/// What is said to a question.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The words.
    pub text: String,
    /// Whether they answer the question: false where they say that the model is not sure, or that
    /// nothing is to be seen.
    pub sure: bool,
    /// The coarser thing that is shown, where the model is sure of that at least.
    pub perhaps: Option<String>,
    /// What the model answered, sure or not; none where it was not asked, since nothing is to be
    /// seen.
    pub answer: Option<Answer>,
}

impl Reply {
    /// How probable it is that the model's answer is right; none where it was not asked.
    pub fn confidence(&self) -> Option<f64> {
        Some(self.answer.as_ref()?.confidence)
    }

    /// What the model would have answered where it is not sure.
    pub fn guess(&self) -> Option<&str> {
        let answer = self.answer.as_ref().filter(|_| !self.sure)?;
        Some(answer.text.as_str()).filter(|guess| *guess != self.text)
    }

    /// Why the answer ended.
    pub fn finish_reason(&self) -> FinishReason {
        let answer = self.answer.as_ref();
        answer.map_or(FinishReason::Stop, |answer| answer.finish_reason)
    }

    /// What the answer used; nothing where the model was not asked.
    pub fn usage(&self) -> Usage {
        self.answer
            .as_ref()
            .map_or_else(Usage::default, |answer| answer.usage)
    }

    /// How long it took.
    pub fn timing(&self) -> Timing {
        self.answer
            .as_ref()
            .map_or_else(Timing::default, |answer| answer.timing)
    }

    fn of_nothing(text: String) -> Self {
        Self {
            text,
            sure: false,
            perhaps: None,
            answer: None,
        }
    }
}

impl Engine {
    /// Replies to the last turn. Below `threshold`, or what the model's configuration has, it says
    /// that it is not sure; `None` and a model without a `[confidence]` table always answer.
    ///
    /// `on_text` gets pieces as they come where nothing can be taken back, else the whole at once.
    ///
    /// Errors as [`answer`](Self::answer) does.
    pub fn reply(
        &self,
        images: &[Image],
        turns: &[Turn],
        options: &SamplingOptions,
        threshold: Option<f64>,
        mut on_text: impl FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Reply, InferError> {
        let reply = match self.nothing_seen(images) {
            Some(text) => Reply::of_nothing(text),
            None if !self.may_refuse(threshold) => {
                let answer = self.answer(images, turns, options, on_text)?;
                return self.judge(images, answer, threshold);
            }
            None => {
                let silent = |_: &str| ControlFlow::Continue(());
                let answer = self.answer(images, turns, options, silent)?;
                self.judge(images, answer, threshold)?
            }
        };
        // Whoever listens may leave, which changes nothing any more.
        let _ = on_text(&reply.text);
        Ok(reply)
    }

    /// Replies to all `questions`, each as if it were alone.
    ///
    /// A question that cannot be answered fails alone.
    pub fn reply_together(
        &self,
        questions: &[Question],
        options: &SamplingOptions,
        threshold: Option<f64>,
    ) -> Result<Vec<Result<Reply, InferError>>, InferError> {
        let nothing: Vec<_> = questions
            .iter()
            .map(|question| self.nothing_seen(&question.images))
            .collect();
        let asked: Vec<Question> = (questions.iter().zip(&nothing))
            .filter(|(_, nothing)| nothing.is_none())
            .map(|(question, _)| question.clone())
            .collect();
        let mut answers = self.answer_together(&asked, options)?.into_iter();
        let replies = questions
            .iter()
            .zip(nothing)
            .filter_map(|(question, nothing)| {
                Some(match nothing {
                    Some(text) => Ok(Reply::of_nothing(text)),
                    None => answers
                        .next()?
                        .and_then(|answer| self.judge(&question.images, answer, threshold)),
                })
            });
        Ok(replies.collect())
    }

    /// What is said where the model answers so about `images`.
    ///
    /// Errors if the network fails when it is asked for the coarser thing.
    pub fn judge(
        &self,
        images: &[Image],
        answer: Answer,
        threshold: Option<f64>,
    ) -> Result<Reply, InferError> {
        let (kind, least) = self.least_confidence(&answer, threshold);
        // Words of doubt that are read off a picture are no doubt.
        let doubts = kind != AnswerKind::Reading && is_not_sure(&answer.text);
        let sure = answer.confidence >= least && !doubts;
        let perhaps = match kind {
            _ if sure => None,
            AnswerKind::YesOrNo => None,
            AnswerKind::Name | AnswerKind::Reading => self.coarser(images, threshold)?,
        };
        let text = match (sure, doubts, &perhaps) {
            (true, ..) | (false, true, None) => answer.text.clone(),
            (false, _, Some(coarser)) => format!("{NOT_SURE}; perhaps {coarser}"),
            (false, false, None) => NOT_SURE.to_owned(),
        };
        Ok(Reply {
            text,
            sure,
            perhaps,
            answer: Some(answer),
        })
    }

    /// The coarser thing that `images` show, if the model's configuration has a question for it and
    /// the model is sure of its answer.
    fn coarser(
        &self,
        images: &[Image],
        threshold: Option<f64>,
    ) -> Result<Option<String>, InferError> {
        let config = self.config().confidence.as_ref();
        let Some(question) = config.and_then(|config| config.coarser.as_deref()) else {
            return Ok(None);
        };
        if images.is_empty() {
            return Ok(None);
        }
        let turns = [Turn::about(images.len(), question)];
        let mut asked = self.sequence(images, &turns, &SamplingOptions::greedy(COARSER_TOKENS))?;
        self.finish(&mut [&mut asked])?;
        let answer = asked.into_answer();
        let (_, least) = self.least_confidence(&answer, threshold);
        let known = answer.confidence >= least && !is_not_sure(&answer.text);
        let text = answer.text.trim().trim_end_matches('.').to_owned();
        Ok(Some(text).filter(|text| known && !text.is_empty()))
    }

    /// What an answer is, and the confidence below which it does not stand.
    fn least_confidence(&self, answer: &Answer, threshold: Option<f64>) -> (AnswerKind, f64) {
        let none = Default::default();
        let config = self.config().confidence.as_ref().unwrap_or(&none);
        let kind = config.kind(&answer.text, answer.token_ids.len());
        (kind, threshold.unwrap_or(config.of(kind).threshold))
    }

    /// Whether an answer may turn out not to stand.
    fn may_refuse(&self, threshold: Option<f64>) -> bool {
        let config = self.config().confidence.as_ref();
        let own = || config.is_some_and(|config| config.may_refuse());
        threshold.map_or_else(own, |threshold| threshold > 0.0)
    }
}
