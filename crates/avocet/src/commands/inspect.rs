//! `avocet inspect`: shapes, parameters and gates of a preset, a model folder or a training run.

mod tower;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use avocet_checkpoint::{EfficientNetFiles, ModelFiles, is_efficient_net};
use avocet_config::ModelConfig;
use avocet_model::{ParameterCount, Part, VisionLanguageModel, parameter_shapes};
use avocet_train::metrics::{MetricsLog, read_metrics};
use clap::Args;
use serde::Serialize;

use crate::input::{embedded, model};
use crate::ui::output::{self, Table, count};

/// `avocet inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// A preset (`gpt4`, `mini`), a model folder, a config file, a training run, or the file of an
    /// EfficientNet-Lite.
    #[arg(value_name = "REF|RUN")]
    pub subject: String,
    /// List every tensor with its shape.
    #[arg(long)]
    pub shapes: bool,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
    /// Write the report page of a training run to FILE (report.html in the run when absent).
    #[arg(long, value_name = "FILE")]
    pub html: Option<Option<PathBuf>>,
    /// Other training runs: the page compares their held-out losses with the run's; may be given
    /// many times.
    #[arg(long, value_name = "RUN", requires = "html")]
    pub against: Vec<PathBuf>,
}

#[derive(Serialize)]
struct Report {
    name: String,
    parameters: Parameters,
    config: ModelConfig,
    #[serde(skip_serializing_if = "Option::is_none")]
    gates: Option<Vec<Gates>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shapes: Option<BTreeMap<String, Vec<usize>>>,
}

#[derive(Serialize)]
struct Parameters {
    total: u64,
    active: u64,
    per_expert: u64,
    by_part: BTreeMap<&'static str, u64>,
}

#[derive(Serialize)]
struct Gates {
    before_layer: usize,
    attention: f32,
    feed_forward: f32,
}

/// Prints what the subject is made of.
pub fn run(args: &InspectArgs) -> Result<()> {
    let subject = Subject::find(&args.subject)?;
    if let Subject::Run(folder) = &subject {
        return inspect_run(folder, args);
    }
    if let Subject::Tower(files) = &subject {
        return tower::inspect(files, args.shapes, args.json);
    }
    if args.html.is_some() {
        bail!(
            "--html: {} is no training run, so there is nothing to plot",
            args.subject
        );
    }
    let report = report(&subject, args).with_context(|| args.subject.clone())?;
    if args.json {
        output::print_json(&report)
    } else {
        output::print(&text(&report))
    }
}

/// What can be inspected.
enum Subject {
    /// A shape without weights.
    Config(Box<ModelConfig>),
    /// A model with its weights.
    Model(Box<ModelFiles>),
    /// An EfficientNet-Lite by itself.
    Tower(Box<EfficientNetFiles>),
    /// The folder of a training run.
    Run(PathBuf),
}

impl Subject {
    /// A run folder, a model folder or a config file if there is one of that name; otherwise the
    /// built-in model, or a preset.
    fn find(name: &str) -> Result<Self> {
        let path = Path::new(name);
        if is_efficient_net(path) {
            return Ok(Self::Tower(Box::new(EfficientNetFiles::open(path)?)));
        }
        if path.is_dir() {
            let is_run = path.join(MetricsLog::FILE).is_file();
            return if is_run {
                Ok(Self::Run(path.to_owned()))
            } else {
                Ok(Self::Model(Box::new(ModelFiles::open(path)?)))
            };
        }
        if path.is_file() && path.extension().is_some_and(|ending| ending == "gguf") {
            return Ok(Self::Model(Box::new(ModelFiles::open(path)?)));
        }
        if path.is_file() {
            let text = std::fs::read_to_string(path).with_context(|| name.to_owned())?;
            let config = ModelConfig::from_toml(&text).with_context(|| name.to_owned())?;
            return Ok(Self::Config(Box::new(config)));
        }
        if name == embedded::NAME || name.contains('/') {
            return Ok(Self::Model(Box::new(model::open(name)?)));
        }
        match avocet_config::preset(name) {
            Ok(config) => Ok(Self::Config(Box::new(config))),
            Err(error) => bail!("{name}: no such folder or file, and {error}"),
        }
    }
}

fn report(subject: &Subject, args: &InspectArgs) -> Result<Report> {
    let (config, gates) = match subject {
        Subject::Config(config) => (config.as_ref().clone(), None),
        Subject::Model(files) => (files.config().clone(), Some(gates(files)?)),
        Subject::Run(_) | Subject::Tower(_) => bail!("is no model with a decoder"),
    };
    let counted = ParameterCount::of(&config)?;
    let parameters = Parameters {
        total: counted.total,
        active: counted.active,
        per_expert: counted.per_expert,
        by_part: counted
            .by_part
            .iter()
            .map(|(part, n)| (part.name(), *n))
            .collect(),
    };
    let shapes = if args.shapes {
        let shapes = parameter_shapes(&config)?;
        Some(
            shapes
                .into_iter()
                .map(|(name, shape)| (name, shape.dims().to_vec()))
                .collect(),
        )
    } else {
        None
    };
    Ok(Report {
        name: config.name.clone(),
        parameters,
        config,
        gates,
        shapes,
    })
}

