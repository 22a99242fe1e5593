//! The rows that stand beside a picture's patches: features of a frozen recogniser, and the names
//! of what it holds likely, spelled in the decoder's own tokens.
//!
//! A name that no picture of a training set shows can still be said: its tokens stand there to be
//! copied, and a question that has the word in it finds the rows that spell it.

use avocet_config::{ConceptsConfig, ModelConfig};
use avocet_kernels::{Weight, embedding, rms_norm};
use candle_core::{Result, Tensor, bail};

use crate::builder::Builder;
use crate::init;
use crate::input::Latents;
use crate::projection::Projection;
use crate::recogniser::Recogniser;

/// Numbers that say how likely a name is: its probability, the root of it, and its logarithm.
const CHANCES: usize = 3;
/// The logarithm of a probability is divided by this; and smaller ones count as its lower end.
const SPAN_OF_LOGARITHM: f32 = 8.0;
/// Sorts of names: see [`NameSort`].
const SORTS: usize = 3;

/// What a recogniser made of a picture, as the decoder is to be shown it. A part that is empty is
/// not shown.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Glance {
    /// Features pooled over the windows, and over the whole (R * F).
    pub features: Vec<f32>,
    /// Names of what may be there.
    pub names: Vec<SpelledName>,
}

/// A name of what may be on a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct SpelledName {
    /// Its tokens, as an answer would spell it.
    pub ids: Vec<u32>,
    /// How likely it is, from 0 to 1.
    pub probability: f32,
    /// Its place among the names of its sort, the likeliest first.
    pub rank: usize,
    /// What sort of name it is.
    pub sort: NameSort,
}

/// What sort of name is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameSort {
    /// What people call the thing.
    Name,
    /// The class of the likeliest thing in full, such as a breed.
    Exact,
    /// What the thing is a kind of.
    Kind,
}

/// Makes rows of glances. Each source has its own projection into the width of the patches' rows,
/// and a gate that starts small.
#[derive(Debug, Clone)]
pub(crate) struct ConceptRows {
    semantic: Projection,
    window: Tensor,
    semantic_gate: Tensor,
    name: Projection,
    previous: Projection,
    place: Tensor,
    sort: Tensor,
    rank: Tensor,
    chance: Tensor,
    name_gate: Tensor,
    unit: Tensor,
    num_features: usize,
    config: ConceptsConfig,
}

impl ConceptRows {
    /// Makes those of the model, if it has them.
    pub fn new(config: &ModelConfig, builder: &Builder) -> Result<Option<Self>> {
        let (Some(concepts), Some(width)) = (&config.concepts, config.latent_dim()) else {
            return Ok(None);
        };
        let Some(recogniser) = &config.efficient_net else {
            return Ok(None);
        };
        let builder = &builder.pp("concepts");
        let (dim, num_features) = (config.decoder.dim, recogniser.head_dim);
        let marks = |rows, name| init::marks(builder, rows, width, name);
        let gate = |name| init::gate(builder, 1, concepts.initial_gate, name);
        let sort = marks(SORTS, "sort")?;
        Ok(Some(Self {
            semantic: Projection::new((width, num_features), false, builder, "semantic")?,
            window: marks(concepts.num_windows(), "window")?,
            semantic_gate: gate("semantic_gate")?,
            name: Projection::new((width, dim), false, builder, "name")?,
            previous: Projection::new((width, dim), false, builder, "previous")?,
            place: marks(concepts.max_name_tokens, "place")?,
            rank: marks(concepts.num_names.max(concepts.num_kinds).max(1), "rank")?,
            chance: marks(CHANCES, "chance")?,
            name_gate: gate("name_gate")?,
            unit: Tensor::ones(dim, candle_core::DType::F32, sort.device())?,
            sort,
            num_features,
            config: concepts.clone(),
        }))
    }

