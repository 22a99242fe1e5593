//! Operations of avocet-kernels against PyTorch: outputs and gradients.
//!
//! The data is written by `golden/make_kernels.py` in float64; ours computes in f32 with sums in
//! another order, hence a tolerance of 1e-4 of each tensor's largest element.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use avocet_kernels::{
    KeyRanges, Precision, RopeAngles, Weight, attention, conv2d, cross_entropy, ctc_loss,
    depthwise_conv3, embedding, expert_ffn, gated_add, layer_norm, rms_norm, rope, route,
    swiglu_ffn,
};
use candle_core::{Device, Tensor, Var};

const TOLERANCE: f32 = 1e-4;

/// The tensors of one operation.
struct Case {
    name: &'static str,
    tensors: HashMap<String, Tensor>,
}

impl Case {
    fn load(name: &'static str) -> Result<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/kernels.safetensors");
        let prefix = format!("{name}.");
        let tensors = candle_core::safetensors::load(path, &Device::Cpu)?
            .into_iter()
            .filter_map(|(key, tensor)| Some((key.strip_prefix(&prefix)?.to_owned(), tensor)))
            .collect();
        Ok(Self { name, tensors })
    }

    fn tensor(&self, key: &str) -> Result<&Tensor> {
        self.tensors
            .get(key)
            .with_context(|| format!("no {}.{key} in the golden data", self.name))
    }

    fn integers(&self, key: &str) -> Result<Vec<u32>> {
        let values = self
            .tensor(&format!("data.{key}"))?
            .flatten_all()?
            .to_vec1::<i64>()?;
        Ok(values
            .into_iter()
            .map(u32::try_from)
            .collect::<Result<_, _>>()?)
    }

    fn pairs(&self, key: &str) -> Result<Vec<(u32, u32)>> {
        Ok(self
            .integers(key)?
            .chunks_exact(2)
            .map(|pair| (pair[0], pair[1]))
            .collect())
    }

    fn grids(&self) -> Result<Vec<(usize, usize)>> {
        let pairs = self.pairs("grids")?.into_iter();
        Ok(pairs.map(|(h, w)| (h as usize, w as usize)).collect())
    }

    fn floats(&self, key: &str) -> Result<Vec<f32>> {
        Ok(self
            .tensor(&format!("data.{key}"))?
            .flatten_all()?
            .to_vec1()?)
    }

    /// Runs `f` on the inputs called `names` and compares its output and every gradient.
    fn check(
        &self,
        names: &[&str],
        f: impl Fn(&[Tensor]) -> candle_core::Result<Tensor>,
    ) -> Result<()> {
        let inputs = names
            .iter()
            .map(|name| Ok(Var::from_tensor(self.tensor(&format!("in.{name}"))?)?))
            .collect::<Result<Vec<Var>>>()?;
        let tensors: Vec<Tensor> = inputs.iter().map(|v| v.as_tensor().clone()).collect();
        let out = f(&tensors)?;
        self.compare("out", &out)?;
        let grads = out.mul(self.tensor("up")?)?.sum_all()?.backward()?;
        for (name, input) in names.iter().zip(&inputs) {
            let grad = grads
                .get(input)
                .with_context(|| format!("{name} got no gradient"))?;
            self.compare(&format!("grad.{name}"), grad)?;
        }
        Ok(())
    }

    fn compare(&self, key: &str, ours: &Tensor) -> Result<()> {
        let theirs = self.tensor(key)?;
        ensure!(
            ours.dims() == theirs.dims(),
            "{}.{key}: shape {:?}, PyTorch has {:?}",
            self.name,
            ours.dims(),
            theirs.dims()
        );
        let ours = ours.flatten_all()?.to_vec1::<f32>()?;
        let theirs = theirs.flatten_all()?.to_vec1::<f32>()?;
        let largest = theirs.iter().fold(1e-6f32, |m, v| m.max(v.abs()));
        for (i, (a, b)) in ours.iter().zip(&theirs).enumerate() {
            let close = (a - b).abs() <= TOLERANCE * largest;
            ensure!(close, "{}.{key}[{i}]: {a}, PyTorch has {b}", self.name);
        }
        Ok(())
    }
}