fn gates(files: &ModelFiles) -> Result<Vec<Gates>> {
    let model = VisionLanguageModel::new(files.config(), files.builder()?)?;
    let config = files.config();
    let places = config
        .cross_attention
        .as_ref()
        .map(|cross| cross.places(config.decoder.num_layers));
    let openings = model.gates()?.into_iter().zip(places.unwrap_or_default());
    Ok(openings
        .map(|((attention, feed_forward), before_layer)| Gates {
            before_layer,
            attention,
            feed_forward,
        })
        .collect())
}

fn text(report: &Report) -> String {
    let parameters = &report.parameters;
    let mut text = format!(
        "{}: {} parameters, {} of them active for a token\n\n",
        report.name,
        count(parameters.total),
        count(parameters.active)
    );
    let mut table = Table::new(&["part", "parameters", "share"]);
    for part in Part::ALL {
        if let Some(&n) = parameters.by_part.get(part.name()) {
            let share = 100.0 * n as f64 / parameters.total as f64;
            table.row(vec![part.name().into(), count(n), format!("{share:.1} %")]);
        }
    }
    text.push_str(&table.to_text());
    let feed_forward = match &report.config.decoder.moe {
        Some(moe) => format!(
            "{} experts of {} parameters each, {} for a token",
            moe.num_experts,
            count(parameters.per_expert),
            moe.top_k
        ),
        None => format!(
            "dense feed-forward {} wide",
            report.config.decoder.ff_dim.unwrap_or(0)
        ),
    };
    text.push_str(&format!(
        "\n{feed_forward}; {} layers of width {}, {} query heads x {} on {} key/value head{}, \
         context {}, vocabulary {}\n",
        report.config.decoder.num_layers,
        report.config.decoder.dim,
        report.config.decoder.num_heads,
        report.config.decoder.head_dim,
        report.config.decoder.num_kv_heads,
        if report.config.decoder.num_kv_heads == 1 {
            ""
        } else {
            "s"
        },
        report.config.decoder.max_context,
        report.config.decoder.vocab_size
    ));
    if let Some(gates) = report.gates.as_ref().filter(|gates| !gates.is_empty()) {
        let mut table = Table::new(&["gates before layer", "attention", "feed-forward"]);
        for gate in gates {
            let cells = [gate.attention, gate.feed_forward].map(|opening| format!("{opening:.4}"));
            table.row([vec![gate.before_layer.to_string()], cells.to_vec()].concat());
        }
        text.push_str(&format!("\n{}", table.to_text()));
    }
    if let Some(shapes) = &report.shapes {
        let mut table = Table::new(&["tensor", "shape"]);
        for (name, dims) in shapes {
            let dims: Vec<String> = dims.iter().map(ToString::to_string).collect();
            table.row(vec![name.clone(), dims.join(" x ")]);
        }
        text.push_str(&format!("\n{}", table.to_text()));
    }
    text
}

fn inspect_run(folder: &Path, args: &InspectArgs) -> Result<()> {
    if let Some(file) = &args.html {
        let page = if args.against.is_empty() {
            avocet_train::report(folder)?
        } else {
            let mut runs = vec![folder.to_owned()];
            runs.extend(args.against.iter().cloned());
            avocet_train::compare(&runs)?
        };
        let path = file.clone().unwrap_or_else(|| folder.join("report.html"));
        output::save(&path, page.as_bytes())?;
        return output::print(&format!("{}\n", path.display()));
    }
    let metrics = read_metrics(folder)?;
    let Some(last) = metrics.last() else {
        bail!("{}: nothing measured yet", folder.display())
    };
    if args.json {
        return output::print_json(last);
    }
    let mut table = Table::new(&["figure", "value"]);
    let mut row = |name: &str, value: String| table.row(vec![name.to_owned(), value]);
    row("stage", last.stage.clone());
    row("step", last.step.to_string());
    row("samples", last.samples_seen.to_string());
    row("loss", format!("{:.4}", last.loss));
    row("hours", format!("{:.2}", last.seconds / 3600.0));
    row("FLOP", format!("{:.3e}", last.flops));
    row("samples/s", format!("{:.1}", last.samples_per_s));
    row("MFU", format!("{:.1} %", 100.0 * last.mfu));
    let named = [
        ("part of the loss", &last.parts),
        ("loss of", &last.kinds),
        ("gate", &last.gates),
    ];
    for (what, figures) in named {
        for (name, value) in figures {
            row(&format!("{what} {name}"), format!("{value:.4}"));
        }
    }
    for (layer, load) in last.expert_load.iter().enumerate() {
        let shares: Vec<String> = load
            .iter()
            .map(|share| format!("{:.1}", 100.0 * share))
            .collect();
        row(
            &format!("expert load of layer {layer}, %"),
            shares.join(" "),
        );
    }
    output::print(&table.to_text())
}
