//! Answered examples before a question: few-shot evaluation.

use avocet_infer::Engine;
use avocet_text::Turn;
use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;

use super::error::{EvalError, Result};
use super::task::Asked;

/// Where examples are chosen from.
pub struct Shots {
    count: usize,
    pool: Vec<Asked>,
    /// Directions of the examples' pictures, if they are chosen by similarity.
    features: Option<Vec<Vec<f32>>>,
    random: ChaCha8Rng,
}

impl Shots {
    /// Shows `count` examples of `pool`, chosen by chance; never the question itself.
    ///
    /// Errors if there are too few.
    pub fn new(pool: Vec<Asked>, count: usize, seed: u64) -> Result<Self> {
        // One of them may be the question itself.
        if pool.len() <= count {
            return Err(EvalError::FewExamples {
                examples: pool.len(),
                shots: count,
            });
        }
        Ok(Self {
            count,
            pool,
            features: None,
            random: ChaCha8Rng::seed_from_u64(seed),
        })
    }

    /// Chooses from now on examples whose pictures look most like the question's to the model's
    /// own vision tower; `at` is told how many are looked at, of how many.
    ///
    /// Errors if a picture cannot be looked at.
    pub fn choose_similar(
        &mut self,
        engine: &Engine,
        mut at: impl FnMut(usize, usize),
    ) -> Result<()> {
        let mut found = Vec::with_capacity(self.pool.len());
        for asked in &self.pool {
            found.push(direction(engine, asked)?);
            at(found.len(), self.pool.len());
        }
        self.features = Some(found);
        Ok(())
    }

    /// The question with its examples before it; the most similar stands last.
    pub fn before(&mut self, asked: &Asked, engine: &Engine) -> Result<Asked> {
        let other = |shot: &Asked| shot.turns != asked.turns || shot.images != asked.images;
        let chosen: Vec<usize> = match &self.features {
            Some(features) => {
                let own = direction(engine, asked)?;
                let alike = |index: &usize| -> f32 {
                    own.iter().zip(&features[*index]).map(|(a, b)| a * b).sum()
                };
                let mut order: Vec<usize> = (0..self.pool.len()).collect();
                order.retain(|&index| other(&self.pool[index]));
                order.sort_by(|a, b| alike(b).total_cmp(&alike(a)).then(a.cmp(b)));
                order.truncate(self.count);
                order.reverse();
                order
            }
            None => {
                let drawn = index::sample(&mut self.random, self.pool.len(), self.count + 1);
                let drawn = drawn.into_iter().filter(|&index| other(&self.pool[index]));
                drawn.take(self.count).collect()
            }
        };
        let mut whole = Asked {
            images: Vec::new(),
            turns: Vec::new(),
            ..asked.clone()
        };
        for shot in chosen.into_iter().map(|index| &self.pool[index]) {
            whole.images.extend(shot.images.iter().cloned());
            whole.turns.extend(shot.turns.iter().cloned());
            whole.turns.push(Turn::assistant(&shot.references[0]));
        }
        whole.images.extend(asked.images.iter().cloned());
        whole.turns.extend(asked.turns.iter().cloned());
        Ok(whole)
    }
}

/// The mean of the features of a question's pictures, of length 1; zeros without pictures.
fn direction(engine: &Engine, asked: &Asked) -> Result<Vec<f32>> {
    let mut sum: Vec<f32> = Vec::new();
    for bytes in &asked.images {
        let image = engine.read_whole_image(bytes);
        let image = image.map_err(|cause| EvalError::Image {
            id: asked.id.clone(),
            cause: Box::new(cause),
        })?;
        let features = engine.features(&image)?;
        sum.resize(features.len(), 0.0);
        sum.iter_mut().zip(&features).for_each(|(s, f)| *s += f);
    }
    let length = sum.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-12);
    sum.iter_mut().for_each(|value| *value /= length);
    Ok(sum)
}
