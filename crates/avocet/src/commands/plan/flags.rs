//! The model and the GPU that the flags of a plan name.

use anyhow::{Context, Result, bail};
use avocet_plan::{Gpu, ModelShape};

use super::args::PlanArgs;
use super::shape;

/// The preset that is planned with when none is named.
const DEFAULT: &str = "gpt4";

/// The model of the flags.
pub fn model(args: &PlanArgs) -> Result<ModelShape> {
    let shape = match (&args.model, &args.preset) {
        (Some(model), _) => shape::named(model).context("--model")?,
        (None, Some(preset)) => shape::named(preset).context("--preset")?,
        (None, None) => shape::named(DEFAULT)?,
    };
    shape.validate()?;
    Ok(shape)
}

/// The GPU of the flags, with its links and price as they say.
pub fn gpu(args: &PlanArgs) -> Result<Gpu> {
    let mut gpu = Gpu::named(&args.gpu)?;
    for (flag, given) in [
        ("--price", args.price),
        ("--nvlink", args.nvlink),
        ("--network", args.network),
    ] {
        if let Some(value) = given
            && !(value.is_finite() && value > 0.0)
        {
            bail!("{flag}: is {value}, must be above 0");
        }
    }
    gpu.price = args.price.or(gpu.price);
    gpu.nvlink = args.nvlink.map_or(gpu.nvlink, |gb| gb * 1e9);
    gpu.network = args.network.map_or(gpu.network, |gb| gb * 1e9);
    Ok(gpu)
}

/// Errors unless each of these flags is a finite number above 0.
pub fn positive(flags: &[(&str, f64)]) -> Result<()> {
    for (flag, value) in flags {
        if !(value.is_finite() && *value > 0.0) {
            bail!("--{flag}: is {value}, must be above 0");
        }
    }
    Ok(())
}

/// Whether the model is the one that was described.
pub fn is_described(model: &ModelShape) -> bool {
    model.name == DEFAULT
}