#[test]
fn normalisations_are_those_of_pytorch() -> Result<()> {
    Case::load("rms_norm")?.check(&["x", "weight"], |t| rms_norm(&t[0], &t[1], 1e-5))?;
    Case::load("layer_norm")?.check(&["x", "weight", "bias"], |t| {
        layer_norm(&t[0], &t[1], &t[2], 1e-5)
    })
}

#[test]
fn rotations_are_those_of_pytorch() -> Result<()> {
    let text = Case::load("rope_text")?;
    let angles = RopeAngles::text(&text.integers("positions")?, 12, 10_000.0)?;
    text.check(&["x"], |t| rope(&t[0], &angles))?;
    let grid = Case::load("rope_grid")?;
    let angles = RopeAngles::grid(&grid.pairs("cells")?, 12, 100.0)?;
    grid.check(&["x"], |t| rope(&t[0], &angles))
}

#[test]
fn attention_is_that_of_pytorch() -> Result<()> {
    for name in [
        "attention_causal_mqa",
        "attention_within_gqa",
        "attention_cross",
    ] {
        let case = Case::load(name)?;
        let ranges = KeyRanges::new(case.pairs("ranges")?);
        let scale = case.floats("scale")?[0];
        case.check(&["q", "k", "v"], |t| {
            attention(&t[0], &t[1], &t[2], &ranges, scale, Precision::F32)
        })?;
    }
    Ok(())
}

#[test]
fn feed_forward_layers_are_those_of_pytorch() -> Result<()> {
    Case::load("linear")?.check(&["x", "w"], |t| Weight::from(&t[1]).linear(&t[0]))?;
    Case::load("linear_bias")?.check(&["input", "weight", "bias"], |t| {
        Weight::from(&t[1]).linear_bias(&t[0], &t[2])
    })?;
    Case::load("swiglu_ffn")?.check(&["x", "w_gate_up", "w_down"], |t| {
        swiglu_ffn(&t[0], &(&t[1]).into(), &(&t[2]).into())
    })
}

#[test]
fn routed_experts_are_those_of_pytorch() -> Result<()> {
    Case::load("expert_ffn")?.check(&["x", "router", "w_gate_up", "w_down"], |t| {
        let (weights, routing) = route(&Weight::from(&t[1]).linear(&t[0])?, 2, None, None)?;
        let (gate_up, down) = ((&t[2]).into(), (&t[3]).into());
        expert_ffn(&t[0], &weights, &gate_up, &down, &routing)
    })
}

#[test]
fn losses_are_those_of_pytorch() -> Result<()> {
    let case = Case::load("cross_entropy")?;
    let (targets, weights) = (case.integers("targets")?, case.floats("weights")?);
    case.check(&["h", "w_head"], |t| {
        cross_entropy(&t[0], &(&t[1]).into(), &targets, &weights)
    })?;
    let case = Case::load("ctc")?;
    let offsets: Vec<usize> = case
        .integers("offsets")?
        .iter()
        .map(|o| *o as usize)
        .collect();
    let mut labels = case.integers("targets")?.into_iter();
    let lengths = case.integers("lengths")?.into_iter();
    let targets: Vec<Vec<u32>> = lengths
        .map(|len| labels.by_ref().take(len as usize).collect())
        .collect();
    let weights = case.floats("weights")?;
    case.check(&["logits"], |t| {
        ctc_loss(&t[0], &offsets, &targets, &weights, 1)
    })
}

#[test]
fn embeddings_and_gates_are_those_of_pytorch() -> Result<()> {
    let case = Case::load("embedding")?;
    let ids = case.integers("ids")?;
    case.check(&["table"], |t| embedding(&t[0], &ids))?;
    Case::load("gated_add")?.check(&["x", "y", "gate"], |t| gated_add(&t[0], &t[1], &t[2]))
}

#[test]
fn convolutions_are_those_of_pytorch() -> Result<()> {
    let case = Case::load("conv2d")?;
    let grids = case.grids()?;
    case.check(&["x", "w", "b"], |t| {
        conv2d(&t[0], &(&t[1]).into(), &t[2], &grids, 3, 2)
    })?;
    Case::load("depthwise_conv3")?.check(&["x", "w"], |t| depthwise_conv3(&t[0], &t[1], &grids))
}
