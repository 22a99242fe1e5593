//! What a model makes of given texts: loss and perplexity by kind of data, loss by position, and
//! which experts each kind of data goes to.

use std::collections::BTreeMap;
use std::sync::Arc;

use avocet_config::WithoutImage;
use avocet_data::{Batch, BatchShape, Prepared, Sample};
use avocet_infer::Engine;
use avocet_media::{Limits, decode};
use avocet_model::{Images, TextBatch};
use candle_core::Tensor;
use rayon::prelude::*;
use serde::Serialize;

use super::error::EvalError;
use crate::error::{Result, TrainError};

/// Rows of tokens in one forward pass, more or less.
const ROWS: usize = 4096;
/// Samples in one forward pass.
const SAMPLES: usize = 32;
/// Rows whose logits exist at once.
const LOGIT_ROWS: usize = 256;

/// What a model makes of given texts.
#[derive(Debug, Clone, Default, Serialize)]
pub struct LossReport {
    /// By kind of sample, and of all together under `all`.
    pub kinds: BTreeMap<String, KindLoss>,
    /// By place in the text, over all kinds.
    pub positions: Vec<PositionLoss>,
}

/// What a model makes of one kind of text.
#[derive(Debug, Clone, Default, Serialize)]
pub struct KindLoss {
    /// Samples read.
    pub samples: usize,
    /// Tokens that were predicted: those of answers, or all of a text.
    pub tokens: usize,
    /// Mean negative log-likelihood of those tokens, in nats.
    pub loss: f64,
    /// `exp(loss)`.
    pub perplexity: f64,
    /// Share of choices that fell on each expert, by layer with experts.
    pub expert_shares: Vec<Vec<f64>>,
    /// Load of the busiest expert of a layer over an even share, the mean over the layers: 1 is
    /// even. Absent without experts.
    pub busiest_load: Option<f64>,
    /// Share of choices that would have to fall on other experts for this kind to use them as all
    /// kinds together do (total variation distance), the mean over the layers: 0 is no
    /// specialisation. Absent without experts.
    pub specialisation: Option<f64>,
}

/// Mean loss of the tokens at some places of their texts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PositionLoss {
    /// First place, 0 being a text's first token.
    pub from: usize,
    /// The place after the last.
    pub to: usize,
    /// Tokens predicted there.
    pub tokens: usize,
    /// Mean negative log-likelihood, in nats.
    pub loss: f64,
}

/// Reads samples with the model of `engine`; `read` is told how many are done.
///
/// Errors if a sample cannot be read, or its pictures do not decode.
pub fn measure_losses(
    engine: &Engine,
    samples: impl IntoIterator<Item = std::result::Result<Sample, EvalError>>,
    mut read: impl FnMut(usize),
) -> std::result::Result<LossReport, EvalError> {
    let reader = Reader::new(engine);
    let mut tally = Tally::default();
    let mut waiting: BTreeMap<String, (usize, Batch)> = BTreeMap::new();
    for sample in samples {
        let sample = sample?;
        let (count, batch) = waiting
            .entry(sample.kind.clone())
            .or_insert_with(|| (0, Batch::new()));
        batch.push(reader.prepared(&sample)?);
        *count += 1;
        if *count >= reader.most_samples || batch.ids.len() + batch.num_patches() >= ROWS {
            let (count, batch) = (
                std::mem::take(count),
                std::mem::replace(batch, Batch::new()),
            );
            tally.add(&reader, &sample.kind, count, &batch)?;
            read(count);
        }
    }
    for (kind, (count, batch)) in waiting {
        tally.add(&reader, &kind, count, &batch)?;
        read(count);
    }
    Ok(tally.report())
}

/// Makes batches for an engine's model and reads them.
pub(super) struct Reader<'a> {
    engine: &'a Engine,
    shape: BatchShape,
    /// Samples that may share a batch.
    pub most_samples: usize,
}

/// A batch read: its rows before the head, and the experts' loads by layer.
pub(super) struct Read {
    pub hidden: Tensor,
    loads: Vec<Vec<u32>>,
}

impl<'a> Reader<'a> {
    pub fn new(engine: &'a Engine) -> Self {
        let config = engine.config();
        let max_context = config.decoder.max_context;
        let shape = match engine.processor() {
            Some(processor) => BatchShape {
                processor: processor.clone(),
                max_context,
            },
            None => BatchShape::blind(max_context),
        };
        // Where tokens without an image attend to all that is packed, nothing else may be.
        let cross = config.cross_attention.as_ref();
        let alone = cross.is_some_and(|c| c.without_image == WithoutImage::Everything);
        Self {
            engine,
            shape,
            most_samples: if alone { 1 } else { SAMPLES },
        }
    }

