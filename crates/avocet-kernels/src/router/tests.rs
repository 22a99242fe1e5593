//! Facts about `router`.

use candle_core::{Device, Result, Tensor};

use super::{RouterKind, route, route_by, router_losses};
use crate::fused::composed;
use crate::gradient_check::{assert_close, assert_finite_differences, assert_fused, random};

#[test]
fn routing_weights_are_their_composed_form() -> Result<()> {
    let inputs = [random((600, 16), 1)];
    assert_fused(&inputs, 1e-5, &|t| Ok(route(&t[0], 2, None, None)?.0))
}

#[test]
fn router_losses_are_their_composed_form() -> Result<()> {
    let routing = route(&random((1100, 16), 1), 2, None, None)?.1;
    let inputs = [random((1100, 16), 1)];
    let stack = |(balance, z): (Tensor, Tensor)| Tensor::stack(&[balance, z], 0);
    let fused = |t: &[Tensor]| stack(router_losses(&t[0], &routing)?);
    assert_fused(&inputs, 1e-5, &fused)?;
    let small = random((3, 4), 1);
    let routing = route(&small, 2, None, None)?.1;
    assert_finite_differences(&[small], &|t| stack(router_losses(&t[0], &routing)?))
}

#[test]
fn balance_is_one_at_uniform_and_experts_over_k_at_collapse() -> Result<()> {
    // Row r prefers experts 2r and 2r + 1 slightly: all are chosen alike.
    let slight = |i: usize| if i % 16 / 2 == i / 16 { 1e-4f32 } else { 0.0 };
    let rows: Vec<f32> = (0..8 * 16).map(slight).collect();
    let logits = Tensor::from_vec(rows, (8, 16), &Device::Cpu)?;
    let (_, routing) = route(&logits, 2, None, None)?;
    assert_eq!(routing.load()?, [1; 16]);
    let (balance, z) = router_losses(&logits, &routing)?;
    assert!((balance.to_scalar::<f32>()? - 1.0).abs() < 1e-4);
    assert!((z.to_scalar::<f32>()? - 16f32.ln().powi(2)).abs() < 1e-3);

    let rows = (0..8 * 16)
        .map(|i| if i % 16 < 2 { 50.0 } else { 0.0 })
        .collect();
    let logits = Tensor::from_vec(rows, (8, 16), &Device::Cpu)?;
    let (_, routing) = route(&logits, 2, None, None)?;
    let (balance, _) = router_losses(&logits, &routing)?;
    assert!((balance.to_scalar::<f32>()? - 8.0).abs() < 1e-4);
    Ok(())
}

#[test]
fn the_bias_shifts_the_choice_but_not_the_weights() -> Result<()> {
    let logits = Tensor::new(&[[2.0f32, 1.0, 0.0, -1.0]], &Device::Cpu)?;
    let bias = Tensor::new(&[0.0f32, -1.0, 0.0, 0.0], &Device::Cpu)?;
    let (weights, routing) = route(&logits, 2, Some(&bias), None)?;
    assert_eq!(routing.experts()?, [0, 2]);
    let total = 2f32.exp() + 1.0;
    let expected = [2f32.exp() / total, 1.0 / total];
    assert_close(
        &weights.flatten_all()?.to_vec1()?,
        &expected,
        1e-6,
        "weights",
    );
    Ok(())
}

#[test]
fn a_capacity_drops_the_latest_choices_and_reports_them() -> Result<()> {
    let logits = Tensor::new(
        &[[9.0f32, 1.0], [9.0, 1.0], [9.0, 1.0], [1.0, 9.0]],
        &Device::Cpu,
    )?;
    let (_, routing) = route(&logits, 1, None, Some(1.0))?;
    assert_eq!(routing.load()?, [3, 1]);
    assert_eq!(routing.dropped()?, 1);
    assert_eq!(routing.plan()?.choices, [0, 1, 3]);
    assert_eq!(routing.plan()?.offsets, [0, 2, 3]);
    assert_eq!(routing.plan()?.slots_of(2).collect::<Vec<_>>(), [None]);
    Ok(())
}

