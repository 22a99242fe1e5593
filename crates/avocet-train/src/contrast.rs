//! Pictures drawn to their own answers and away from the others of the batch.
//!
//! The decoder reads each answer alone, without picture or question; the mean of its states and the
//! mean feature of the picture are projected to one space, and each must find the other among all
//! of the batch (CLIP, arXiv:2103.00020, section 2.3). The projections are dropped afterwards.

use std::collections::HashSet;

use avocet_data::Batch;
use avocet_kernels::{Weight, cross_entropy, group_means};
use avocet_model::{Builder, Init, Role, TextBatch, only};
use candle_core::Tensor;

use crate::error::Result;
use crate::patch_groups;

/// Width of the common space.
const DIM: usize = 128;
/// Where the logarithm of the scale of the cosines begins (section 2.5) and ends.
const SCALE: (f64, f64) = (2.659_26, 4.605_17);
/// Answers of fewer tokens are left out: "yes" says nothing of its picture.
const LEAST_TOKENS: usize = 2;

/// The projections of both sides.
#[derive(Debug, Clone)]
pub struct Contrast {
    picture: Weight,
    text: Weight,
    scale: Tensor,
}

/// The answers of a batch that tell their pictures from the others'.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    ids: Vec<u32>,
    offsets: Vec<usize>,
    /// Which pictures they are of, by rising place, each once.
    pictures: Vec<usize>,
}

impl Answers {
    /// Of the texts with a picture, those whose answer is no other's too.
    pub fn of(batch: &Batch) -> Self {
        let mut answers = Self {
            ids: Vec::new(),
            offsets: vec![0],
            pictures: Vec::new(),
        };
        let mut seen = HashSet::new();
        for span in batch.offsets.windows(2) {
            let rows = span[0]..span[1];
            let Some(&(picture, end)) = batch.visible_images[rows.clone()].last() else {
                continue;
            };
            let learned = rows.filter(|&row| batch.weights[row] > 0.0);
            let mut answer: Vec<u32> = learned.map(|row| batch.targets[row]).collect();
            answer.pop(); // the end of the turn
            let picture = picture as usize;
            let later = answers.pictures.last().is_none_or(|&last| last < picture);
            if end as usize == picture + 1
                && later
                && answer.len() >= LEAST_TOKENS
                && seen.insert(answer.clone())
            {
                answers.ids.extend(answer);
                answers.offsets.push(answers.ids.len());
                answers.pictures.push(picture);
            }
        }
        answers
    }

    /// Number of answers.
    pub fn len(&self) -> usize {
        self.pictures.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.pictures.is_empty()
    }

    /// Tokens of each.
    pub fn lengths(&self) -> impl Iterator<Item = usize> + '_ {
        self.offsets.windows(2).map(|span| span[1] - span[0])
    }

    /// As the decoder reads them.
    pub fn texts(&self) -> TextBatch {
        TextBatch {
            ids: self.ids.clone(),
            offsets: self.offsets.clone(),
            visible_images: vec![only(None); self.ids.len()],
        }
    }
}

impl Contrast {
    /// Projections of features `vision_dim` wide and decoder states `dim` wide.
    pub fn new(vision_dim: usize, dim: usize, builder: Builder) -> Result<Self> {
        let builder = builder.pp("contrast");
        let matrix = |dim: usize, name| {
            let stdev = 1.0 / (dim as f64).sqrt();
            let init = Init::Normal { stdev };
            builder.small_matrix((DIM, dim), name, Role::Matrix, init)
        };
        Ok(Self {
            picture: matrix(vision_dim, "picture")?,
            text: matrix(dim, "text")?,
            scale: builder.tensor(1, "scale", Role::Gate, Init::Constant(SCALE.0))?,
        })
    }

