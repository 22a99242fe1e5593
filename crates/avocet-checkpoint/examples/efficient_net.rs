//! Classifies pictures with an EfficientNet-Lite and says how long it takes: what
//! `tests/compare/efficient_net.py` measures beside PyTorch.
//!
//! ```text
//! cargo run --release -p avocet-checkpoint --example efficient_net -- FILE.pth RUNS PICTURE...
//! ```
//!
//! Prints a line of JSON a picture: its file, the likeliest class, the logits, and the milliseconds
//! of each of so many runs of the network, without reading the picture.

use std::time::Instant;

use avocet_checkpoint::EfficientNetFiles;
use avocet_media::{Limits, decode};
use avocet_model::{EfficientNet, Images};
use candle_core::{Device, Tensor};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let usage = "FILE.pth RUNS PICTURE...";
    let model = args.next().ok_or(usage)?;
    let runs: usize = args.next().ok_or(usage)?.parse()?;
    let files = EfficientNetFiles::open(model.as_ref())?;
    let (config, processor) = (files.config().clone(), files.processor().clone());
    let network = EfficientNet::new(&config, files.into_builder()?)?;
    for file in args {
        let picture = decode(&std::fs::read(&file)?, &Limits::default())?;
        let patches = processor.patches(&picture);
        let shape = (1, patches.data.len());
        let images = Images {
            patches: Tensor::from_vec(patches.data, shape, &Device::Cpu)?,
            grids: vec![(1, 1)],
        };
        let (mut logits, mut milliseconds) = (Vec::new(), Vec::new());
        for _ in 0..runs {
            let started = Instant::now();
            let features = network.forward(&images)?.rows;
            let classes = network.classify(&network.pooled(&features)?)?;
            logits = classes.flatten_all()?.to_vec1::<f32>()?;
            milliseconds.push(started.elapsed().as_secs_f64() * 1e3);
        }
        let top = logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
        let line = serde_json::json!({
            "file": file,
            "top": top.map(|(class, _)| class),
            "logits": logits,
            "ms": milliseconds,
        });
        println!("{line}");
    }
    Ok(())
}