    /// The rows of `latents` with those of the glances behind the rows of their images; `table` is
    /// the decoder's (V, D).
    ///
    /// Errors if there is not one glance an image, or one is not of this recogniser.
    pub fn beside(
        &self,
        latents: &Latents,
        glances: &[&Glance],
        recogniser: &Recogniser,
        table: &Weight,
    ) -> Result<Latents> {
        if glances.len() != latents.num_images() {
            bail!(
                "{} glances for {} images",
                glances.len(),
                latents.num_images()
            );
        }
        let (semantic, windows) = self.semantic_rows(glances, recogniser)?;
        let (named, tokens) = self.name_rows(glances, table)?;
        let sources: Vec<Tensor> = [Some(latents.rows.clone()), semantic, named]
            .into_iter()
            .flatten()
            .collect();
        if sources.len() == 1 {
            return Ok(latents.clone());
        }
        // All sources one below another, and then each image's rows side by side.
        let all = Tensor::cat(&sources, 0)?;
        let first_semantic = latents.rows.dim(0)? as u32;
        let first_named = first_semantic + windows.iter().sum::<u32>();
        let mut order = Vec::with_capacity(all.dim(0)?);
        let mut offsets = vec![0];
        let mut next = (first_semantic, first_named);
        for (image, (windows, tokens)) in windows.iter().zip(&tokens).enumerate() {
            let (from, to) = (latents.offsets[image], latents.offsets[image + 1]);
            order.extend(from as u32..to as u32);
            order.extend(next.0..next.0 + windows);
            order.extend(next.1..next.1 + tokens);
            next = (next.0 + windows, next.1 + tokens);
            offsets.push(order.len());
        }
        Ok(Latents::new(embedding(&all, &order)?, offsets))
    }

    /// Rows of features, and how many each glance has.
    fn semantic_rows(
        &self,
        glances: &[&Glance],
        recogniser: &Recogniser,
    ) -> Result<(Option<Tensor>, Vec<u32>)> {
        let num_windows = self.config.num_windows();
        let whole = num_windows * self.num_features;
        let mut numbers = Vec::new();
        let mut counts = Vec::with_capacity(glances.len());
        for glance in glances {
            let shown = !glance.features.is_empty();
            if shown && glance.features.len() != whole {
                let found = glance.features.len();
                bail!("a glance has {found} features, the recogniser gives {whole}");
            }
            numbers.extend_from_slice(&glance.features);
            counts.push(if shown { num_windows as u32 } else { 0 });
        }
        if numbers.is_empty() {
            return Ok((None, counts));
        }
        let rows = numbers.len() / self.num_features;
        let device = self.window.device();
        let features = Tensor::from_vec(numbers, (rows, self.num_features), device)?;
        let features = recogniser.standardised(&features)?;
        let places: Vec<u32> = (0..rows).map(|row| (row % num_windows) as u32).collect();
        let marked = (self.semantic.forward(&features)? + embedding(&self.window, &places)?)?;
        Ok((Some(marked.broadcast_mul(&self.semantic_gate)?), counts))
    }

    /// Rows of names, one a token, and how many each glance has.
    fn name_rows(&self, glances: &[&Glance], table: &Weight) -> Result<(Option<Tensor>, Vec<u32>)> {
        let mut before = Vec::new();
        let (mut ids, mut places, mut sorts, mut ranks) = (vec![], vec![], vec![], vec![]);
        let mut chances = Vec::new();
        let mut counts = Vec::with_capacity(glances.len());
        let num_ranks = self.rank.dim(0)?;
        for glance in glances {
            let first = ids.len();
            for name in glance.names.iter().take(self.config.max_names()) {
                let probability = name.probability.clamp(0.0, 1.0);
                let logarithm = probability.ln().max(-SPAN_OF_LOGARITHM) / SPAN_OF_LOGARITHM;
                let shown = name.ids.iter().take(self.config.max_name_tokens);
                for (place, id) in shown.enumerate() {
                    // The first has nothing before it, which its place says.
                    before.push(if place == 0 { *id } else { name.ids[place - 1] });
                    ids.push(*id);
                    places.push(place as u32);
                    sorts.push(name.sort as u32);
                    ranks.push(name.rank.min(num_ranks - 1) as u32);
                    chances.extend([probability, probability.sqrt(), logarithm]);
                }
            }
            counts.push((ids.len() - first) as u32);
        }
        if ids.is_empty() {
            return Ok((None, counts));
        }
        let chances = Tensor::from_vec(chances, (ids.len(), CHANCES), self.place.device())?;
        // The names are read off the table; they do not change it.
        let spelled = |ids: &[u32]| {
            let spelled = table.detach().embedding(ids)?.detach();
            rms_norm(&spelled, &self.unit, 1e-6)
        };
        // Who has said a token finds the row behind it by what stands before that row's own.
        let named = self.name.forward(&spelled(&ids)?)?; // (tokens, D_v)
        let mut rows = (named + self.previous.forward(&spelled(&before)?)?)?;
        for (marks, which) in [
            (&self.place, &places),
            (&self.sort, &sorts),
            (&self.rank, &ranks),
        ] {
            rows = (rows + embedding(marks, which)?)?;
        }
        let rows = (rows + chances.matmul(&self.chance)?)?;
        Ok((Some(rows.broadcast_mul(&self.name_gate)?), counts))
    }
}

#[cfg(test)]
mod tests;