    pub fn prepared(&self, sample: &Sample) -> Result<Prepared> {
        let prepared = Prepared::new(sample, self.engine.tokenizer(), &self.shape);
        let wrong = |reason: String| TrainError::Data(format!("sample {}: {reason}", sample.id));
        let prepared = prepared.map_err(|error| wrong(error.to_string()))?;
        let Some(onlooker) = self.engine.onlooker() else {
            return Ok(prepared);
        };
        let mut seen = Vec::with_capacity(sample.images.len());
        for image in &sample.images {
            let picture = decode(image, &Limits::default());
            let picture = picture.map_err(|error| wrong(error.to_string()))?;
            seen.push(Arc::new(onlooker.recognise(&picture)?));
        }
        Ok(prepared.recognised(seen))
    }

    pub fn read(&self, batch: &Batch) -> Result<Read> {
        let sees = self.engine.config().sees() && !batch.grids.is_empty();
        let model = self.engine.model();
        let latents = match sees {
            true => {
                let width = batch.patches.len() / batch.num_patches().max(1);
                let shape = (batch.num_patches(), width);
                let device = model.device();
                let patches = Tensor::from_slice(&batch.patches, shape, &device)?;
                let grids = batch.grids.clone();
                let latents = model.encode_images(&Images { patches, grids })?;
                Some(match self.engine.onlooker() {
                    Some(onlooker) => {
                        let seen = batch.recognitions.iter();
                        let glances: Vec<_> = seen.map(|seen| onlooker.glance(seen)).collect();
                        let shown: Vec<_> = glances.iter().collect();
                        model.with_glances(latents, &shown)?
                    }
                    None => latents,
                })
            }
            false => None,
        };
        let text = TextBatch {
            ids: batch.ids.clone(),
            offsets: batch.offsets.clone(),
            visible_images: match sees {
                true => batch.visible_images.clone(),
                false => vec![(0, 0); batch.ids.len()],
            },
        };
        let decoded = model.forward(&text, latents.as_ref())?;
        Ok(Read {
            hidden: decoded.hidden,
            loads: decoded.routers.into_iter().map(|r| r.load).collect(),
        })
    }

    /// For each of `rows` of what was read what `judge` makes of its logits.
    pub fn judge<T: Send>(
        &self,
        hidden: &Tensor,
        rows: &[usize],
        judge: impl Fn(usize, &[f32]) -> T + Sync,
    ) -> Result<Vec<T>> {
        let mut all = Vec::with_capacity(rows.len());
        for rows in rows.chunks(LOGIT_ROWS) {
            let places: Vec<u32> = rows.iter().map(|&row| row as u32).collect();
            let places = Tensor::from_vec(places, rows.len(), hidden.device())?;
            let logits = self
                .engine
                .model()
                .logits(&hidden.index_select(&places, 0)?)?;
            let logits = logits.to_vec2::<f32>()?; // (rows, V)
            let judged = logits
                .par_iter()
                .zip(rows)
                .map(|(logits, &row)| judge(row, logits));
            all.par_extend(judged);
        }
        Ok(all)
    }
}

/// Negative log-likelihood of `target` by `logits`, in nats.
fn negative_log_likelihood(logits: &[f32], target: u32) -> f64 {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits
        .iter()
        .map(|&logit| f64::from(logit - most).exp())
        .sum();
    let target = logits
        .get(target as usize)
        .copied()
        .unwrap_or(f32::NEG_INFINITY);
    sum.ln() - f64::from(target - most)
}

/// What was counted of one kind.
#[derive(Default)]
struct Sum {
    samples: usize,
    tokens: usize,
    loss: f64,
    loads: Vec<Vec<u64>>,
}

#[derive(Default)]
struct Tally {
    kinds: BTreeMap<String, Sum>,
    /// Tokens and sum of losses of places with the same number of binary digits.
    positions: BTreeMap<u32, (usize, f64)>,
}

