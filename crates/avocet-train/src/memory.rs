//! What fine-tuning needs of memory, estimated before it starts.

use avocet_checkpoint::doctor::{available_bytes, size};
use avocet_config::{FeedForwardKind, ModelConfig};
use avocet_data::Prepared;
use avocet_data::shard::Reader;
use avocet_model::{ParameterSpec, Part, parameter_specs};

use crate::base_model::BaseModel;
use crate::config::{LoraConfig, StageConfig, TrainConfig};
use crate::error::{Result, TrainError};
use crate::pattern::matches_any;

const F32: u64 = size_of::<f32>() as u64;
/// Samples that are looked at for the longest, spread over the data.
const SAMPLES: usize = 64;
/// The process itself, its threads, and the data made ahead.
const PROCESS: u64 = 64 << 20;
/// Of what was estimated, a fifth more was held at the most: tensors that come and go.
const MARGIN: u64 = 5;
/// Logits, and their gradients, that exist at once in one micro-batch.
const LOGITS: u64 = 2 * 4 * (1 << 23);

/// What fine-tuning needs of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrainMemory {
    /// Numbers that learn.
    pub trained: u64,
    /// Numbers that are frozen.
    pub frozen: u64,
    /// Bytes of what is frozen, as it is read.
    pub frozen_bytes: u64,
    /// Bytes of what learns, with its gradients and the optimizer's moments.
    pub trained_bytes: u64,
    /// Bytes kept from the way there for the way back, in the micro-batches side by side.
    pub kept_bytes: u64,
    /// What is available now; `None` where the system does not say.
    pub available_bytes: Option<u64>,
}

/// Whether memory suffices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It does, or nobody knows.
    Yes,
    /// It does not.
    No,
}

/// Rows of the largest micro-batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Rows {
    tokens: u64,
    patches: u64,
}

impl TrainMemory {
    /// What the first stage of `train` over `base` needs.
    ///
    /// Errors if a sample cannot be read.
    pub fn of(base: &BaseModel, train: &TrainConfig) -> Result<Self> {
        let none = || TrainError::config("stage", "there is none");
        let stage = train.stages.first().ok_or_else(none)?;
        let rows = largest(base, stage)?;
        let config = base.files().config();
        let (specs, selection) = (parameter_specs(config)?, stage.selection());
        let of_vision = |spec: &&ParameterSpec| Part::of(&spec.name) == Part::Vision;
        let mut of_vision = specs.iter().filter(of_vision);
        let vision_trains = of_vision.any(|spec| selection.trains(&spec.name, spec.role));
        let side_by_side = stage.micro_batches.min(rayon::current_num_threads()) as u64;
        let (mut memory, of_factors) = weights(base, stage, &specs, side_by_side);
        let blocks = match stage.recompute {
            true => config.decoder.num_layers as u64,
            false => 1,
        };
        let kept =
            kept(config, stage.recompute, vision_trains, rows) + of_factors * rows.tokens / blocks;
        memory.kept_bytes = side_by_side * (kept * F32 + LOGITS);
        // Each micro-batch has gradients of its own until they are added up.
        memory.trained_bytes += memory.trained * F32 * (side_by_side + 1);
        memory.available_bytes = available_bytes();
        Ok(memory)
    }

    /// All of it.
    pub fn bytes(&self) -> u64 {
        let parts = [self.frozen_bytes, self.trained_bytes, self.kept_bytes];
        let sum = parts.into_iter().fold(PROCESS, u64::saturating_add);
        sum.saturating_add(sum / MARGIN)
    }

    /// Whether memory suffices.
    pub fn fit(&self) -> Fit {
        match self.available_bytes {
            Some(available) if self.bytes() > available => Fit::No,
            _ => Fit::Yes,
        }
    }

    /// What is needed and what there is, in words.
    pub fn words(&self) -> String {
        let available = match self.available_bytes {
            Some(bytes) => format!("{} are available", size(bytes)),
            None => "the system does not say how much is available".to_owned(),
        };
        format!(
            "memory: about {} ({} for what learns, {} for what is frozen, {} for the steps); \
             {available}",
            size(self.bytes()),
            size(self.trained_bytes),
            size(self.frozen_bytes),
            size(self.kept_bytes)
        )
    }
}

