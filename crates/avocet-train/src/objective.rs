//! What a stage minimises, computed for one micro-batch.

use std::collections::BTreeMap;
use std::sync::Arc;

use avocet_config::ModelConfig;
use avocet_data::Batch;
use avocet_infer::Onlooker;
use avocet_kernels::cross_entropy;
use avocet_model::{Decoded, Glance, Images, Latents, TextBatch, VisionLanguageModel, only};
use candle_core::{Device, Tensor};

use crate::auxiliary::{AuxiliaryHeads, AuxiliaryLosses, Names};
use crate::config::{LossWeights, StageKind};
use crate::contrast::{Answers, Contrast};
use crate::error::Result;
use crate::figures::{WeightedSums, add_sums};
use crate::reduce::StepTotals;

/// What a stage minimises.
#[derive(Debug)]
pub struct Objective {
    /// Which towers take part.
    pub kind: StageKind,
    /// Weights of the parts.
    pub weights: LossWeights,
    /// The auxiliary heads, if any weight asks for them.
    pub heads: Option<AuxiliaryHeads>,
    /// The projections that pictures and answers are compared by, if a weight asks for it.
    pub contrast: Option<Contrast>,
    /// Says what the decoder is shown of what was recognised, if the model recognises things.
    pub onlooker: Option<Arc<Onlooker>>,
}

/// A micro-batch's place in its step.
#[derive(Debug, Clone, Copy)]
pub struct LossNormalizer {
    /// Sum of the target weights over the whole step: the text loss is the mean over the step.
    pub answer_weight: f32,
    /// Micro-batches of the step, on all ranks.
    pub micro_batches: usize,
}

impl LossNormalizer {
    /// The place of each micro-batch in the step of these totals.
    pub fn of(totals: &StepTotals) -> Self {
        Self {
            answer_weight: totals.answer_weight.max(1.0),
            micro_batches: totals.micro_batches.max(1),
        }
    }
}

/// The losses of a micro-batch. Over the micro-batches of a step, totals and parts add up.
#[derive(Debug)]
pub struct Losses {
    /// What to minimise; none if the batch holds nothing that the stage learns from.
    pub total: Option<Tensor>,
    /// The parts, before weighting.
    pub parts: BTreeMap<&'static str, Tensor>,
    /// Choices that fell on each expert, by layer.
    pub loads: Vec<Vec<u32>>,
    hidden: Option<Tensor>,
    auxiliary: Option<AuxiliaryLosses>,
}

impl Objective {
    /// Computes the losses of a micro-batch.
    pub fn losses(
        &self,
        model: &VisionLanguageModel,
        batch: &Batch,
        normalizer: LossNormalizer,
        names: &Names,
    ) -> Result<Losses> {
        let mut losses = Self::none();
        let latents = self.see(model, batch, normalizer, names, &mut losses)?;
        if self.kind != StageKind::Vision {
            let decoded = model.forward(&self.text(batch), latents.as_ref())?;
            self.decode(model, batch, normalizer, decoded, &mut losses)?;
        }
        Ok(losses)
    }

    /// Losses without parts.
    pub(crate) fn none() -> Losses {
        Losses {
            total: None,
            parts: BTreeMap::new(),
            loads: Vec::new(),
            hidden: None,
            auxiliary: None,
        }
    }

    /// Runs the vision tower, adds the auxiliary losses, and gives what the decoder attends to.
    pub(crate) fn see(
        &self,
        model: &VisionLanguageModel,
        batch: &Batch,
        normalizer: LossNormalizer,
        names: &Names,
        losses: &mut Losses,
    ) -> Result<Option<Latents>> {
        if self.kind == StageKind::Text || batch.grids.is_empty() {
            return Ok(None);
        }
        let images = images(batch, &model.device())?;
        if self.heads.is_none() && self.contrast.is_none() {
            let latents = model.encode_images(&images)?;
            return Ok(Some(self.glance(model, batch, latents)?));
        }
        let features = model.encode_patches(&images)?;
        let part = 1.0 / normalizer.micro_batches as f64;
        if let Some(heads) = &self.heads {
            let auxiliary = heads.losses(&features.rows, &batch.grids, &batch.truths, names)?;
            if let Some(ctc) = &auxiliary.ctc {
                losses.add("ctc", ctc.affine(part, 0.0)?, self.weights.ctc)?;
            }
            if let Some(naming) = &auxiliary.names {
                losses.add("names", naming.affine(part, 0.0)?, self.weights.names)?;
            }
            losses.auxiliary = Some(auxiliary);
        }
        if let Some(contrast) = &self.contrast {
            self.compare(contrast, model, batch, &features.rows, part, losses)?;
        }
        match self.kind {
            StageKind::Vision => Ok(None),
            _ => {
                let latents = model.resample(features)?;
                Ok(Some(self.glance(model, batch, latents)?))
            }
        }
    }

