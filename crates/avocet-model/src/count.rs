//! Counting parameters without making them.
//!
//! The model is built by its own constructors on a backend that hands out tensors of stride 0:
//! one number in memory, whatever the shape. So the counts of the largest preset come from the
//! same code that builds the smallest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use avocet_kernels::{HOST, Weight};
use candle_core::{DType, Result, Shape, Tensor, bail};

use crate::builder::{Builder, Parameters};
use crate::clip::ClipEncoder;
use crate::efficient_net::EfficientNet;
use crate::model::VisionLanguageModel;
use crate::parameter::ParameterSpec;
use avocet_config::{ClipConfig, EfficientNetConfig, ModelConfig};

/// Which part of the model a parameter belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The embedding table and, when untied, the output head.
    Embedding,
    /// The decoder's self-attention.
    Attention,
    /// The routers.
    Router,
    /// The experts.
    Experts,
    /// The dense feed-forward layers, and the experts that every token visits.
    FeedForward,
    /// The decoder's norms.
    Norms,
    /// The gated cross-attention layers.
    CrossAttention,
    /// The vision tower.
    Vision,
    /// The resampler.
    Resampler,
    /// The frozen recogniser, and what makes rows of what it says.
    Recogniser,
}

impl Part {
    /// All parts, in the order of printing.
    pub const ALL: [Self; 10] = [
        Self::Embedding,
        Self::Attention,
        Self::Router,
        Self::Experts,
        Self::FeedForward,
        Self::Norms,
        Self::CrossAttention,
        Self::Vision,
        Self::Resampler,
        Self::Recogniser,
    ];

    /// The part that the parameter of this name belongs to.
    pub fn of(name: &str) -> Self {
        let fields: Vec<&str> = name.split('.').collect();
        match fields.as_slice() {
            ["vision", ..] => Self::Vision,
            ["recogniser" | "concepts", ..] => Self::Recogniser,
            ["resampler", ..] => Self::Resampler,
            ["cross_attention", ..] => Self::CrossAttention,
            [_, "layers", _, "attention", ..] => Self::Attention,
            [_, "layers", _, "moe", "router", ..] => Self::Router,
            [_, "layers", _, "moe", "shared" | "shared_score", ..] => Self::FeedForward,
            [_, "layers", _, "moe", ..] => Self::Experts,
            [_, "layers", _, "ff", ..] => Self::FeedForward,
            [_, "embedding" | "head" | "head_bias"] => Self::Embedding,
            _ => Self::Norms,
        }
    }

    /// A name for tables and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Embedding => "embedding",
            Self::Attention => "attention",
            Self::Router => "router",
            Self::Experts => "experts",
            Self::FeedForward => "feed_forward",
            Self::Norms => "norms",
            Self::CrossAttention => "cross_attention",
            Self::Vision => "vision",
            Self::Resampler => "resampler",
            Self::Recogniser => "recogniser",
        }
    }
}

/// How many parameters a model has, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterCount {
    /// All of them.
    pub total: u64,
    /// Those that one text token meets: the decoder with the experts it chooses, and
    /// cross-attention. The vision tower is met once an image, not by a token.
    pub active: u64,
    /// One expert over all layers.
    pub per_expert: u64,
    /// By part, without the parts the model lacks.
    pub by_part: BTreeMap<Part, u64>,
}

impl ParameterCount {
    /// Counts the model of this shape.
    ///
    /// Errors if the configuration is invalid.
    pub fn of(config: &ModelConfig) -> Result<Self> {
        let mut by_part = BTreeMap::new();
        for spec in parameter_specs(config)? {
            if spec.role.has_gradient() {
                let elements: u64 = spec.shape.dims().iter().map(|&d| d as u64).product();
                *by_part.entry(Part::of(&spec.name)).or_insert(0) += elements;
            }
        }
        let part = |part: Part| by_part.get(&part).copied().unwrap_or(0);
        let total = by_part.values().sum();
        let (per_expert, idle) = config.decoder.moe.as_ref().map_or((0, 0), |moe| {
            let per_expert = part(Part::Experts) / moe.num_experts as u64;
            (
                per_expert,
                per_expert * (moe.num_experts - moe.top_k) as u64,
            )
        });
        let of_images = [Part::Vision, Part::Resampler, Part::Recogniser];
        let active = total - idle - of_images.map(part).iter().sum::<u64>();
        Ok(Self {
            total,
            active,
            per_expert,
            by_part,
        })
    }
}

/// Every parameter that a model of this shape asks for, one after another, those that no gradient
/// trains included.
///
/// Errors if the configuration is invalid.
pub fn parameter_specs(config: &ModelConfig) -> Result<Vec<ParameterSpec>> {
    recorded(|builder| VisionLanguageModel::new(config, builder).map(drop))
}