impl Tally {
    fn add(
        &mut self,
        reader: &Reader<'_>,
        kind: &str,
        samples: usize,
        batch: &Batch,
    ) -> Result<()> {
        if samples == 0 {
            return Ok(());
        }
        let read = reader.read(batch)?;
        let weighed = |row: &usize| batch.weights[*row] > 0.0;
        let rows: Vec<usize> = (0..batch.ids.len()).filter(weighed).collect();
        let losses = reader.judge(&read.hidden, &rows, |row, logits| {
            negative_log_likelihood(logits, batch.targets[row])
        })?;
        for (row, loss) in rows.iter().zip(&losses) {
            let text = batch.offsets.partition_point(|start| start <= row) - 1;
            // A row predicts the token at the next place.
            let place = row - batch.offsets[text] + 1;
            let (tokens, sum) = self.positions.entry(place.ilog2()).or_default();
            (*tokens, *sum) = (*tokens + 1, *sum + loss);
        }
        for kind in [kind, "all"] {
            let sum = self.kinds.entry(kind.to_owned()).or_default();
            sum.samples += samples;
            sum.tokens += rows.len();
            sum.loss += losses.iter().sum::<f64>();
            sum.loads.resize_with(read.loads.len(), Vec::new);
            for (total, load) in sum.loads.iter_mut().zip(&read.loads) {
                total.resize(load.len(), 0);
                total
                    .iter_mut()
                    .zip(load)
                    .for_each(|(t, l)| *t += u64::from(*l));
            }
        }
        Ok(())
    }

    fn report(self) -> LossReport {
        let shares = |loads: &[Vec<u64>]| -> Vec<Vec<f64>> {
            let layer = |load: &Vec<u64>| {
                let total = load.iter().sum::<u64>().max(1) as f64;
                load.iter().map(|count| *count as f64 / total).collect()
            };
            loads.iter().map(layer).collect()
        };
        let all = self.kinds.get("all").map(|sum| shares(&sum.loads));
        let all = all.unwrap_or_default();
        let kind = |(name, sum): (String, Sum)| {
            let loss = sum.loss / sum.tokens.max(1) as f64;
            let own = shares(&sum.loads);
            let mean = |of: &dyn Fn(usize) -> f64| {
                let total: f64 = (0..own.len()).map(of).sum();
                (!own.is_empty()).then(|| total / own.len() as f64)
            };
            let busiest = |layer: usize| {
                let most = own[layer].iter().copied().fold(0.0, f64::max);
                most * own[layer].len() as f64
            };
            let apart = |layer: usize| {
                let pairs = own[layer].iter().zip(&all[layer]);
                pairs.map(|(a, b)| (a - b).abs()).sum::<f64>() / 2.0
            };
            let figures = KindLoss {
                samples: sum.samples,
                tokens: sum.tokens,
                loss,
                perplexity: loss.exp(),
                busiest_load: mean(&busiest),
                specialisation: mean(&apart),
                expert_shares: own.clone(),
            };
            (name, figures)
        };
        let position = |(digits, (tokens, sum)): (u32, (usize, f64))| PositionLoss {
            from: 1 << digits,
            to: 2 << digits,
            tokens,
            loss: sum / tokens.max(1) as f64,
        };
        LossReport {
            positions: self.positions.into_iter().map(position).collect(),
            kinds: self.kinds.into_iter().map(kind).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likelihood_is_that_of_the_softmax() {
        let logits = [1.0f32, 2.0, 3.0];
        let total: f64 = (0..3)
            .map(|t| (-negative_log_likelihood(&logits, t)).exp())
            .sum();
        assert!((total - 1.0).abs() < 1e-9);
        let gap = negative_log_likelihood(&logits, 0) - negative_log_likelihood(&logits, 2);
        assert!((gap - 2.0).abs() < 1e-9);
    }

    #[test]
    fn kinds_that_use_experts_of_their_own_are_specialised() {
        let mut tally = Tally::default();
        let kinds = [
            ("a", vec![vec![10, 0]]),
            ("b", vec![vec![0, 10]]),
            ("all", vec![vec![10, 10]]),
        ];
        for (kind, loads) in kinds {
            let sum = Sum {
                samples: 1,
                tokens: 4,
                loss: 4.0,
                loads,
            };
            tally.kinds.insert(kind.into(), sum);
        }
        let report = tally.report();
        assert_eq!(report.kinds["a"].specialisation, Some(0.5));
        assert_eq!(report.kinds["a"].busiest_load, Some(2.0));
        assert_eq!(report.kinds["all"].specialisation, Some(0.0));
        assert!((report.kinds["b"].perplexity - 1f64.exp()).abs() < 1e-12);
    }
}
