//! The loss against all paths counted one by one, and difference quotients.

use candle_core::{Result, Tensor};

use super::{ctc_frames, ctc_loss};
use crate::gradient_check::{
    assert_close, assert_finite_differences, assert_same_on_one_and_two_threads, random, run,
};

fn logsumexp(row: &[f32]) -> f64 {
    row.iter().map(|v| f64::from(*v).exp()).sum::<f64>().ln()
}

/// -log of the summed probability of every path that collapses to `target`.
fn by_enumeration(logits: &[Vec<f32>], target: &[u32], blank: u32) -> f64 {
    let vocab = logits[0].len();
    let mut total = 0.0;
    for code in 0..vocab.pow(logits.len() as u32) {
        let path: Vec<u32> = (0..logits.len() as u32)
            .map(|t| (code / vocab.pow(t) % vocab) as u32)
            .collect();
        let mut spelled = path.clone();
        spelled.dedup();
        spelled.retain(|label| *label != blank);
        if spelled == target {
            let log_p = path
                .iter()
                .zip(logits)
                .map(|(label, row)| f64::from(row[*label as usize]) - logsumexp(row));
            total += log_p.sum::<f64>().exp();
        }
    }
    -total.ln()
}

#[test]
fn the_loss_counts_every_path() -> Result<()> {
    for (frames, target) in [
        (4, vec![1, 2]),
        (5, vec![1, 1]),
        (3, vec![]),
        (4, vec![2, 1, 2]),
    ] {
        let logits = random((frames, 3), frames as u64);
        let expected = by_enumeration(&logits.to_vec2()?, &target, 0) as f32;
        let loss = ctc_loss(&logits, &[0, frames], &[target], &[1.0], 0)?;
        assert_close(&[loss.to_scalar()?], &[expected], 1e-6, "loss");
    }
    Ok(())
}

#[test]
fn the_gradient_is_exact() -> Result<()> {
    let targets = [vec![1, 1], vec![], vec![0, 2, 1]];
    let f = |t: &[Tensor]| ctc_loss(&t[0], &[0, 4, 6, 11], &targets, &[0.5, 1.0, 2.0], 3);
    assert_finite_differences(&[random((11, 4), 7)], &f)?;
    assert_same_on_one_and_two_threads(&[random((11, 4), 7)], &f)
}

#[test]
fn a_target_too_long_adds_nothing() -> Result<()> {
    assert_eq!(ctc_frames(&[1, 1, 2]), 4);
    let logits = [random((5, 4), 1)];
    let out = run(&logits, &|t| {
        ctc_loss(&t[0], &[0, 3, 5], &[vec![1, 1, 2], vec![1]], &[1.0, 1.0], 0)
    })?;
    let alone = ctc_loss(&logits[0].narrow(0, 3, 2)?, &[0, 2], &[vec![1]], &[1.0], 0)?;
    assert_close(&out[0], &[alone.to_scalar()?], 1e-6, "loss");
    assert!(out[1][..12].iter().all(|g| *g == 0.0));
    assert!(out[1][12..].iter().any(|g| *g != 0.0));
    Ok(())
}

#[test]
fn bad_counts_and_labels_are_refused() {
    let logits = random((5, 4), 1);
    assert!(ctc_loss(&logits, &[0, 4], &[vec![1]], &[1.0], 0).is_err());
    assert!(ctc_loss(&logits, &[0, 5], &[vec![4]], &[1.0], 0).is_err());
    assert!(ctc_loss(&logits, &[0, 5], &[vec![0]], &[1.0], 0).is_err());
    assert!(ctc_loss(&logits, &[0, 5], &[], &[1.0], 0).is_err());
    assert!(ctc_loss(&logits, &[], &[], &[], 0).is_err());
}
