//! Looks through the layouts of a training run: which fit, which are fastest, why others do not fit.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::error::{PlanError, Result};
use crate::layer::Workload;
use crate::layout::{Cluster, Layout, Recompute, Sharding};
use crate::model::ModelShape;
use crate::step::{Step, step};

/// A layout that fits, with its step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Found {
    /// The layout.
    pub layout: Layout,
    /// Its step.
    pub step: Step,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Search {
    /// The layouts that fit, the most tokens a second first.
    pub best: Vec<Found>,
    /// Layouts tried.
    pub tried: usize,
    /// Layouts that fit.
    pub fit: usize,
    /// How many were refused for what.
    pub refused: BTreeMap<String, usize>,
    /// The layout that needs the least memory of those that do not fit.
    pub nearest: Option<(Layout, f64)>,
}

/// Limits of a search.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fixed {
    /// Tensor groups of this size only.
    pub tensor: Option<u64>,
    /// So many stages only.
    pub pipeline: Option<u64>,
    /// So many replicas share experts.
    pub expert: Option<u64>,
    /// So many chunks a stage.
    pub chunks: Option<u64>,
    /// This micro-batch only.
    pub micro_batch: Option<u64>,
    /// This sharding only.
    pub sharding: Option<Sharding>,
    /// This recomputation only.
    pub recompute: Option<Recompute>,
}

fn options<T: Clone>(fixed: Option<T>, all: &[T]) -> Vec<T> {
    fixed.map_or_else(|| all.to_vec(), |one| vec![one])
}

/// Tries every layout of `cluster` that `fixed` allows for steps of `sequences` sequences; keeps the
/// best `keep`.
///
/// Errors if none fits, and says why.
pub fn search(
    model: &ModelShape,
    cluster: &Cluster,
    work: &Workload,
    sequences: u64,
    fixed: &Fixed,
    keep: usize,
) -> Result<Search> {
    let mut found: Vec<Found> = Vec::new();
    let mut result = Search {
        best: Vec::new(),
        tried: 0,
        fit: 0,
        refused: BTreeMap::new(),
        nearest: None,
    };
    let mut refusals = Vec::new();
    for layout in layouts(model, cluster, sequences, fixed) {
        result.tried += 1;
        let tried = step(model, cluster, &layout, work, sequences);
        let reason = match tried {
            Err(error) => {
                let kind = kind(&error);
                refusals.push(error);
                kind
            }
            Ok(step) if step.sequences.abs_diff(sequences) as f64 > CLOSE * sequences as f64 => {
                "batch: no whole micro-batches within 5 % of it".into()
            }
            Ok(step) if step.memory.total() > cluster.gpu.memory => {
                let needed = step.memory.total();
                if result
                    .nearest
                    .as_ref()
                    .is_none_or(|(_, least)| needed < *least)
                {
                    result.nearest = Some((layout.clone(), needed));
                }
                memory_reason(&step)
            }
            Ok(step) => {
                result.fit += 1;
                found.push(Found { layout, step });
                continue;
            }
        };
        *result.refused.entry(reason).or_default() += 1;
    }
    let speed = |found: &Found| found.step.sequences as f64 / found.step.seconds;
    found.sort_by(|a, b| speed(b).total_cmp(&speed(a)));
    // Of layouts alike but for recomputation and chunks only the fastest is shown.
    let mut seen = std::collections::BTreeSet::new();
    found.retain(|found| {
        let layout = &found.layout;
        seen.insert((
            layout.tensor,
            layout.pipeline,
            layout.expert,
            layout.sharding as u8,
        ))
    });
    found.truncate(keep);
    if found.is_empty() {
        // One flag that rules out everything is an answer of its own.
        let about = |error: &PlanError| match error {
            PlanError::Input { what, .. } => Some(*what),
            _ => None,
        };
        if refusals.len() == result.tried
            && let Some(first) = refusals.first()
            && refusals.iter().all(|other| about(other) == about(first))
        {
            return Err(first.clone());
        }
        return Err(PlanError::NothingFits {
            model: model.name.clone(),
            gpu: cluster.gpu.name.into(),
            count: cluster.count,
            reasons: reasons(&result, cluster),
        });
    }
    result.best = found;
    Ok(result)
}