/// Name and shape of every tensor that a model of this shape is made of, sorted by name, those
/// that no gradient trains included.
///
/// Errors if the configuration is invalid.
pub fn parameter_shapes(config: &ModelConfig) -> Result<BTreeMap<String, Shape>> {
    Ok(shapes(parameter_specs(config)?))
}

/// As [`parameter_shapes`], of a vision tower alone, in the field `vision`.
pub fn encoder_shapes(config: &ClipConfig) -> Result<BTreeMap<String, Shape>> {
    let build = |builder: Builder| ClipEncoder::new(config, builder.pp("vision")).map(drop);
    Ok(shapes(recorded(build)?))
}

/// Every parameter of an EfficientNet-Lite by itself, its classifier included.
///
/// Errors if the configuration is invalid.
pub fn efficient_net_specs(config: &EfficientNetConfig) -> Result<Vec<ParameterSpec>> {
    config.validate().map_err(candle_core::Error::wrap)?;
    recorded(|builder| EfficientNet::new(config, builder).map(drop))
}

fn shapes(specs: Vec<ParameterSpec>) -> BTreeMap<String, Shape> {
    let named = specs.into_iter().map(|spec| (spec.name, spec.shape));
    named.collect()
}

fn recorded(build: impl FnOnce(Builder) -> Result<()>) -> Result<Vec<ParameterSpec>> {
    let recorder = Recorder::default();
    let asked = Arc::clone(&recorder.asked);
    build(Builder::new(recorder))?;
    let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
    let specs = std::mem::take(&mut *asked);
    let mut names = BTreeSet::new();
    if let Some(twice) = specs.iter().find(|spec| !names.insert(&spec.name)) {
        bail!("the model asks for {} twice", twice.name);
    }
    Ok(specs)
}

/// Writes down what is asked for and hands out one number, broadcast.
#[derive(Debug, Default)]
struct Recorder {
    asked: Arc<Mutex<Vec<ParameterSpec>>>,
}

impl Parameters for Recorder {
    fn tensor(&self, spec: &ParameterSpec) -> Result<Tensor> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.push(spec.clone());
        Tensor::zeros(1, DType::F32, &HOST)?.broadcast_as(&spec.shape)
    }

    fn matrix(&self, spec: &ParameterSpec) -> Result<Weight> {
        Ok(self.tensor(spec)?.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use avocet_config::{family, family_names, preset, text_flops};

    fn billions(count: u64) -> f64 {
        (count as f64 / 1e7).round() / 100.0
    }

    #[test]
    fn gpt4_has_the_described_counts() {
        let count = ParameterCount::of(&preset("gpt4").unwrap()).unwrap();
        // 1.834 T and 280.0 B; to the last one as PyTorch counts the same shape.
        assert_eq!(count.total, 1_833_700_624_896);
        assert_eq!(count.active, 279_962_651_136);
        assert_eq!(billions(count.per_expert), 110.98);
        assert_eq!(billions(count.by_part[&Part::Attention]), 55.82);
        assert_eq!(count.by_part[&Part::Embedding], 2 * 100_256 * 10_752);
    }

    #[test]
    fn mini_fits_the_size_it_ships_in() {
        let count = ParameterCount::of(&preset("mini").unwrap()).unwrap();
        assert!(count.total < 12_300_000, "{count:?}");
        assert_eq!(count.total, count.by_part.values().sum::<u64>());
        assert!(count.active < count.total / 2, "{count:?}");
    }

    #[test]
    fn the_loss_free_bias_is_made_but_not_counted() {
        let mut config = preset("tiny").unwrap();
        let plain = ParameterCount::of(&config).unwrap();
        config.decoder.moe.as_mut().unwrap().loss_free_bias = true;
        assert_eq!(ParameterCount::of(&config).unwrap(), plain);
        let shapes = parameter_shapes(&config).unwrap();
        assert_eq!(shapes["decoder.layers.0.moe.router.load_bias"].dims(), [4]);
    }

    #[test]
    fn a_token_of_gpt4_costs_twice_its_active_parameters() {
        let config = preset("gpt4").unwrap();
        let active = ParameterCount::of(&config).unwrap().active as f64;
        let lookup = (config.decoder.vocab_size * config.decoder.dim) as f64;
        let flops = text_flops(&config, 1, 0);
        // The embedding table is looked up, not multiplied with; norms and scores are the rest.
        assert!(
            (flops / (2.0 * (active - lookup)) - 1.0).abs() < 1e-4,
            "{flops:e}"
        );
    }

    #[test]
    fn every_family_is_measured_by_a_shape_of_a_few_hundred_million_parameters() {
        for name in family_names() {
            let count = ParameterCount::of(&family(name).unwrap()).unwrap();
            let millions = count.total / 1_000_000;
            assert!((150..=400).contains(&millions), "{name}: {millions} M");
        }
    }
}
