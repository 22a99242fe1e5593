//! Many questions answered together, for evaluation: packed one after another, no padding.

use std::ops::ControlFlow;

use avocet_config::WithoutImage;
use avocet_model::TextBatch;
use avocet_text::Turn;
use candle_core::{IndexOp, Tensor};

use crate::engine::Engine;
use crate::error::InferError;
use crate::images::{Image, distinct};
use crate::sampler::{Sampler, SamplingOptions};

/// A conversation that ends with a question.
#[derive(Debug, Clone)]
pub struct Question {
    /// The images that its markers stand for, in order.
    pub images: Vec<Image>,
    /// What was said so far.
    pub turns: Vec<Turn>,
}

/// One question while it is being answered.
struct Open {
    /// Where its answer belongs.
    place: usize,
    ids: Vec<u32>,
    seen: Vec<(u32, u32)>,
    prompt_tokens: usize,
    sampler: Sampler,
}

impl Engine {
    /// Answers all `questions`; each gets the answer that it would get alone.
    ///
    /// Every step reads the conversations anew: without a cache of keys there is nothing to copy,
    /// and short questions with short answers, packed, keep the products large.
    /// A question that cannot be answered fails alone.
    pub fn answer_together(
        &self,
        questions: &[Question],
        options: &SamplingOptions,
    ) -> Result<Vec<Result<String, InferError>>, InferError> {
        // Where texts see runs of images, or all of them, they cannot share what is packed.
        let cross = self.config().cross_attention.as_ref();
        if cross.is_some_and(|cross| cross.without_image == WithoutImage::Everything) {
            let alone = |question: &Question| {
                let (images, turns) = (&question.images, &question.turns);
                let answer = self.answer(images, turns, options, |_| ControlFlow::Continue(()));
                Ok(answer.map(|answer| answer.text))
            };
            return questions.iter().map(alone).collect();
        }
        let images = distinct(questions.iter().flat_map(|question| &question.images));
        let images: Vec<Image> = images.into_iter().cloned().collect();
        let keys = self.keys(&images)?;
        let mut answers = Vec::with_capacity(questions.len());
        let mut open = Vec::new();
        for (place, question) in questions.iter().enumerate() {
            match self.open(question, &images, place, options) {
                Ok(one) => {
                    open.push(one);
                    answers.push(Ok(String::new()));
                }
                Err(error) => answers.push(Err(error)),
            }
        }
        let context = self.config().decoder.max_context;
        while !open.is_empty() {
            let batch = pack(&open);
            let decoded = self.model().forward_with_keys(&batch, &keys)?;
            let last: Vec<u32> = batch.offsets[1..]
                .iter()
                .map(|end| (*end - 1) as u32)
                .collect();
            let last = Tensor::from_vec(last, open.len(), decoded.hidden.device())?;
            let logits = self
                .model()
                .logits(&decoded.hidden.index_select(&last, 0)?)?; // (B, V)
            let mut going_on = Vec::with_capacity(open.len());
            for (row, mut one) in open.into_iter().enumerate() {
                let mut logits = logits.i(row)?.to_vec1::<f32>()?; // (V)
                let id = self.choose(&mut one.sampler, &mut logits);
                let said = one.ids.len() - one.prompt_tokens + 1;
                let ended = self.language().is_stop(id);
                if !ended {
                    one.ids.push(id);
                    one.seen.push(one.seen.last().copied().unwrap_or((0, 0)));
                }
                if ended || said >= options.max_tokens || one.ids.len() >= context {
                    let mut stream = self.language().stream();
                    let said = one.ids[one.prompt_tokens..].iter();
                    answers[one.place] = Ok(said.map(|&id| stream.push(id)).collect());
                } else {
                    going_on.push(one);
                }
            }
            open = going_on;
        }
        Ok(answers)
    }

    fn open(
        &self,
        question: &Question,
        images: &[Image],
        place: usize,
        options: &SamplingOptions,
    ) -> Result<Open, InferError> {
        let prompt = self.prompt(&question.turns, question.images.len())?;
        let index_of = |image: &Image| (0u32..).zip(images).find(|(_, other)| other.is(image));
        let places: Vec<u32> = question
            .images
            .iter()
            .filter_map(index_of)
            .map(|(index, _)| index)
            .collect();
        let seen = self.language().visible_images(&prompt.ids);
        let moved = |(first, end): (u32, u32)| match first == end {
            true => (0, 0),
            false => {
                let first = places[first as usize];
                (first, first + 1)
            }
        };
        Ok(Open {
            place,
            seen: seen.into_iter().map(moved).collect(),
            prompt_tokens: prompt.ids.len(),
            ids: prompt.ids,
            sampler: Sampler::new(options),
        })
    }
}

/// Lays the conversations one after another.
fn pack(open: &[Open]) -> TextBatch {
    let mut batch = TextBatch {
        ids: Vec::new(),
        offsets: vec![0],
        visible_images: Vec::new(),
    };
    for one in open {
        batch.ids.extend_from_slice(&one.ids);
        batch.visible_images.extend_from_slice(&one.seen);
        batch.offsets.push(batch.ids.len());
    }
    batch
}