/// The reasons in words, the most frequent first.
fn reasons(search: &Search, cluster: &Cluster) -> String {
    let mut sorted: Vec<_> = search.refused.iter().collect();
    sorted.sort_by(|a, b| b.1.cmp(a.1));
    let named = sorted
        .iter()
        .take(3)
        .map(|(reason, count)| format!("{count} x {reason}"));
    let mut words: Vec<String> = named.collect();
    if let Some((layout, needed)) = &search.nearest {
        words.push(format!(
            "the nearest, tensor {} x pipeline {} x data {}, needs {:.1} GB of a GPU's {:.1}",
            layout.tensor,
            layout.pipeline,
            layout.data,
            needed / 1e9,
            cluster.gpu.memory / 1e9
        ));
    }
    words.join("; ")
}

fn kind(error: &PlanError) -> String {
    match error {
        PlanError::Input { what, reason } => {
            let mut words = String::new();
            for c in reason.chars() {
                match c.is_ascii_digit() {
                    true if words.ends_with('N') => {}
                    true => words.push('N'),
                    false => words.push(c),
                }
            }
            format!("{what}: {words}")
        }
        other => other.to_string(),
    }
}

/// The largest part of what does not fit.
fn memory_reason(step: &Step) -> String {
    let memory = &step.memory;
    let parts = [
        ("weights", memory.weights),
        ("gradients", memory.gradients),
        ("optimizer", memory.optimizer),
        ("activations", memory.activations + memory.working),
    ];
    let largest = parts.iter().max_by(|a, b| a.1.total_cmp(&b.1));
    let name = largest.map_or("", |part| part.0);
    format!("memory, mostly {name}")
}

/// Replicas of so many GPUs' worth, in whole expert groups: all of them if the batch divides among them
/// within 5 %, otherwise as many as take it with one micro-batch more; the rest stand idle.
fn replicas(most: u64, expert: u64, sequences: u64, micro_batch: u64) -> u64 {
    let (expert, micro_batch) = (expert.max(1), micro_batch.max(1));
    let whole = |replicas: u64| (replicas / expert * expert).max(1);
    let all = whole(most);
    let share = all.saturating_mul(micro_batch);
    let taken = (sequences + share / 2) / share * share;
    if sequences < share || taken.abs_diff(sequences) as f64 <= CLOSE * sequences as f64 {
        return all;
    }
    whole(sequences / (sequences.div_ceil(share) * micro_batch))
}

/// How near a batch of whole micro-batches comes to what was asked for.
const CLOSE: f64 = 0.05;

