//! Agreement with PyTorch on golden data, and what is refused.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use avocet_model::{EfficientNet, ParameterSpec, Parameters};
use candle_core::{Device, Tensor, Var};

use super::*;
use crate::{BlockFormat, GraftOptions, ModelFiles, PartSource, VisionFiles, graft};

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/efficient_net")
}

fn expected() -> BTreeMap<String, Tensor> {
    let file = golden().join("expected.safetensors");
    let tensors = candle_core::safetensors::load(file, &Device::Cpu).unwrap();
    tensors.into_iter().collect()
}

/// The largest difference, as a share of the largest magnitude of `b`.
fn apart(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.dims(), b.dims());
    let numbers = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let (a, b) = (numbers(a), numbers(b));
    let largest = b.iter().fold(1e-6f32, |most, v| most.max(v.abs()));
    let differences = a.iter().zip(&b).map(|(a, b)| (a - b).abs());
    differences.fold(0.0f32, f32::max) / largest
}

/// Parameters of files, as variables that can be asked for by name afterwards.
struct Learned {
    builder: Builder,
    vars: Arc<Mutex<BTreeMap<String, Var>>>,
}

impl Parameters for Learned {
    fn tensor(&self, spec: &ParameterSpec) -> candle_core::Result<Tensor> {
        let var = Var::from_tensor(&self.builder.tensor_of(spec)?)?;
        let tensor = var.as_tensor().clone();
        self.vars.lock().unwrap().insert(spec.name.clone(), var);
        Ok(tensor)
    }

    fn matrix(&self, spec: &ParameterSpec) -> candle_core::Result<avocet_kernels::Weight> {
        Ok(self.tensor(spec)?.into())
    }
}

#[test]
fn features_logits_and_gradients_are_those_of_pytorch() {
    let files = EfficientNetFiles::open(&golden().join("model.pth")).unwrap();
    let config = files.config().clone();
    let vars: Arc<Mutex<BTreeMap<String, Var>>> = Arc::default();
    let learned = Learned {
        builder: files.into_builder().unwrap(),
        vars: Arc::clone(&vars),
    };
    let network = EfficientNet::new(&config, Builder::new(learned)).unwrap();
    let expected = expected();
    let pixels = Var::from_tensor(&expected["pixels"]).unwrap();
    let features = network.features(pixels.as_tensor()).unwrap();
    // PyTorch computed in f64, we in f32.
    assert!(apart(&features, &expected["features"]) < 1e-5);
    let logits = network
        .classify(&network.pooled(&features).unwrap())
        .unwrap();
    assert!(apart(&logits, &expected["logits"]) < 1e-5);

    let sum = (features * &expected["pull"]).unwrap().sum_all().unwrap();
    let gradients = sum.backward().unwrap();
    let of_pixels = gradients.get(&pixels).unwrap();
    assert!(apart(of_pixels, &expected["gradient.pixels"]) < 1e-4);
    let mut compared = 0;
    for (name, var) in vars.lock().unwrap().iter() {
        let Some(wanted) = expected.get(&format!("gradient.{name}")) else {
            assert!(is_classifier(name), "{name} has no golden gradient");
            continue;
        };
        let apart = apart(gradients.get(var).unwrap(), wanted);
        assert!(apart < 1e-4, "gradient of {name}: {apart}");
        compared += 1;
    }
    assert_eq!(compared, expected.len() - 5);
}

#[test]
fn a_folder_and_its_file_are_the_same_tower() {
    for path in [golden(), golden().join("model.pth")] {
        assert!(is_efficient_net(&path));
        let vision = VisionFiles::open(&path).unwrap();
        vision.builder().unwrap();
        assert_eq!(vision.processor().patch_size(), 46);
    }
}

#[test]
fn a_graft_with_its_eyes_is_written_in_blocks_and_opens_again() {
    let folder = tempfile::tempdir().unwrap();
    let (grafted, blocks) = (folder.path().join("grafted"), folder.path().join("blocks"));
    let decoder = golden().join("../families/llama/model");
    let file = golden().join("model.pth");
    let (decoder, vision) = (PartSource::Path(&decoder), PartSource::Path(&file));
    let options = GraftOptions {
        latents: Some(4),
        ..GraftOptions::default()
    };
    let files = graft(&decoder, &vision, &options, &grafted).unwrap();
    assert_eq!(files.config().num_latents((1, 1)), 4);
    assert_eq!(files.processor().map(ImageProcessor::patch_size), Some(46));
    files.quantise(BlockFormat::Q8_0, &blocks).unwrap();
    let written = ModelFiles::open(&blocks).unwrap();
    written.builder().unwrap();
    let stored = |name: &str| {
        let found = written.tensors().find(|tensor| tensor.name == name);
        found
            .unwrap_or_else(|| panic!("{name} is gone"))
            .dtype
            .to_string()
    };
    // Rows of 64 fill blocks; rows of 24, of a window and of nine taps do not; a bias stays.
    assert_eq!(stored("vision/blocks.8.project"), "Q8_0");
    assert_eq!(stored("vision/head"), "BF16");
    assert_eq!(stored("vision/stem"), "BF16");
    assert_eq!(stored("vision/blocks.1.depthwise"), "BF16");
    assert_eq!(stored("vision/stem_bias"), "F32");
}

/// A folder with the golden file and this shape.
fn with_shape(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(golden().join("model.pth"), folder.path().join("model.pth")).unwrap();
    if !text.is_empty() {
        fs::write(folder.path().join(EFFICIENT_NET), text).unwrap();
    }
    folder
}

fn refused(folder: &Path) -> String {
    let Err(error) = EfficientNetFiles::open(folder) else {
        panic!("was opened");
    };
    error.to_string()
}

#[test]
fn what_is_no_efficient_net_is_refused_by_the_tensor() {
    let shape = fs::read_to_string(golden().join(EFFICIENT_NET)).unwrap();
    let unknown = refused(with_shape("").path());
    assert!(
        unknown.contains("none of EfficientNet-Lite 0 to 4"),
        "{unknown}"
    );
    let wider = refused(with_shape(&shape.replace("stem_dim = 8", "stem_dim = 9")).path());
    assert!(
        wider.contains("_conv_stem.weight") && wider.contains("more"),
        "{wider}"
    );
    let fewer = shape.replace("dim = 24, num_blocks = 1", "dim = 24, num_blocks = 2");
    let fewer = refused(with_shape(&fewer).path());
    assert!(
        fewer.contains("_blocks.12.") && fewer.contains("missing"),
        "{fewer}"
    );
    let wrong = refused(with_shape("image_size = 0").path());
    assert!(wrong.contains(EFFICIENT_NET), "{wrong}");

    let two = with_shape(&shape);
    fs::copy(golden().join("model.pth"), two.path().join("other.pth")).unwrap();
    assert!(refused(two.path()).contains("holds 2 files"));
    let other = golden().join("../pickle_nested.pt");
    assert!(
        refused(&other).contains("is missing"),
        "{}",
        refused(&other)
    );
}
