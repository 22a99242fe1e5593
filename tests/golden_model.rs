//! The whole `tiny` model against PyTorch: latents, logits, loss and gradients.
//!
//! The data is written by `golden/make_model.py` in float64, with all gates open. Ours computes in
//! f32 with sums in another order: 2e-4 is allowed on logits, and on a gradient 1e-4 of its largest
//! element.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use avocet_config::preset;
use avocet_kernels::{Weight, cross_entropy};
use avocet_model::{
    Builder, Images, ParameterSpec, Parameters, TextBatch, VisionLanguageModel, only,
};
use candle_core::{Device, Tensor, Var};

const LOGITS: f32 = 2e-4;
const GRADIENTS: f32 = 1e-4;

struct Golden(HashMap<String, Tensor>);

impl Golden {
    fn load() -> Result<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/tiny_model.safetensors");
        Ok(Self(candle_core::safetensors::load(path, &Device::Cpu)?))
    }

    fn tensor(&self, name: &str) -> Result<&Tensor> {
        self.0
            .get(name)
            .with_context(|| format!("no {name} in the golden data"))
    }

    fn integers(&self, name: &str) -> Result<Vec<i64>> {
        Ok(self.tensor(name)?.flatten_all()?.to_vec1()?)
    }

    fn ids(&self, name: &str) -> Result<Vec<u32>> {
        Ok(self
            .integers(name)?
            .into_iter()
            .map(u32::try_from)
            .collect::<Result<_, _>>()?)
    }

    fn places(&self, name: &str) -> Result<Vec<usize>> {
        Ok(self
            .integers(name)?
            .into_iter()
            .map(usize::try_from)
            .collect::<Result<_, _>>()?)
    }

    /// The tensors whose names follow `prefix`, by the rest of the name.
    fn under(&self, prefix: &str) -> impl Iterator<Item = (&str, &Tensor)> {
        self.0
            .iter()
            .filter_map(move |(name, tensor)| Some((name.strip_prefix(prefix)?, tensor)))
    }
}

fn largest(t: &Tensor) -> Result<f32> {
    Ok(t.abs()?.flatten_all()?.max(0)?.to_scalar()?)
}

fn compare(name: &str, ours: &Tensor, theirs: &Tensor, tolerance: f32) -> Result<()> {
    ensure!(
        ours.dims() == theirs.dims(),
        "{name}: {:?}, not {:?}",
        ours.dims(),
        theirs.dims()
    );
    let difference = largest(&(ours - theirs)?)?;
    ensure!(
        difference <= tolerance,
        "{name}: {difference:e} apart, allowed {tolerance:e}"
    );
    Ok(())
}

/// Hands out tensors by name.
struct Given(HashMap<String, Tensor>);

impl Parameters for Given {
    fn tensor(&self, spec: &ParameterSpec) -> candle_core::Result<Tensor> {
        match self.0.get(&spec.name) {
            Some(tensor) => tensor.reshape(&spec.shape),
            None => candle_core::bail!("{} is not in the golden data", spec.name),
        }
    }

    fn matrix(&self, spec: &ParameterSpec) -> candle_core::Result<Weight> {
        Ok(self.tensor(spec)?.into())
    }
}

#[test]
fn the_whole_model_agrees_with_pytorch_in_logits_and_gradients() -> Result<()> {
    let golden = Golden::load()?;
    let vars = golden
        .under("weight.")
        .map(|(name, tensor)| Ok((name.to_owned(), Var::from_tensor(tensor)?)))
        .collect::<Result<HashMap<String, Var>>>()?;
    let tensors = vars
        .iter()
        .map(|(name, var)| (name.clone(), var.as_tensor().clone()))
        .collect();
    let model = VisionLanguageModel::new(&preset("tiny")?, Builder::new(Given(tensors)))?;
    let gates = model.gates()?;
    ensure!(
        gates.iter().all(|(a, f)| a.abs() > 0.4 && f.abs() > 0.4),
        "{gates:?}"
    );

    let images = Images {
        patches: golden.tensor("input.patches")?.clone(),
        grids: golden
            .places("input.grids")?
            .chunks_exact(2)
            .map(|p| (p[0], p[1]))
            .collect(),
    };
    let latest_image = golden.integers("input.latest_image")?;
    let text = TextBatch {
        ids: golden.ids("input.ids")?,
        offsets: golden.places("input.offsets")?,
        visible_images: latest_image
            .into_iter()
            .map(|image| only(u32::try_from(image).ok()))
            .collect(),
    };
    let latents = model.encode_images(&images)?;
    compare(
        "latents",
        &latents.rows,
        golden.tensor("output.latents")?,
        LOGITS,
    )?;
    let decoded = model.forward(&text, Some(&latents))?;
    let logits = model.logits(&decoded.hidden)?;
    compare("logits", &logits, golden.tensor("output.logits")?, LOGITS)?;

    let weights: Vec<f32> = golden.tensor("input.weights")?.to_vec1()?;
    let total: f32 = weights.iter().sum();
    let shares: Vec<f32> = weights.iter().map(|weight| weight / total).collect();
    let targets = golden.ids("input.targets")?;
    let mut loss = cross_entropy(&decoded.hidden, model.head(), &targets, &shares)?;
    for router in &decoded.routers {
        loss = ((loss + (&router.balance * 0.01)?)? + (&router.z * 0.001)?)?;
    }
    compare(
        "loss",
        &loss.reshape(1)?,
        golden.tensor("output.loss")?,
        GRADIENTS,
    )?;

    let grads = loss.backward()?;
    let mut compared = 0;
    for (name, theirs) in golden.under("gradient.") {
        let ours = grads
            .get(&vars[name])
            .with_context(|| format!("no gradient of {name}"))?;
        let scale = largest(theirs)?;
        ensure!(scale > 0.0, "{name}: a gradient of zeros proves nothing");
        compare(name, ours, theirs, GRADIENTS * scale)?;
        compared += 1;
    }
    ensure!(
        compared > 50,
        "only {compared} gradients in the golden data"
    );
    Ok(())
}