/// Every layout worth trying: powers of two up to a node for tensor groups, every number of stages
/// that leaves few layers over, experts shared by powers of two.
fn layouts(model: &ModelShape, cluster: &Cluster, sequences: u64, fixed: &Fixed) -> Vec<Layout> {
    let mut all = Vec::new();
    let tensors = options(fixed.tensor, &[1, 2, 4, 8]);
    let stages: Vec<u64> = (1..=model.num_layers.min(128))
        .filter(|stages| {
            let longest = model.num_layers.div_ceil(*stages);
            // Stages whose longest has much more than its share waste the others' time.
            (longest * stages) as f64 <= 1.15 * model.num_layers as f64
        })
        .collect();
    let stages = options(fixed.pipeline, &stages);
    let num_experts = model.mixture.map_or(1, |mixture| mixture.num_experts);
    let sharers: Vec<u64> = (0..7).map(|power| 1 << power).collect();
    let sharers: Vec<u64> = sharers
        .into_iter()
        .filter(|sharers| num_experts.is_multiple_of(*sharers))
        .collect();
    for tensor in tensors {
        for &pipeline in &stages {
            let data = cluster.count / tensor.saturating_mul(pipeline).max(1);
            // A cluster too small for what was asked for is refused with the numbers.
            let asked = fixed.pipeline.is_some() || (pipeline == 1 && fixed.tensor.is_some());
            if data == 0 && !asked {
                continue;
            }
            let data = data.max(1);
            for expert in options(fixed.expert, &sharers) {
                if expert > data && fixed.expert.is_none() {
                    continue;
                }
                for chunks in options(fixed.chunks, &[1, 2, 4]) {
                    let held = pipeline.saturating_mul(chunks);
                    let possible = pipeline > 1 && held <= model.num_layers;
                    if chunks > 1 && fixed.chunks.is_none() && !possible {
                        continue;
                    }
                    for micro_batch in options(fixed.micro_batch, &[1, 2, 4]) {
                        let data = replicas(data, expert, sequences, micro_batch);
                        for recompute in options(
                            fixed.recompute,
                            &[Recompute::None, Recompute::Selective, Recompute::Full],
                        ) {
                            for sharding in
                                options(fixed.sharding, &[Sharding::Zero1, Sharding::Fsdp])
                            {
                                if sharding == Sharding::Fsdp
                                    && pipeline > 1
                                    && fixed.sharding.is_none()
                                {
                                    continue;
                                }
                                all.push(Layout {
                                    tensor,
                                    pipeline,
                                    data,
                                    expert,
                                    chunks,
                                    micro_batch,
                                    sharding,
                                    recompute,
                                    sequence_parallel: tensor > 1,
                                });
                            }
                        }
                    }
                }
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::Gpu;
    use crate::known;

    fn found(count: u64, fixed: Fixed) -> Result<Search> {
        let cluster = Cluster::new(Gpu::named("a100-80")?, count)?;
        let model = known::megatron(175);
        search(&model, &cluster, &Workload::modern(2048), 1536, &fixed, 10)
    }

    #[test]
    fn the_best_layout_fits_and_nothing_else_is_faster() {
        let search = found(1024, Fixed::default()).unwrap();
        let speed = |found: &Found| found.step.sequences as f64 / found.step.seconds;
        assert!(search.fit > 0 && search.fit < search.tried);
        for found in &search.best {
            assert!(found.step.memory.total() <= Gpu::named("a100-80").unwrap().memory);
            assert!(found.layout.gpus() <= 1024);
            assert!(speed(found) <= speed(&search.best[0]));
        }
        assert!(
            search
                .refused
                .keys()
                .any(|reason| reason.starts_with("memory"))
        );
    }

    #[test]
    fn a_flag_that_rules_everything_out_is_named_with_its_numbers() {
        let error = |fixed| found(1024, fixed).unwrap_err().to_string();
        let fixed = Fixed {
            tensor: Some(7),
            ..Fixed::default()
        };
        assert_eq!(error(fixed), "tensor: 7 does not divide the 96 heads");
        let fixed = Fixed {
            pipeline: Some(97),
            ..Fixed::default()
        };
        assert_eq!(
            error(fixed),
            "pipeline: 97 stages, but the model has 96 layers"
        );
    }

    #[test]
    fn numbers_beyond_all_measure_are_refused_like_others() {
        for most in [0, u64::MAX] {
            for fixed in [
                Fixed {
                    tensor: Some(most),
                    ..Fixed::default()
                },
                Fixed {
                    pipeline: Some(most),
                    ..Fixed::default()
                },
                Fixed {
                    expert: Some(most),
                    ..Fixed::default()
                },
                Fixed {
                    chunks: Some(most),
                    ..Fixed::default()
                },
                Fixed {
                    micro_batch: Some(most),
                    ..Fixed::default()
                },
            ] {
                let error = found(1024, fixed).unwrap_err().to_string();
                assert!(
                    error.contains(&format!("is {most}, must be 1 to")),
                    "{error}"
                );
            }
        }
    }

    #[test]
    fn a_cluster_that_is_too_small_says_what_is_missing() {
        let error = found(16, Fixed::default()).unwrap_err().to_string();
        assert!(
            error.contains("memory") && error.contains("the nearest") && error.contains("GB"),
            "{error}"
        );
        assert!(!error.contains('\n'));
    }
}