/// The weights' part: values, and the moments of what learns; and the numbers that factors keep of
/// each token.
fn weights(
    base: &BaseModel,
    stage: &StageConfig,
    specs: &[ParameterSpec],
    side_by_side: u64,
) -> (TrainMemory, u64) {
    let files = base.files();
    let selection = stage.selection();
    let mut memory = TrainMemory {
        trained: 0,
        frozen: 0,
        frozen_bytes: 0,
        trained_bytes: 0,
        kept_bytes: 0,
        available_bytes: None,
    };
    let mut of_factors = 0;
    let all: u64 = specs
        .iter()
        .map(|spec| spec.shape.elem_count() as u64)
        .sum();
    let stored_bytes = files.weight_bytes() as f64 / all.max(1) as f64;
    for spec in specs {
        let (name, shape) = (spec.name.as_str(), &spec.shape);
        let count = shape.elem_count() as u64;
        if selection.trains(name, spec.role) {
            memory.trained += count;
            continue;
        }
        memory.frozen += count;
        let table = spec.role.is_table();
        memory.frozen_bytes += match files.is_mapped(name) && !table {
            true => (count as f64 * stored_bytes) as u64,
            false => count * F32,
        };
        // Factors stand beside large matrices only.
        let named = |lora: &&LoraConfig| !spec.sensitive && matches_any(&lora.layers, name);
        let Some(lora) = stage.lora.as_ref().filter(named) else {
            continue;
        };
        let (Some((outputs, stack)), Some(inputs)) = (
            shape
                .dims()
                .split_last()
                .and_then(|(_, rest)| rest.split_last()),
            shape.dims().last(),
        ) else {
            continue;
        };
        let stack: usize = stack.iter().product();
        memory.trained += (stack * lora.rank * (inputs + outputs)) as u64;
        if shape.rank() == 2 && !table {
            // What the factors make of a token, and the sum with what the matrix makes of it.
            of_factors += 2 * *outputs as u64;
        } else {
            // The matrix in f32, its sum with the factors, now and at the step before, and the
            // gradients of the sum in the micro-batches side by side.
            memory.frozen_bytes += (3 + side_by_side) * count * F32;
        }
    }
    memory.trained_bytes = memory.trained * F32 * 3;
    (memory, of_factors)
}

/// Rows of the largest micro-batch: its samples times the longest of those looked at.
fn largest(base: &BaseModel, stage: &StageConfig) -> Result<Rows> {
    let mut rows = Rows::default();
    for source in &stage.data {
        let failed = |error: avocet_data::DataError| TrainError::Data(error.to_string());
        let reader = Reader::open(&source.path).map_err(failed)?;
        let stride = reader.len().div_ceil(SAMPLES).max(1);
        for index in (0..reader.len()).step_by(stride) {
            let sample = reader.get(index).map_err(failed)?;
            let prepared = Prepared::new(&sample, &base.language(), &base.shape());
            let prepared = prepared.map_err(|error| {
                let path = source.path.display();
                TrainError::Data(format!("{path}, sample {index}: {error}"))
            })?;
            rows.tokens = rows.tokens.max(prepared.num_tokens() as u64);
            rows.patches = rows.patches.max(prepared.num_patches() as u64);
        }
    }
    let samples = stage.samples.div_ceil(stage.micro_batches) as u64;
    Ok(Rows {
        tokens: rows.tokens * samples,
        patches: rows.patches * samples,
    })
}

/// Numbers kept from the way there: what each operation with a gradient reads again.
fn kept(config: &ModelConfig, recompute: bool, vision_trains: bool, rows: Rows) -> u64 {
    let decoder = &config.decoder;
    let width = decoder.dim as u64;
    let heads = (decoder.num_heads * decoder.head_dim) as u64;
    let kv_heads = (decoder.num_kv_heads * decoder.head_dim) as u64;
    let parts = |kind: FeedForwardKind| match kind {
        FeedForwardKind::SwiGlu => 3,
        _ => 2,
    };
    let ff = match &decoder.moe {
        Some(moe) => (moe.top_k * moe.expert_dim * 3 + moe.num_experts * 2) as u64,
        None => parts(decoder.ff) * decoder.ff_dim.unwrap_or(0) as u64,
    };
    // Norms, sums and outputs; queries, keys and values before and after turning; what is mixed.
    let block = 7 * width + 3 * heads + 4 * kv_heads + ff;
    let look = config.cross_attention.as_ref().map_or(0, |cross| {
        let heads = (cross.num_heads * cross.head_dim) as u64;
        6 * width + 2 * heads + parts(cross.ff) * cross.ff_dim as u64
    });
    let looks = config.num_cross_layers() as u64;
    let layers = decoder.num_layers as u64;
    let decoding = match recompute {
        true => layers * width + block + look + 4 * width,
        false => layers * block + looks * look + 4 * width,
    };
    decoding * rows.tokens + seeing(config, vision_trains) * rows.patches
}

/// Numbers a patch: of all blocks if the tower learns, of one if not; and the keys and values.
fn seeing(config: &ModelConfig, learns: bool) -> u64 {
    if let Some(tower) = config.convolutional_tower() {
        let blocks = tower.blocks();
        let once = tower.largest_activations();
        return if learns { once * blocks.len() } else { once } as u64;
    }
    let (width, ff, layers) = match (&config.vision, &config.clip, &config.tiled_vision) {
        (Some(tower), ..) => (tower.dim, tower.ff_dim, tower.num_layers),
        (_, Some(tower), _) => (tower.dim, tower.ff_dim, tower.num_layers),
        (.., Some(tower)) => (tower.dim, tower.ff_dim, tower.num_layers),
        _ => return 0,
    };
    let block = 12 * width + 3 * ff;
    let keys = config.cross_attention.as_ref().map_or(0, |cross| {
        config.num_cross_layers() * 2 * cross.num_kv_heads * cross.head_dim
    });
    let blocks = if learns { layers } else { 1 };
    (blocks * block + keys + 3 * width) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_said_with_both_numbers() {
        let memory = TrainMemory {
            trained: 1,
            frozen: 1,
            frozen_bytes: 2_000_000_000,
            trained_bytes: 0,
            kept_bytes: 0,
            available_bytes: Some(1_500_000_000),
        };
        assert_eq!(memory.fit(), Fit::No);
        let words = memory.words();
        assert!(
            words.contains("2.48 GB") && words.contains("1.50 GB"),
            "{words}"
        );
    }
}
