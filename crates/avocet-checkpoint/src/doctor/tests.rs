//! What must hold of examinations.

use super::*;
use crate::WeightFormat;
use crate::fixture::model;
use candle_core::{DType, Tensor};
use std::path::{Path, PathBuf};

fn golden(case: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/families");
    root.join(case).join("model")
}

fn network(files: &ModelFiles) -> VisionLanguageModel {
    VisionLanguageModel::new(files.config(), files.builder().unwrap()).unwrap()
}

/// Cases with every way of storing and of looking.
const CASES: [&str; 6] = [
    "llama_gqa_scaled",
    "mpt",
    "mixtral",
    "idefics",
    "flamingo_neox",
    "mllama",
];

#[test]
fn the_cache_is_as_large_as_the_one_that_is_made() {
    for case in CASES {
        let files = ModelFiles::open(&golden(case)).unwrap();
        let most = files.config().decoder.max_context;
        for context in [1, 7, most] {
            let use_for = Use { context, images: 0 };
            let said = memory(&files, use_for).unwrap();
            let (model, ids) = (network(&files), vec![1; context]);
            let mut cache = model.new_cache();
            let text = avocet_model::TextStep {
                ids: &ids,
                visible_images: &vec![(0, 0); context],
                images: Vec::new(),
                cache: &mut cache,
                prompt: context,
            };
            model.step(&mut [text]).unwrap();
            assert_eq!(said.cache_bytes, cache.num_bytes() as u64, "{case}");
            assert_eq!((said.picture_bytes, said.vision_bytes), (0, 0), "{case}");
        }
    }
}

#[test]
fn pictures_have_as_many_keys_and_values_as_are_made() {
    for case in [
        "idefics",
        "idefics_no_resampler",
        "flamingo_llama",
        "mllama",
    ] {
        let files = ModelFiles::open(&golden(case)).unwrap();
        let said = memory(&files, Use::usual(&files)).unwrap();
        let picture = avocet_media::Picture {
            width: 90,
            height: 60,
            rgb: vec![128; 90 * 60 * 3],
        };
        let patches = files.processor().unwrap().patches(&picture);
        let rows = patches.rows * patches.cols;
        let shape = (rows, patches.data.len() / rows);
        let grids = vec![(patches.rows, patches.cols)];
        let patches = Tensor::from_vec(patches.data, shape, &candle_core::Device::Cpu).unwrap();
        let images = avocet_model::Images { patches, grids };
        let model = network(&files);
        let latents = model.encode_images(&images).unwrap();
        let keys = model.image_keys(&latents).unwrap();
        assert_eq!(said.picture_bytes, keys.num_bytes() as u64, "{case}");
        let two = Use {
            images: 2,
            ..Use::usual(&files)
        };
        let two = memory(&files, two).unwrap();
        assert_eq!(two.picture_bytes, 2 * said.picture_bytes, "{case}");
    }
}

#[test]
fn mapped_and_copied_weights_are_all_weights() {
    for case in CASES {
        let files = ModelFiles::open(&golden(case)).unwrap();
        let said = memory(&files, Use::usual(&files)).unwrap();
        let shapes = avocet_model::parameter_shapes(files.config()).unwrap();
        let numbers: usize = shapes.values().map(|shape| shape.elem_count()).sum();
        // All of these cases are stored in F32.
        let sum = said.mapped_bytes + said.copied_bytes;
        assert_eq!(sum, 4 * numbers as u64, "{case}");
        assert!(said.copied_bytes > 0 && said.mapped_bytes > said.copied_bytes);
    }
}

#[test]
fn our_own_small_models_are_copied_as_they_are_stored() {
    let model = model();
    for (format, dtype) in [
        (WeightFormat::F32, DType::F32),
        (WeightFormat::Bf16, DType::BF16),
    ] {
        let folder = model.saved(format);
        let files = ModelFiles::open(folder.path()).unwrap();
        let report = examine(&files, Use::usual(&files)).unwrap();
        let stored: u64 = report.stored_bytes.values().sum();
        assert_eq!(report.memory.mapped_bytes, 0);
        assert_eq!(report.memory.copied_bytes, stored, "{dtype:?}");
        assert_eq!(report.tensors.renamed, 0);
        assert_eq!(report.tensors.used, report.tensors.stored);
        let prompts = report.prompts.unwrap();
        assert_eq!(
            prompts.example,
            "<|user|><|image|>What is this?<|assistant|>"
        );
    }
}

#[test]
fn the_verdict_follows_what_is_available() {
    let memory = |available| Memory {
        mapped_bytes: 1000,
        copied_bytes: 10,
        context: 8,
        cache_bytes: 20,
        images: 1,
        picture_rows: 4,
        picture_bytes: 30,
        vision_bytes: 40,
        available_bytes: available,
    };
    let verdict = |available| memory(available).verdict();
    assert_eq!(verdict(Some(1100)).0, Verdict::Fits);
    assert_eq!(verdict(None).0, Verdict::Fits);
    let (kind, reason) = verdict(Some(1099));
    assert_eq!(kind, Verdict::StreamsFromDisk);
    assert!(reason.contains("1.00 kB") && reason.contains("999 bytes"));
    assert_eq!(verdict(Some(100)).0, Verdict::StreamsFromDisk);
    let (kind, reason) = verdict(Some(99));
    assert_eq!(kind, Verdict::DoesNotRun);
    assert!(reason.contains("100 bytes") && reason.contains("99 bytes"));
}

#[test]
fn every_kind_of_problem_is_counted_and_named() {
    let mut model = model();
    let first = model.tensors.remove("decoder.embedding").unwrap();
    model.tensors.insert("stray".into(), first);
    let gone = Tensor::zeros(3, DType::F32, &candle_core::Device::Cpu).unwrap();
    model.tensors.insert("decoder.norm".into(), gone);
    let folder = model.saved(WeightFormat::F32);
    let files = ModelFiles::open(folder.path()).unwrap();
    let report = examine(&files, Use::usual(&files)).unwrap();
    let tensors = &report.tensors;
    assert_eq!((tensors.missing, tensors.wrong_shape), (1, 1));
    assert_eq!((tensors.unused, tensors.num_problems), (1, 3));
    assert_eq!(tensors.used + tensors.unused, tensors.stored);
    assert_eq!(report.verdict, Verdict::DoesNotRun);
    assert!(report.reason.contains("decoder.embedding"), "{report:?}");
    assert!(report.reason.contains("and 2 more"), "{report:?}");
    assert!(tensors.problems.iter().any(|words| words.contains("[3]")));
}
