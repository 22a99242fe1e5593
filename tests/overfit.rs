//! Training does what it says: one batch is learned by heart, and frozen parts stay as they are.

use std::collections::HashMap;

use avocet_config::{ModelConfig, preset};
use avocet_kernels::Placement;
use avocet_train::config::{LossWeights, ModelSource};
use avocet_train::step_bench::synthetic_batch;
use avocet_train::{Learner, Params, StageConfig, StageKind, StepReport};

fn learner(config: &ModelConfig, change: impl FnOnce(&mut StageConfig)) -> Learner {
    let model = ModelSource::Inline(Box::new(config.clone()));
    let mut stage = StageConfig::new("test", StageKind::Joint, model, 8);
    stage.clip = Some(1.0);
    stage.optimizer.weight_decay = 0.0;
    change(&mut stage);
    let params = Params::new(5, stage.selection(), HashMap::new(), &Placement::default());
    Learner::new(config, &stage, params, Vec::new()).unwrap()
}

fn train(learner: &mut Learner, config: &ModelConfig, steps: usize, rate: f64) -> StepReport {
    let batches = [synthetic_batch(config, 8, 3)];
    let mut last = StepReport::default();
    for step in 0..steps {
        last = learner.step(&batches, rate, step + 1 == steps).unwrap();
        assert!(last.applied, "step {step}");
    }
    last
}

#[test]
fn one_batch_of_random_answers_is_learned_by_heart() {
    let config = preset("tiny").unwrap();
    let mut learner = learner(&config, |_| {});
    let report = train(&mut learner, &config, 300, 1e-2);
    assert!(report.parts["text"] < 0.02, "{:?}", report.parts);
    assert!(
        report.kinds.values().all(|loss| *loss < 0.02),
        "{:?}",
        report.kinds
    );
}

#[test]
fn the_vision_encoder_learns_to_read_one_batch_through_its_auxiliary_head() {
    let config = preset("tiny").unwrap();
    let mut learner = learner(&config, |stage| {
        stage.kind = StageKind::Vision;
        stage.trains = vec!["vision.*".into()];
        stage.losses = LossWeights {
            ctc: 1.0,
            ..LossWeights::default()
        };
    });
    let report = train(&mut learner, &config, 400, 1e-2);
    assert!(
        report.accuracy["character_error_rate"] < 0.05,
        "{:?}",
        report.accuracy
    );
}

#[test]
fn only_the_selected_parts_change() {
    let config = preset("tiny").unwrap();
    let parts = ["decoder.", "cross_attention.", "vision.", "resampler."];
    let hashes = |learner: &Learner| {
        parts.map(|part| {
            learner
                .params()
                .hash(|name| name.starts_with(part))
                .unwrap()
        })
    };
    for (selected, part) in parts.iter().enumerate() {
        let mut learner = learner(&config, |stage| {
            stage.trains = vec![format!("{part}*")];
        });
        let before = hashes(&learner);
        train(&mut learner, &config, 3, 1e-2);
        let after = hashes(&learner);
        for index in 0..parts.len() {
            let same = before[index] == after[index];
            assert_eq!(
                same,
                index != selected,
                "{} while training {part}",
                parts[index]
            );
        }
    }
}

#[test]
fn micro_batches_give_the_gradient_of_the_whole_batch() {
    let config = preset("tiny").unwrap();
    let mut whole = learner(&config, |stage| stage.losses.balance = 0.0);
    let mut parts = learner(&config, |stage| stage.losses.balance = 0.0);
    let one = synthetic_batch(&config, 4, 1);
    let two = synthetic_batch(&config, 4, 2);
    let mut both = one.clone();
    append(&mut both, &two);
    let a = whole.step(&[both], 1e-3, false).unwrap();
    let b = parts.step(&[one, two], 1e-3, false).unwrap();
    // The z-loss is a mean over micro-batches of unequal length, so only the text agrees exactly;
    // f32 sums in another order.
    assert!(
        (a.parts["text"] - b.parts["text"]).abs() < 1e-5,
        "{a:?} {b:?}"
    );
    assert!(
        (a.gradient_norm / b.gradient_norm - 1.0).abs() < 1e-3,
        "{a:?} {b:?}"
    );
}

#[test]
fn blocks_that_are_computed_again_give_the_same_step() {
    let config = preset("tiny").unwrap();
    let losses = LossWeights {
        ctc: 0.5,
        ..LossWeights::default()
    };
    let of = |recompute| {
        learner(&config, |stage| {
            (stage.recompute, stage.losses) = (recompute, losses);
        })
    };
    let (mut plain, mut again) = (of(false), of(true));
    for step in 0..3 {
        let a = train(&mut plain, &config, 1, 1e-3);
        let b = train(&mut again, &config, 1, 1e-3);
        // f32 sums in another order, over three steps of the optimizer.
        assert!(
            (a.loss - b.loss).abs() < 1e-3 * a.loss,
            "step {step}: {a:?} {b:?}"
        );
        let apart = (a.gradient_norm / b.gradient_norm - 1.0).abs();
        assert!(apart < 1e-3, "step {step}: {a:?} {b:?}");
        assert_eq!(a.loads, b.loads);
    }
}

fn append(batch: &mut avocet_data::Batch, other: &avocet_data::Batch) {
    let (rows, images) = (batch.ids.len(), batch.grids.len() as u32);
    batch.ids.extend(&other.ids);
    batch.targets.extend(&other.targets);
    batch.weights.extend(&other.weights);
    batch
        .offsets
        .extend(other.offsets[1..].iter().map(|at| at + rows));
    let moved = other
        .visible_images
        .iter()
        .map(|&(first, end)| match first == end {
            true => (0, 0),
            false => (first + images, end + images),
        });
    batch.visible_images.extend(moved);
    batch.patches.extend(&other.patches);
    batch.grids.extend(&other.grids);
    batch.truths.extend(other.truths.iter().cloned());
    batch.kinds.extend(other.kinds.iter().cloned());
}
