//! Facts about `experts`.

use candle_core::{DType, Result, Tensor, Var};

use super::expert_ffn;
use crate::gradient_check::{
    assert_close, assert_finite_differences, assert_fused, assert_matches, random, run,
};
use crate::router::{Routing, route};
use crate::swiglu_ffn::swiglu_ffn;

fn inputs(rows: usize, width: usize, hidden: usize, experts: usize) -> [Var; 4] {
    [
        random((rows, width), 1),
        random((rows, 2), 2),
        random((experts, 2 * hidden, width), 3),
        random((experts, width, hidden), 4),
    ]
}

fn fused(routing: &Routing) -> impl Fn(&[Tensor]) -> Result<Tensor> + Sync {
    |t: &[Tensor]| {
        let (gate_up, down) = ((&t[2]).into(), (&t[3]).into());
        expert_ffn(&t[0], &t[1], &gate_up, &down, routing)
    }
}

#[test]
fn expert_ffn_is_its_composed_form() -> Result<()> {
    for capacity_factor in [None, Some(0.8)] {
        let routing = route(&random((500, 8), 9), 2, None, capacity_factor)?.1;
        assert_eq!(routing.dropped()? > 0, capacity_factor.is_some());
        assert_fused(&inputs(500, 24, 20, 8), 1e-5, &fused(&routing))?;
    }
    let routing = route(&random((3, 4), 9), 2, None, None)?.1;
    assert_finite_differences(&inputs(3, 3, 2, 4), &fused(&routing))
}

#[test]
fn grouped_experts_equal_a_loop_over_tokens() -> Result<()> {
    let routing = route(&random((40, 8), 9), 2, None, None)?.1;
    let inputs = inputs(40, 16, 12, 8);
    let per_token = |t: &[Tensor]| {
        let mut rows = Vec::new();
        for row in 0..40 {
            let x = t[0].narrow(0, row, 1)?;
            let mut sum = x.zeros_like()?;
            for place in 0..2 {
                let expert = routing.experts()?[row * 2 + place] as usize;
                let y = swiglu_ffn(&x, &t[2].get(expert)?.into(), &t[3].get(expert)?.into())?;
                let weight = t[1].narrow(0, row, 1)?.narrow(1, place, 1)?;
                sum = (sum + y.broadcast_mul(&weight)?)?;
            }
            rows.push(sum);
        }
        Tensor::cat(&rows, 0)
    };
    assert_matches(&inputs, 1e-5, &fused(&routing), &per_token)
}

#[test]
fn experts_that_nobody_chose_get_a_zero_gradient() -> Result<()> {
    let logits = random((600, 4), 9);
    let bias = Tensor::new(&[5.0f32, 5.0, 0.0, 0.0], logits.device())?;
    let routing = route(&logits, 2, Some(&bias), None)?.1;
    assert_eq!(routing.load()?, [600, 600, 0, 0]);
    let gradients = run(&inputs(600, 6, 5, 4), &fused(&routing))?;
    assert!(gradients[3][2 * 60..].iter().all(|&g| g == 0.0));
    assert!(gradients[3][..2 * 60].iter().all(|&g| g != 0.0));
    Ok(())
}

#[test]
fn bf16_experts_act_as_their_f32_copies() -> Result<()> {
    let routing = route(&random((30, 8), 9), 2, None, None)?.1;
    let [x, weights, up, down] = inputs(30, 16, 12, 8);
    let (up, down) = (up.to_dtype(DType::BF16)?, down.to_dtype(DType::BF16)?);
    let out = |dtype| -> Result<Tensor> {
        let (up, down) = (up.to_dtype(dtype)?.into(), down.to_dtype(dtype)?.into());
        expert_ffn(&x, &weights, &up, &down, &routing)
    };
    let (half, full) = (out(DType::BF16)?, out(DType::F32)?);
    let flat = |t: Tensor| t.flatten_all()?.to_vec1::<f32>();
    assert_close(&flat(half)?, &flat(full)?, 1e-6, "output");
    Ok(())
}

#[test]
fn weights_of_another_number_of_experts_are_refused_with_both_numbers() -> Result<()> {
    let routing = route(&random((3, 4), 9), 2, None, None)?.1;
    let inputs = inputs(3, 4, 5, 6).map(|input| input.detach());
    let error = fused(&routing)(&inputs).expect_err("4 is not 6");
    assert!(
        error
            .to_string()
            .contains("routing to 4 experts, w_gate_up of 6"),
        "{error}"
    );
    Ok(())
}
