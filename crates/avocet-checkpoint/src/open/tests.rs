//! What must hold of model folders.

use super::*;
use crate::NumberType;
use crate::fixture::{below, model};
use crate::{StoredType, WeightFormat, save};
use avocet_model::{Builder, Images, Init, Role, TextBatch, VisionLanguageModel};
use candle_core::{DType, Device, Tensor};
use std::collections::BTreeMap;
use std::fs;

/// A parameter as a large matrix, in the form in which it is kept.
fn given(builder: &Builder, name: &str, dims: &[usize]) -> Tensor {
    let matrix = builder.matrix(dims, name, Role::Matrix, Init::Constant(0.0));
    let matrix = matrix.unwrap();
    matrix.tensor().expect("our own models are copied").clone()
}

fn bits(tensor: &Tensor) -> Vec<u32> {
    let tensor = tensor.to_dtype(DType::F32).unwrap().flatten_all().unwrap();
    tensor
        .to_vec1::<f32>()
        .unwrap()
        .into_iter()
        .map(f32::to_bits)
        .collect()
}

#[test]
fn single_precision_survives_bit_for_bit() {
    let model = model();
    let folder = model.saved(WeightFormat::F32);
    let files = ModelFiles::open(folder.path()).unwrap();
    let builder = files.builder().unwrap();
    for (name, tensor) in &model.tensors {
        let read = given(&builder, name, tensor.dims());
        assert_eq!(bits(&read), bits(tensor), "{name}");
    }
    assert_eq!(files.tokenizer_bytes().unwrap(), model.tokenizer);
    assert_eq!(files.config().to_toml(), model.config);
    VisionLanguageModel::new(files.config(), builder).unwrap();
}

#[test]
fn large_matrices_stay_bf16_and_all_else_is_single_precision() {
    let model = model();
    let folder = model.saved(WeightFormat::Bf16);
    let files = ModelFiles::open(folder.path()).unwrap();
    let builder = files.builder().unwrap();
    let stored: BTreeMap<&str, NumberType> = files
        .tensors()
        .map(|tensor| (tensor.name.as_str(), tensor.dtype))
        .collect();
    let (single, half) = (
        NumberType::Safetensors(StoredType::F32),
        NumberType::Safetensors(StoredType::Bf16),
    );
    let mut halved = 0;
    for (name, tensor) in &model.tensors {
        let read = given(&builder, name, tensor.dims());
        let wanted = match stored[name.as_str()] == half {
            true => tensor.to_dtype(DType::BF16).unwrap(),
            false => tensor.clone(),
        };
        assert_eq!(read.dtype(), wanted.dtype(), "{name}");
        assert_eq!(bits(&read), bits(&wanted), "{name}");
        halved += usize::from(read.dtype() == DType::BF16);
    }
    assert!(halved > 10, "{halved} matrices");
    assert_eq!(stored["decoder.embedding"], half);
    assert_eq!(stored["decoder.layers.0.moe.router.weight"], single);
    let shape = model.tensors["decoder.embedding"].dims();
    let widened = builder.tensor(
        shape,
        "decoder.embedding",
        Role::Embedding,
        Init::Constant(0.0),
    );
    assert_eq!(
        widened.unwrap().dtype(),
        DType::F32,
        "widened for who asks for it"
    );
}

#[test]
fn the_network_answers_alike_from_either_precision() {
    let model = model();
    let hidden = |format| {
        let folder = model.saved(format);
        let files = ModelFiles::open(folder.path()).unwrap();
        let builder = files.builder().unwrap();
        let network = VisionLanguageModel::new(files.config(), builder).unwrap();
        let ids: Vec<u32> = (0..12).collect();
        let text = TextBatch {
            offsets: vec![0, ids.len()],
            visible_images: vec![(0, 1); ids.len()],
            ids,
        };
        let pixels: Vec<f32> = (0..6 * 48).map(|i| (i as f32 * 0.37).sin()).collect();
        let patches = Tensor::from_vec(pixels, (6, 48), &Device::Cpu).unwrap();
        let images = Images {
            patches,
            grids: vec![(2, 3)],
        };
        let latents = network.encode_images(&images).unwrap();
        let decoded = network.forward(&text, Some(&latents)).unwrap();
        decoded
            .hidden
            .flatten_all()
            .unwrap()
            .to_vec1::<f32>()
            .unwrap()
    };
    let (exact, rounded) = (hidden(WeightFormat::F32), hidden(WeightFormat::Bf16));
    let norm = |values: &[f32]| values.iter().map(|v| f64::from(v * v)).sum::<f64>().sqrt();
    let difference: Vec<f32> = exact.iter().zip(&rounded).map(|(a, b)| a - b).collect();
    assert!(norm(&exact).is_finite() && norm(&exact) > 1.0);
    // The fixture's weights are as large as they can be, which multiplies rounding.
    assert!(
        norm(&difference) < 0.3 * norm(&exact),
        "{}",
        norm(&difference) / norm(&exact)
    );
}

