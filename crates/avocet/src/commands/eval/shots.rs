//! Answered examples before a question: few-shot evaluation.

use anyhow::{Context, Result, bail};
use avocet_infer::{Engine, Image};
use avocet_text::Turn;
use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;

use super::args::EvalArgs;
use crate::input::task::{Asked, Task};
use crate::ui::progress::Stage;

/// Examples that are looked at, the first of their dataset.
const MOST: usize = 4000;

/// Where examples are chosen from.
pub struct Shots {
    count: usize,
    pool: Vec<Asked>,
    /// Directions of the examples' pictures, if they are chosen by similarity.
    features: Option<Vec<Vec<f32>>>,
    random: ChaCha8Rng,
}

impl Shots {
    /// The examples that `args` ask for, if any.
    pub fn open(args: &EvalArgs, engine: &Engine) -> Result<Option<Self>> {
        let Some(from) = args.shots_from.as_deref().filter(|_| args.shots > 0) else {
            return Ok(None);
        };
        let task = Task::find("--shots-from", from)?;
        let pool = task.questions(MOST)?.collect::<Result<Vec<_>>>()?;
        let count = usize::from(args.shots);
        // One of them may be the question itself.
        if pool.len() <= count {
            bail!(
                "--shots-from {}: {} examples, too few to show {count}",
                from.display(),
                pool.len()
            );
        }
        let features = match args.similar {
            true => Some(directions(engine, &pool).context("--similar")?),
            false => None,
        };
        Ok(Some(Self {
            count,
            pool,
            features,
            random: ChaCha8Rng::seed_from_u64(args.seed),
        }))
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

fn directions(engine: &Engine, pool: &[Asked]) -> Result<Vec<Vec<f32>>> {
    let stage = Stage::begin("looking");
    let mut found = Vec::with_capacity(pool.len());
    for (index, asked) in pool.iter().enumerate() {
        found.push(direction(engine, asked)?);
        stage.at(index as f64 + 1.0, pool.len() as f64);
    }
    stage.end();
    Ok(found)
}

/// The mean of the features of a question's pictures, of length 1; zeros without pictures.
fn direction(engine: &Engine, asked: &Asked) -> Result<Vec<f32>> {
    let mut sum: Vec<f32> = Vec::new();
    for bytes in &asked.images {
        let image: Image = engine
            .read_whole_image(bytes)
            .with_context(|| asked.id.clone())?;
        let features = engine.features(&image)?;
        sum.resize(features.len(), 0.0);
        sum.iter_mut().zip(&features).for_each(|(s, f)| *s += f);
    }
    let length = sum.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-12);
    sum.iter_mut().for_each(|value| *value /= length);
    Ok(sum)
}