    /// `latents` with what was recognised beside them.
    fn glance(
        &self,
        model: &VisionLanguageModel,
        batch: &Batch,
        latents: Latents,
    ) -> Result<Latents> {
        let Some(onlooker) = self
            .onlooker
            .as_ref()
            .filter(|_| !batch.recognitions.is_empty())
        else {
            return Ok(latents);
        };
        let glances = batch.recognitions.iter().map(|seen| onlooker.glance(seen));
        let glances: Vec<Glance> = glances.collect();
        let shown: Vec<&Glance> = glances.iter().collect();
        Ok(model.with_glances(latents, &shown)?)
    }

    /// Adds the loss of pictures that find their answers, and of the experts that read these.
    fn compare(
        &self,
        contrast: &Contrast,
        model: &VisionLanguageModel,
        batch: &Batch,
        features: &Tensor,
        part: f64,
        losses: &mut Losses,
    ) -> Result<()> {
        let answers = Answers::of(batch);
        if answers.is_empty() {
            return Ok(());
        }
        let Decoded { hidden, routers } = model.forward(&answers.texts(), None)?;
        let loss = contrast.loss(features, &batch.grids, &hidden, &answers)?;
        losses.add("contrast", loss.affine(part, 0.0)?, self.weights.contrast)?;
        if self.kind == StageKind::Vision && !routers.is_empty() {
            let part = part / routers.len() as f64;
            let balance: Vec<&Tensor> = routers.iter().map(|router| &router.balance).collect();
            let balance = Tensor::stack(&balance, 0)?.sum_all()?.affine(part, 0.0)?;
            losses.add("balance", balance, self.weights.balance)?;
            losses.loads = routers.into_iter().map(|router| router.load).collect();
        }
        Ok(())
    }

    pub(crate) fn text(&self, batch: &Batch) -> TextBatch {
        let blind = self.kind == StageKind::Text;
        TextBatch {
            ids: batch.ids.clone(),
            offsets: batch.offsets.clone(),
            visible_images: if blind {
                vec![only(None); batch.ids.len()]
            } else {
                batch.visible_images.clone()
            },
        }
    }

    pub(crate) fn decode(
        &self,
        model: &VisionLanguageModel,
        batch: &Batch,
        normalizer: LossNormalizer,
        decoded: Decoded,
        losses: &mut Losses,
    ) -> Result<()> {
        let Decoded { hidden, routers } = decoded;
        self.predict(model, batch, normalizer, hidden, losses)?;
        let part = 1.0 / (normalizer.micro_batches * routers.len().max(1)) as f64;
        let mean = |of: Vec<&Tensor>| Tensor::stack(&of, 0)?.sum_all()?.affine(part, 0.0);
        if !routers.is_empty() {
            let balance = mean(routers.iter().map(|r| &r.balance).collect())?;
            losses.add("balance", balance, self.weights.balance)?;
            let z = mean(routers.iter().map(|r| &r.z).collect())?;
            losses.add("z", z, self.weights.z)?;
        }
        losses.loads = routers.into_iter().map(|r| r.load).collect();
        Ok(())
    }

    /// Adds the loss of the text by the rows `hidden` that predict it.
    pub(crate) fn predict(
        &self,
        model: &VisionLanguageModel,
        batch: &Batch,
        normalizer: LossNormalizer,
        hidden: Tensor,
        losses: &mut Losses,
    ) -> Result<()> {
        let weights: Vec<f32> = batch
            .weights
            .iter()
            .map(|w| w / normalizer.answer_weight)
            .collect();
        let text = cross_entropy(&hidden, model.head(), &batch.targets, &weights)?;
        losses.add("text", text, 1.0)?;
        losses.hidden = Some(hidden);
        Ok(())
    }
}