    /// Mean negative log-likelihood of finding the other side, over both directions.
    ///
    /// `features` (P, D_v) has one row a patch of the pictures of `grids`, `states` (T, D) one a
    /// token of `answers`, of which there is at least one.
    pub fn loss(
        &self,
        features: &Tensor,
        grids: &[(usize, usize)],
        states: &Tensor,
        answers: &Answers,
    ) -> Result<Tensor> {
        let wanted: Vec<bool> = (0..grids.len())
            .map(|picture| answers.pictures.binary_search(&picture).is_ok())
            .collect();
        let lines: Vec<(usize, usize)> = answers.lengths().map(|length| (1, length)).collect();
        let all = vec![true; lines.len()];
        let pictures = group_means(features, &patch_groups::images(grids, &wanted))?;
        let texts = group_means(states, &patch_groups::images(&lines, &all))?;
        let pictures = unit(&self.picture.linear(&pictures)?)?;
        let texts = unit(&self.text.linear(&texts)?)?;
        let scale = self.scale.clamp(0.0, SCALE.1)?.exp()?;
        let targets: Vec<u32> = (0..answers.len() as u32).collect();
        let weights = vec![0.5 / targets.len() as f32; targets.len()];
        let found = |of: &Tensor, among: &Tensor| {
            let among = Weight::from(among).with_precision(self.text.precision());
            cross_entropy(&of.broadcast_mul(&scale)?, &among, &targets, &weights)
        };
        Ok((found(&pictures, &texts)? + found(&texts, &pictures)?)?)
    }
}

/// Rows of length 1.
fn unit(rows: &Tensor) -> Result<Tensor> {
    let length = (rows.sqr()?.sum_keepdim(1)? + 1e-12)?.sqrt()?;
    Ok(rows.broadcast_div(&length)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradients::Gradients;
    use crate::optimizer::{AdamW, AdamWConfig};
    use crate::params::{Params, Selection};
    use avocet_kernels::{HOST, Placement};
    use std::collections::HashMap;

    /// Texts of (question, answer) tokens, each with a picture of its own of one patch.
    fn batch(texts: &[(&[u32], &[u32])]) -> Batch {
        let mut batch = Batch::new();
        for (picture, (question, answer)) in (0u32..).zip(texts) {
            let all = [*question, *answer, &[9]].concat();
            for at in 0..all.len() - 1 {
                batch.ids.push(all[at]);
                batch.targets.push(all[at + 1]);
                batch
                    .weights
                    .push(f32::from(u8::from(at + 1 >= question.len())));
                batch.visible_images.push((picture, picture + 1));
            }
            batch.offsets.push(batch.ids.len());
            batch.grids.push((1, 1));
        }
        batch
    }

    #[test]
    fn answers_are_taken_once_without_question_end_or_yes() {
        let texts: [(&[u32], &[u32]); 5] = [
            (&[1, 2], &[5, 6]),
            (&[1], &[7]),
            (&[1, 2, 3], &[5, 6]),
            (&[1], &[8, 5, 6]),
            (&[], &[]),
        ];
        let answers = Answers::of(&batch(&texts));
        assert_eq!(answers.ids, [5, 6, 8, 5, 6]);
        assert_eq!(answers.offsets, [0, 2, 5]);
        assert_eq!(answers.pictures, [0, 3]);
        assert!(Answers::of(&Batch::new()).is_empty());
    }

    #[test]
    fn pictures_and_answers_learn_to_find_each_other() -> Result<()> {
        let texts: [(&[u32], &[u32]); 3] = [(&[1], &[5, 6]), (&[1], &[6, 5]), (&[2], &[7, 7, 4])];
        let batch = batch(&texts);
        let answers = Answers::of(&batch);
        let params = Params::new(3, Selection::all(), HashMap::new(), &Placement::default());
        let contrast = Contrast::new(6, 4, params.builder())?;
        let rows = |count: usize, width: usize, pace: f32| {
            let values = (0..count * width).map(|i| ((i * i + i) as f32 * pace).sin());
            Tensor::from_vec(values.collect::<Vec<f32>>(), (count, width), &HOST)
        };
        let (features, states) = (rows(3, 6, 0.37)?, rows(7, 4, 0.23)?);
        let trained = params.trained();
        assert_eq!(trained.len(), 3);
        let mut optimizer = AdamW::new(AdamWConfig::default(), &trained, |_| 1.0)?;
        let mut last = f32::INFINITY;
        for step in 0..80 {
            let loss = contrast.loss(&features, &batch.grids, &states, &answers)?;
            last = loss.to_scalar::<f32>()?;
            let gradients = Gradients::of(&trained, &mut loss.backward()?)?;
            if step == 0 {
                assert!((0.1..6.0).contains(&last), "{last}");
            }
            optimizer.step(&gradients, 0.02, 1.0)?;
        }
        assert!(last < 0.02, "{last}");
        Ok(())
    }
}