#[test]
fn another_device_makes_the_same_choices_and_is_read_back_when_asked() -> Result<()> {
    let logits = random((300, 8), 5);
    let bias = random(8, 6);
    for kind in [RouterKind::Plain, RouterKind::Renormalized] {
        let chosen = || route_by(kind, &logits, 3, Some(&bias), Some(0.9));
        let (here, there) = (chosen()?.1, composed(chosen)?.1);
        assert!(!there.is_read_back());
        assert_eq!(here.experts()?, there.experts()?);
        assert_eq!(here.plan()?.choices, there.plan()?.choices);
        assert!(there.is_read_back());
    }
    Ok(())
}

#[test]
fn logits_that_are_no_numbers_still_choose_distinct_experts() -> Result<()> {
    let logits = Tensor::new(&[[f32::NAN; 3]], &Device::Cpu)?;
    assert_eq!(route(&logits, 2, None, None)?.1.experts()?, [0, 1]);
    Ok(())
}

#[test]
fn more_choices_than_experts_are_refused_with_both_numbers() {
    let error = route(&random((2, 3), 1), 4, None, None)
        .expect_err("4 of 3")
        .to_string();
    assert!(error.contains("top_k is 4 but there are 3"), "{error}");
}

#[test]
fn plain_and_mixed_weights_are_their_composed_form() -> Result<()> {
    let mixer = RouterKind::SparseMixer { jitter: 0.2 };
    for (kind, top_k) in [(RouterKind::Plain, 3), (mixer, 2)] {
        let inputs = [random((1100, 16), 1)];
        let fused = |t: &[Tensor]| Ok(route_by(kind, &t[0], top_k, None, None)?.0);
        assert_fused(&inputs, 1e-5, &fused)?;
    }
    // Far enough apart that no step of the quotients crosses a threshold or another choice.
    let rows = [
        [1.0f32, 0.9, 0.3, -2.0, 0.8],
        [-1.0, -1.05, -3.0, -1.1, -5.0],
    ];
    let logits = candle_core::Var::new(&rows, &Device::Cpu)?;
    for kind in [RouterKind::Plain, mixer] {
        let fused = |t: &[Tensor]| Ok(route_by(kind, &t[0], 2, None, None)?.0);
        assert_finite_differences(std::slice::from_ref(&logits), &fused)?;
    }
    Ok(())
}

#[test]
fn plain_weights_are_the_softmax_over_all_experts() -> Result<()> {
    let logits = Tensor::new(&[[2.0f32, 1.0, 0.0, -1.0]], &Device::Cpu)?;
    let bias = Tensor::new(&[0.0f32, -1.0, 0.0, 0.0], &Device::Cpu)?;
    let (weights, routing) = route_by(RouterKind::Plain, &logits, 2, Some(&bias), None)?;
    assert_eq!(routing.experts()?, [0, 2]);
    let total = 2f32.exp() + 1f32.exp() + 1.0 + (-1f32).exp();
    let expected = [2f32.exp() / total, 1.0 / total];
    let weights = weights.flatten_all()?.to_vec1()?;
    assert_close(&weights, &expected, 1e-6, "weights");
    Ok(())
}

#[test]
fn a_sparse_mixer_weighs_as_the_reference_implementation() -> Result<()> {
    let logits = Tensor::new(
        &[
            [1.0f32, 0.99, 0.3, -2.0, 0.985, 0.0],
            [-1.0, -1.005, -1.5, -1.01, -3.0, -1.03],
            [0.5, 2.0, 2.0, 1.99, 1.98, 0.1],
        ],
        &Device::Cpu,
    )?;
    let kind = RouterKind::SparseMixer { jitter: 0.01 };
    let (weights, routing) = route_by(kind, &logits, 2, None, None)?;
    assert_eq!(routing.experts()?, [0, 1, 0, 1, 1, 2]);
    // `sparsemixer` of transformers 4.51.3.
    let expected = [
        0.336_116_16,
        0.501_249_97,
        0.335_001_38,
        0.501_249_97,
        0.251_873_4,
        0.336_672_16,
    ];
    let weights = weights.flatten_all()?.to_vec1()?;
    assert_close(&weights, &expected, 5e-7, "weights");
    Ok(())
}

#[test]
fn a_sparse_mixer_of_other_than_two_experts_is_refused() {
    let kind = RouterKind::SparseMixer { jitter: 0.01 };
    let error = route_by(kind, &random((2, 3), 1), 1, None, None).expect_err("1 expert");
    assert!(error.to_string().contains("2 experts"), "{error}");
    let bias = random(3, 2);
    assert!(route_by(kind, &random((2, 3), 1), 2, Some(&bias), None).is_err());
}