impl Losses {
    fn add(&mut self, name: &'static str, part: Tensor, weight: f64) -> Result<()> {
        if weight > 0.0 {
            let weighted = part.affine(weight, 0.0)?;
            self.total = Some(match self.total.take() {
                Some(total) => total.add(&weighted)?,
                None => weighted,
            });
        }
        self.parts.insert(name, part.detach());
        Ok(())
    }

    /// Adds the answer tokens' losses to `sums` by kind of sample; forward work only.
    pub(crate) fn add_kinds(
        &self,
        model: &VisionLanguageModel,
        batch: &Batch,
        sums: &mut WeightedSums,
    ) -> Result<()> {
        let Some(hidden) = &self.hidden else {
            return Ok(());
        };
        let (hidden, head) = (hidden.detach(), model.head().detach());
        let kinds: std::collections::BTreeSet<&String> = batch.kinds.iter().collect();
        for kind in kinds {
            let mut weights = vec![0f32; batch.ids.len()];
            for (span, of) in batch.offsets.windows(2).zip(&batch.kinds) {
                if of == kind {
                    weights[span[0]..span[1]].copy_from_slice(&batch.weights[span[0]..span[1]]);
                }
            }
            let weight = weights.iter().sum::<f32>();
            if weight > 0.0 {
                let loss = cross_entropy(&hidden, &head, &batch.targets, &weights)?;
                let (sum, total) = sums.entry(kind.clone()).or_default();
                *sum += f64::from(loss.to_scalar::<f32>()?);
                *total += f64::from(weight);
            }
        }
        Ok(())
    }

    /// Adds how well the auxiliary heads did to `sums`.
    pub(crate) fn add_accuracy(&self, sums: &mut WeightedSums) -> Result<()> {
        let Some(auxiliary) = &self.auxiliary else {
            return Ok(());
        };
        let accuracy = auxiliary.accuracy()?;
        let figures = [
            ("character_error_rate", accuracy.character_error_rate),
            ("name_accuracy", accuracy.name_accuracy),
        ];
        for (name, figure) in figures {
            if let Some(figure) = figure {
                add_sums(sums, [(name.to_string(), (figure, 1.0))].into());
            }
        }
        Ok(())
    }
}

/// The batch's images as the model takes them.
fn images(batch: &Batch, device: &Device) -> Result<Images> {
    let count: usize = batch
        .grids
        .iter()
        .map(|(rows, columns)| rows * columns)
        .sum();
    let width = batch.patches.len() / count.max(1);
    let patches = Tensor::from_slice(&batch.patches, (count, width), device)?;
    Ok(Images {
        patches,
        grids: batch.grids.clone(),
    })
}

/// Operations of a training step on a batch: frozen vision costs its forward pass only.
pub(crate) fn step_flops(
    config: &ModelConfig,
    kind: StageKind,
    batch: &Batch,
    vision_trains: bool,
    contrast: bool,
) -> f64 {
    use avocet_config::{TRAINING_FACTOR, forward_flops, vision_flops};
    let seeing = if kind == StageKind::Text {
        0.0
    } else {
        vision_flops(config, &batch.grids)
    };
    let factor = if vision_trains { TRAINING_FACTOR } else { 1.0 };
    let mut reading = 0.0;
    if contrast {
        let answers = Answers::of(batch);
        let texts = answers.lengths().map(|length| (length, 0));
        reading = forward_flops(config, &[], texts) * TRAINING_FACTOR;
    }
    if kind == StageKind::Vision {
        return seeing * factor + reading;
    }
    let patches = |text: &[(u32, u32)]| {
        let (first, end) = text.last().copied().unwrap_or((0, 0));
        let seen = batch.grids.get(first as usize..end as usize);
        let seen = seen.unwrap_or_default().iter();
        seen.map(|(rows, columns)| rows * columns).sum::<usize>()
    };
    let texts = batch.offsets.windows(2).map(|span| {
        let seen = match kind {
            StageKind::Text => 0,
            _ => patches(&batch.visible_images[span[0]..span[1]]),
        };
        (span[1] - span[0], seen)
    });
    let grids: &[(usize, usize)] = if kind == StageKind::Text {
        &[]
    } else {
        &batch.grids
    };
    let decoding = forward_flops(config, grids, texts) - seeing;
    seeing * factor + decoding * TRAINING_FACTOR + reading
}
