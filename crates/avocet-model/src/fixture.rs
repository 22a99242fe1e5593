//! Small models with seeded weights, and inputs for them: what the tests share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use avocet_kernels::Weight;
use candle_core::{DType, Device, Result, Tensor, Var};

use crate::builder::{Builder, Parameters};
use crate::cache::KvCache;
use crate::image_keys::ImageKeys;
use crate::input::{Images, Latents, TextBatch, only};
use crate::model::VisionLanguageModel;
use crate::parameter::{Init, ParameterSpec};
use crate::step::TextStep;
use avocet_config::ModelConfig;
use avocet_config::preset;

/// A model and its variables by name.
pub struct Fixture {
    pub model: VisionLanguageModel,
    pub vars: BTreeMap<String, Var>,
}

/// The `tiny` preset, changed, with weights that depend on their names only.
pub fn tiny(change: impl FnOnce(&mut ModelConfig)) -> Fixture {
    tiny_in(DType::F32, change)
}

/// As [`tiny`], with its large matrices in `dtype`.
pub fn tiny_in(dtype: DType, change: impl FnOnce(&mut ModelConfig)) -> Fixture {
    let mut config = preset("tiny").unwrap();
    change(&mut config);
    let vars = Arc::default();
    let seeded = Seeded {
        vars: Arc::clone(&vars),
        matrices: dtype,
    };
    let model = VisionLanguageModel::new(&config, Builder::new(seeded)).unwrap();
    let vars = std::mem::take(&mut *vars.lock().unwrap());
    Fixture { model, vars }
}

/// Numbers of unit variance that depend on `seed` only.
pub fn noise(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    };
    (0..count)
        .map(|_| ((next() + next() + next() + next() - 2.0) * 3f64.sqrt()) as f32)
        .collect()
}

/// Images of these grids for a model of patch size 4.
pub fn images(seed: u64, grids: &[(usize, usize)]) -> Images {
    let count: usize = grids.iter().map(|(r, c)| r * c).sum();
    let pixels = noise(seed, count * 48)
        .into_iter()
        .map(|x| x.clamp(-1.0, 1.0))
        .collect();
    let patches = Tensor::from_vec(pixels, (count, 48), &Device::Cpu).unwrap();
    Images {
        patches,
        grids: grids.to_vec(),
    }
}

/// Texts with ids from a fixed pattern; each token's image as given.
pub fn texts(latest_images: &[&[Option<u32>]]) -> TextBatch {
    let mut batch = TextBatch {
        offsets: vec![0],
        ..TextBatch::default()
    };
    for text in latest_images {
        let first = batch.ids.len() as u32;
        batch
            .ids
            .extend((0..text.len() as u32).map(|i| (first * 5 + i * 7 + 3) % 48));
        batch
            .visible_images
            .extend(text.iter().map(|image| only(*image)));
        batch.offsets.push(batch.ids.len());
    }
    batch
}

/// The latents of several images as the keys and values of each.
pub fn keys_of(f: &Fixture, latents: &Latents) -> Vec<ImageKeys> {
    let key = |index| f.model.image_keys(&latents.image(index).unwrap());
    (0..latents.num_images()).map(|i| key(i).unwrap()).collect()
}

/// The rows (n, D) of the next `count` tokens of the text `text`, all of which are its prompt.
pub fn read(
    f: &Fixture,
    text: &TextBatch,
    count: usize,
    images: &[ImageKeys],
    cache: &mut KvCache,
) -> Result<Tensor> {
    let new = cache.len()..cache.len() + count;
    let mut steps = [TextStep {
        ids: &text.ids[new.clone()],
        visible_images: &text.visible_images[new],
        images: images.iter().collect(),
        cache,
        prompt: text.ids.len(),
    }];
    Ok(f.model.step(&mut steps)?.swap_remove(0))
}

/// Largest difference between the elements of two tensors of one shape.
pub fn difference(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.dims(), b.dims());
    let worst = (a - b)
        .unwrap()
        .abs()
        .unwrap()
        .flatten_all()
        .unwrap()
        .max(0)
        .unwrap();
    worst.to_scalar().unwrap()
}

/// All elements.
pub fn elements(t: &Tensor) -> Vec<f32> {
    t.flatten_all().unwrap().to_vec1().unwrap()
}

struct Seeded {
    vars: Arc<Mutex<BTreeMap<String, Var>>>,
    matrices: DType,
}

impl Seeded {
    fn get(&self, spec: &ParameterSpec, dtype: DType) -> Result<Tensor> {
        let (name, shape) = (&spec.name, &spec.shape);
        let seed = name
            .bytes()
            .fold(1u64, |h, b| h.wrapping_mul(0x100_0000_01b3) ^ u64::from(b));
        let values = match spec.init {
            Init::Constant(value) => vec![value as f32; shape.elem_count()],
            Init::Normal { stdev } => noise(seed, shape.elem_count())
                .into_iter()
                .map(|x| stdev as f32 * x)
                .collect(),
        };
        let tensor = Tensor::from_vec(values, shape.clone(), &Device::Cpu)?;
        let var = Var::from_tensor(&tensor.to_dtype(dtype)?)?;
        self.vars
            .lock()
            .unwrap()
            .insert(name.to_owned(), var.clone());
        Ok(var.as_tensor().clone())
    }
}

impl Parameters for Seeded {
    fn tensor(&self, spec: &ParameterSpec) -> Result<Tensor> {
        self.get(spec, DType::F32)
    }

    fn matrix(&self, spec: &ParameterSpec) -> Result<Weight> {
        Ok(self.get(spec, self.matrices)?.into())
    }
}
