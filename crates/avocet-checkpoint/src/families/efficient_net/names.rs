//! The names of an EfficientNet's tensors in its PyTorch ports, and what each is made of.

use std::collections::BTreeSet;

use avocet_config::EfficientNetConfig;

use crate::tensors::Store;

/// The classifier's matrix.
const CLASSIFIER: &str = "_fc";
/// The norm behind the last convolution.
pub(super) const HEAD_NORM: &str = "_bn1";
/// What training counts and inference has no use for.
const COUNTER: &str = "num_batches_tracked";

/// A convolution and the norm behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Convolution {
    /// Our name; that of its bias ends in `_bias`.
    pub ours: String,
    /// Their name, before `.weight`.
    pub theirs: String,
    /// Their name of the norm.
    pub norm: String,
    /// Their shape (out, in, k, k); ours is (out, k * k * in).
    pub shape: Vec<usize>,
}

/// A norm's tensors: scale, shift, mean and variance.
pub(super) const NORM: [&str; 4] = ["weight", "bias", "running_mean", "running_var"];

/// Every convolution, in order.
pub(super) fn convolutions(config: &EfficientNetConfig) -> Vec<Convolution> {
    let one = |ours: &str, theirs: &str, norm: &str, shape: [usize; 4]| Convolution {
        ours: ours.to_owned(),
        theirs: theirs.to_owned(),
        norm: norm.to_owned(),
        shape: shape.to_vec(),
    };
    let stem = [config.stem_dim, 3, 3, 3];
    let mut all = vec![one("stem", "_conv_stem", "_bn0", stem)];
    for (index, block) in config.blocks().into_iter().enumerate() {
        let of = |ours: &str, theirs: &str, norm: &str, shape| Convolution {
            ours: format!("blocks.{index}.{ours}"),
            theirs: format!("_blocks.{index}.{theirs}"),
            norm: format!("_blocks.{index}.{norm}"),
            shape,
        };
        if block.expands() {
            let shape = vec![block.inner, block.inputs, 1, 1];
            all.push(of("expand", "_expand_conv", "_bn0", shape));
        }
        let shape = vec![block.inner, 1, block.kernel, block.kernel];
        all.push(of("depthwise", "_depthwise_conv", "_bn1", shape));
        let shape = vec![block.outputs, block.inner, 1, 1];
        all.push(of("project", "_project_conv", "_bn2", shape));
    }
    let head = [config.head_dim, config.last_dim(), 1, 1];
    all.push(one("head", "_conv_head", HEAD_NORM, head));
    all
}

/// Our name, their name and the shape of the tensors that are taken as they are.
pub(super) fn plain(config: &EfficientNetConfig) -> [(&'static str, String, Vec<usize>); 2] {
    let shape = vec![config.num_classes, config.head_dim];
    [
        ("classifier", format!("{CLASSIFIER}.weight"), shape),
        (
            "classifier_bias",
            format!("{CLASSIFIER}.bias"),
            vec![config.num_classes],
        ),
    ]
}

/// The classes that a file's classifier tells apart, if it has one.
pub(super) fn class_count(store: &Store) -> Option<usize> {
    let classifier = store.get(&format!("{CLASSIFIER}.weight"))?;
    classifier.shape.first().copied().filter(|count| *count > 0)
}

/// What `store` lacks of a network of this shape or has besides, in words.
pub(super) fn missing(config: &EfficientNetConfig, store: &Store) -> Vec<String> {
    let mut wanted = Vec::new();
    for convolution in convolutions(config) {
        let outputs = convolution.shape[0];
        wanted.push((format!("{}.weight", convolution.theirs), convolution.shape));
        for part in NORM {
            wanted.push((format!("{}.{part}", convolution.norm), vec![outputs]));
        }
    }
    wanted.extend(plain(config).map(|(_, theirs, shape)| (theirs, shape)));
    let mut words = Vec::new();
    for (name, shape) in &wanted {
        match store.get(name) {
            None => words.push(format!("tensor {name:?} is missing")),
            Some(stored) if stored.shape != *shape => {
                let found = &stored.shape;
                words.push(format!(
                    "tensor {name:?} has shape {found:?}, not {shape:?}"
                ));
            }
            Some(_) => {}
        }
    }
    let names: BTreeSet<&str> = wanted.iter().map(|(name, _)| name.as_str()).collect();
    let known = |name: &str| name.ends_with(COUNTER) || names.contains(name);
    let others = store.tensors().filter(|stored| !known(&stored.name));
    words.extend(others.map(|stored| format!("tensor {:?} has no use", stored.name)));
    words
}
