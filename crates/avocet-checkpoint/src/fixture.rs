//! A tiny model for this crate's tests.

use crate::{WeightFormat, save};
use avocet_text::train_bpe;
use candle_core::{Device, Tensor};
use std::collections::BTreeMap;
use tempfile::TempDir;

/// What a model folder is saved from.
pub(crate) struct Model {
    pub config: String,
    pub tokenizer: Vec<u8>,
    pub tensors: BTreeMap<String, Tensor>,
}

impl Model {
    /// A folder of its files.
    pub fn saved(&self, format: WeightFormat) -> TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        let (config, tokenizer, tensors) = (&self.config, &self.tokenizer, &self.tensors);
        save(folder.path(), config, tokenizer, tensors, format).expect("it is a model");
        folder
    }
}

/// The preset `tiny` with numbers that are no round ones.
pub(crate) fn model() -> Model {
    let config = avocet_config::preset("tiny").expect("a preset");
    let mut state = 11;
    let mut number = || below(&mut state, 2_000_001) as f32 / 1e6 - 1.0;
    let tensors = avocet_model::parameter_shapes(&config)
        .expect("presets are valid")
        .into_iter()
        .map(|(name, shape)| {
            let values: Vec<f32> = (0..shape.elem_count()).map(|_| number()).collect();
            let tensor =
                Tensor::from_vec(values, shape, &Device::Cpu).expect("as many as the shape");
            (name, tensor)
        })
        .collect();
    Model {
        config: config.to_toml(),
        tokenizer: train_bpe(["a red bicycle"], 262).expect("the bytes fit"),
        tensors,
    }
}

/// The next number below `limit` of a fixed sequence.
pub(crate) fn below(state: &mut u64, limit: usize) -> usize {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((mixed ^ (mixed >> 31)) % limit as u64) as usize
}
