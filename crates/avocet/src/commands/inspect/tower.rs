//! An EfficientNet-Lite by itself: its stages, and how many parameters each has.

use std::collections::BTreeMap;

use anyhow::Result;
use avocet_checkpoint::EfficientNetFiles;
use avocet_config::EfficientNetConfig;
use avocet_model::efficient_net_specs;
use serde::Serialize;

use crate::ui::output::{self, Table, count};

#[derive(Serialize)]
struct Report<'a> {
    file: String,
    parameters: u64,
    classifier: u64,
    rows: usize,
    efficient_net: &'a EfficientNetConfig,
    #[serde(skip_serializing_if = "Option::is_none")]
    shapes: Option<BTreeMap<String, Vec<usize>>>,
}

/// Prints what the network is made of, norms being in its convolutions: with every tensor, or as one
/// JSON object.
pub(super) fn inspect(files: &EfficientNetFiles, every_tensor: bool, json: bool) -> Result<()> {
    let config = files.config();
    let shapes: BTreeMap<String, Vec<usize>> = efficient_net_specs(config)?
        .into_iter()
        .map(|spec| (spec.name, spec.shape.dims().to_vec()))
        .collect();
    let of = |part: &str| -> u64 {
        let parts = shapes.iter().filter(|(name, _)| name.starts_with(part));
        parts
            .map(|(_, dims)| dims.iter().product::<usize>() as u64)
            .sum()
    };
    let report = Report {
        file: files.path().display().to_string(),
        parameters: of(""),
        classifier: of("classifier"),
        rows: config.num_rows(),
        efficient_net: config,
        shapes: every_tensor.then(|| shapes.clone()),
    };
    if json {
        return output::print_json(&report);
    }
    let side = config.side();
    let mut text = format!(
        "{}: EfficientNet-Lite, {} parameters, {} of them the classifier\n\n\
         pictures of {} x {}, {side} x {side} rows of {}, {} classes\n\n",
        report.file,
        count(report.parameters),
        count(report.classifier),
        config.image_size,
        config.image_size,
        config.head_dim,
        config.num_classes,
    );
    let mut table = Table::new(&["blocks", "kernel", "stride", "expand", "channels"]);
    for stage in &config.stages {
        let numbers = [
            stage.num_blocks,
            stage.kernel,
            stage.stride,
            stage.expand,
            stage.dim,
        ];
        table.row(numbers.iter().map(ToString::to_string).collect());
    }
    text.push_str(&table.to_text());
    if let Some(shapes) = &report.shapes {
        let mut table = Table::new(&["tensor", "shape"]);
        for (name, dims) in shapes {
            let dims: Vec<String> = dims.iter().map(ToString::to_string).collect();
            table.row(vec![name.clone(), dims.join(" x ")]);
        }
        text.push_str(&format!("\n{}", table.to_text()));
    }
    output::print(&text)
}