#[test]
fn saving_twice_gives_the_same_bytes_and_leaves_other_files() {
    let model = model();
    let folder = model.saved(WeightFormat::Bf16);
    let card = folder.path().join("MODEL_CARD.md");
    fs::write(&card, "card").unwrap();
    let first = fs::read(folder.path().join(WEIGHTS)).unwrap();
    let format = WeightFormat::Bf16;
    save(
        folder.path(),
        &model.config,
        &model.tokenizer,
        &model.tensors,
        format,
    )
    .unwrap();
    assert_eq!(fs::read(folder.path().join(WEIGHTS)).unwrap(), first);
    assert_eq!(fs::read(&card).unwrap(), b"card");
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        4,
        "no temporary file is left"
    );
}

#[test]
fn tensors_that_differ_from_the_configuration_are_all_named() {
    let mut model = model();
    model.tensors.remove("decoder.final_norm.weight");
    let missing = model.tensors.pop_first().unwrap().0;
    let (name, tensor) = model.tensors.pop_last().unwrap();
    let longer = Tensor::cat(&[&tensor, &tensor], 0).unwrap();
    let shapes = [
        format!("{:?}", longer.dims()),
        format!("{:?}", tensor.dims()),
    ];
    model.tensors.insert(name.clone(), longer);
    let extra = Tensor::zeros((3, 7), DType::F32, &Device::Cpu).unwrap();
    model.tensors.insert("vision.extra".into(), extra);
    let folder = model.saved(WeightFormat::F32);
    let files = ModelFiles::open(folder.path()).unwrap();
    let message = files.builder().err().unwrap().to_string();
    let unused = "tensor \"vision.extra\" of shape [3, 7] is not used".to_owned();
    for part in [
        WEIGHTS.into(),
        missing,
        name,
        shapes[0].clone(),
        shapes[1].clone(),
        unused,
    ] {
        assert!(message.contains(&part), "{part:?} is not in {message:?}");
    }
}

#[test]
fn a_missing_or_wrong_file_is_named() {
    for name in [CONFIG, WEIGHTS, TOKENIZER] {
        let folder = model().saved(WeightFormat::Bf16);
        let path = folder.path().join(name);
        fs::remove_file(&path).unwrap();
        let message = ModelFiles::open(folder.path()).err().unwrap().to_string();
        assert!(message.contains(name), "{message}");
        fs::write(&path, b"").unwrap();
        let opened = ModelFiles::open(folder.path()).and_then(|files| files.language());
        let message = opened.err().unwrap().to_string();
        assert!(message.contains(name), "{message}");
    }
}

#[test]
fn damaged_weights_are_refused_or_load_whole() {
    let model = model();
    let folder = model.saved(WeightFormat::Bf16);
    let path = folder.path().join(WEIGHTS);
    let good = fs::read(&path).unwrap();
    let header = 8 + u64::from_le_bytes(good[..8].try_into().unwrap()) as usize;
    let (mut state, mut loaded, mut refused) = (1, 0, 0);
    for round in 0..2000 {
        let mut bytes = good.clone();
        let at = below(&mut state, header);
        match round % 5 {
            0 => bytes.truncate(below(&mut state, good.len())),
            1 => bytes[at] = below(&mut state, 256) as u8,
            2 => bytes[at] = b"0123456789[]{},:\""[below(&mut state, 17)],
            3 => bytes[below(&mut state, 8)] = below(&mut state, 256) as u8,
            _ => drop(bytes.drain(at..(at + below(&mut state, 30)).min(good.len()))),
        }
        fs::write(&path, &bytes).unwrap();
        let outcome =
            ModelFiles::open(folder.path()).and_then(|files| Ok((files.builder()?, files)));
        match outcome {
            Ok((builder, files)) => {
                loaded += 1;
                for stored in files.tensors() {
                    let tensor = given(&builder, &stored.name, &stored.shape);
                    assert_eq!(tensor.dims(), stored.shape);
                }
            }
            Err(error) => {
                refused += 1;
                assert!(error.to_string().contains(WEIGHTS), "{error}");
            }
        }
    }
    assert_eq!(loaded + refused, 2000);
    assert!(refused > 1500, "{refused} refused");
}

#[test]
fn a_field_is_set_or_named() {
    let folder = model().saved(WeightFormat::Bf16);
    let mut files = ModelFiles::open(folder.path()).unwrap();
    files.set("cross_attention.without_image=nothing").unwrap();
    files.set("decoder.max_context=17").unwrap();
    let config = files.config();
    assert_eq!(config.decoder.max_context, 17);
    files.set("vision.max_patches=7").unwrap();
    let prepared = format!("{:?}", files.processor());
    assert!(prepared.contains("max_patches: 7"), "{prepared}");
    let config = files.config();
    let rule = config.cross_attention.as_ref().unwrap().without_image;
    assert_eq!(rule, avocet_config::WithoutImage::Nothing);
    for wrong in [
        "decoder.max_contexts=17",
        "decoder.max_context=0",
        "decoder.max_context=many",
        "decoder.max_context.far=1",
        "decoder",
    ] {
        let message = files.set(wrong).unwrap_err().to_string();
        assert!(message.contains(wrong), "{message}");
    }
    assert_eq!(files.config().decoder.max_context, 17);
}
