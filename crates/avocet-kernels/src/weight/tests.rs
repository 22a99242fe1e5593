//! Facts about layers on stored weights.

use super::*;
use crate::experts::{by_expert, expert_ffn, infer_experts};
use crate::gradient_check::{
    assert_finite_differences, assert_matches, assert_same_on_one_and_two_threads, random,
};
use crate::router::route;
use crate::swiglu_ffn::swiglu_ffn;
use avocet_products::stored::{StoredFormat, StoredRows};
use candle_core::{Error, Var};

/// Parts of all formats, one after another, with an odd number of rows each but the last.
fn mixed(shape: &[usize]) -> Result<Weight> {
    let (cols, outer) = shape.split_last().expect("a shape of a matrix");
    let rows: usize = outer.iter().product();
    let mut parts: Vec<StoredRows> = Vec::new();
    let mut done = 0;
    for (i, format) in StoredFormat::ALL.into_iter().cycle().enumerate() {
        if done == rows {
            break;
        }
        let next = (rows - done).min(2 * (i % 4) + 1);
        parts.push(StoredRows::random(format, next, *cols, i as u64).map_err(Error::wrap)?);
        done += next;
    }
    Ok(StoredMatrix::new(shape, parts).map_err(Error::wrap)?.into())
}

#[test]
fn a_stored_linear_layer_is_that_of_its_numbers() -> Result<()> {
    let w = mixed(&[131, 512])?;
    let numbers = w.to_tensor()?;
    let bias = random(131, 3);
    for rows in [1, 3, 9, 40] {
        let x = [random((2, rows, 512), 1)];
        let stored = |t: &[Tensor]| w.linear(&t[0]);
        assert_matches(&x, 1e-5, &stored, &|t| {
            linear(&t[0], &numbers, Precision::F32)
        })?;
        assert_same_on_one_and_two_threads(&x, &stored)?;
        let inputs = [random((2, rows, 512), 1), bias.clone()];
        assert_matches(&inputs, 1e-5, &|t| w.linear_bias(&t[0], &t[1]), &|t| {
            linear_bias(&t[0], &numbers, &t[1], Precision::F32)
        })?;
    }
    Ok(())
}

fn bits(t: &Tensor) -> Result<Vec<u32>> {
    let numbers = t.flatten_all()?.to_vec1::<f32>()?;
    Ok(numbers.into_iter().map(f32::to_bits).collect())
}

/// Matrices (131, 512): dense ones, stored ones of every format and of several, an adapted one.
fn every_kind_of_matrix() -> Result<Vec<Weight>> {
    let dense = random((131, 512), 3).detach();
    let mut all = vec![dense.to_dtype(DType::BF16)?.into(), mixed(&[131, 512])?];
    for format in StoredFormat::ALL {
        let rows = StoredRows::random(format, 131, 512, 5).map_err(Error::wrap)?;
        let matrix = StoredMatrix::new(&[131, 512], vec![rows]).map_err(Error::wrap)?;
        all.push(matrix.into());
    }
    let (a, b) = (random((3, 512), 1).detach(), random((131, 3), 2).detach());
    let adapted = AdaptedWeight::new(all[1].clone(), a, b, 0.5)?;
    all.extend([adapted.into(), dense.into()]);
    let halved = all.clone().into_iter();
    all.extend(halved.map(|w| w.with_precision(Precision::Bf16)));
    Ok(all)
}

/// Of 70 rows, 40 of them of a prompt, some that follow one another, and how many of each kind.
const SOME_ROWS: [(usize, usize, usize); 9] = [
    (0, 1, 0),
    (3, 2, 0),
    (5, 17, 0),
    (0, 40, 0),
    (39, 1, 1),
    (40, 0, 1),
    (44, 0, 5),
    (53, 0, 17),
    (20, 20, 30),
];
const ALL_ROWS: StepRows = StepRows {
    prompt: 40,
    answer: 30,
};

#[test]
fn a_row_has_the_same_bits_alone_and_among_any_others() -> Result<()> {
    let x = random((70, 512), 1).detach();
    for w in every_kind_of_matrix()? {
        let all = w.infer(&x, ALL_ROWS)?;
        let apart = (&all - w.linear(&x)?)?.abs()?.flatten_all()?.max(0)?;
        let tolerance = match w.precision() {
            Precision::F32 => 1e-3,
            Precision::Bf16 => 0.5, // sums of about 23
        };
        assert!(apart.to_scalar::<f32>()? < tolerance, "{w:?}");
        for (from, prompt, answer) in SOME_ROWS {
            let (count, rows) = (prompt + answer, StepRows { prompt, answer });
            let some = w.infer(&x.narrow(0, from, count)?, rows)?;
            let same = bits(&some)? == bits(&all.narrow(0, from, count)?)?;
            assert!(same, "{rows:?} from {from} of {w:?}");
        }
        for threads in [1, 2] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let out = pool
                .expect("threads start")
                .install(|| w.infer(&x, ALL_ROWS))?;
            assert!(bits(&out)? == bits(&all)?, "{threads} threads: {w:?}");
        }
    }
    Ok(())
}

#[test]
fn several_matrices_at_once_give_what_each_gives_alone() -> Result<()> {
    let stored = [mixed(&[131, 512])?, mixed(&[64, 512])?];
    let dense = Weight::from(random((70, 512), 3).detach());
    let one = StepRows::answer(1);
    for (rows, third) in [
        (one, &stored[1]),
        (one, &dense),
        (StepRows::answer(5), &stored[1]),
        (StepRows::prompt(5), &stored[1]),
        (StepRows::answer(0), &stored[1]),
    ] {
        let all = [&stored[0], &stored[1], third];
        let x = random((rows.all(), 512), 1).detach();
        for (out, w) in infer_each(&x, all, rows)?.iter().zip(all) {
            assert_eq!(out.dims(), [rows.all(), w.dims()[0]]);
            assert_eq!(bits(out)?, bits(&w.infer(&x, rows)?)?);
        }
    }
    let narrow = random((1, 500), 1).detach();
    assert!(infer_each(&narrow, [&dense, &stored[0]], one).is_err());
    assert!(dense.infer(&random((2, 512), 1).detach(), one).is_err());
    Ok(())
}

#[test]
fn a_row_gets_the_same_from_its_experts_whoever_else_chose_them() -> Result<()> {
    let (up, down) = (mixed(&[5, 512, 256])?, mixed(&[5, 256, 256])?);
    let dense: [Weight; 2] = [up.to_tensor()?.into(), down.to_tensor()?.into()];
    let (x, logits) = (random((70, 256), 1).detach(), random((70, 5), 9).detach());
    let (all_weights, all_routing) = route(&logits, 2, None, None)?;
    for (up, down) in [(&up, &down), (&dense[0], &dense[1]), (&up, &dense[1])] {
        let all = infer_experts(&x, &all_weights, (up, down), &all_routing, ALL_ROWS)?;
        let plain = expert_ffn(&x, &all_weights, up, down, &all_routing)?;
        let apart = (&all - plain)?.abs()?.flatten_all()?.max(0)?;
        assert!(apart.to_scalar::<f32>()? < 1e-3);
        for (from, prompt, answer) in SOME_ROWS {
            let (count, rows) = (prompt + answer, StepRows { prompt, answer });
            let (weights, routing) = route(&logits.narrow(0, from, count)?, 2, None, None)?;
            let x = x.narrow(0, from, count)?;
            let some = infer_experts(&x, &weights, (up, down), &routing, rows)?;
            assert_eq!(
                bits(&some)?,
                bits(&all.narrow(0, from, count)?)?,
                "{rows:?}"
            );
        }
    }
    Ok(())
}

#[test]
fn an_adapted_layer_is_that_of_the_sum_and_its_factors_learn() -> Result<()> {
    let random = |shape: (usize, usize)| Tensor::randn(0f32, 1.0, shape, &Device::Cpu);
    let (x, frozen) = (Var::from_tensor(&random((5, 6))?)?, random((4, 6))?);
    let (a, b) = (
        Var::from_tensor(&random((2, 6))?)?,
        Var::from_tensor(&random((4, 2))?)?,
    );
    let adapted = AdaptedWeight::new(
        frozen.into(),
        a.as_tensor().clone(),
        b.as_tensor().clone(),
        0.5,
    )?;
    let adapted = Weight::from(adapted);
    let (fused, plain) = (
        adapted.linear(&x)?,
        linear(&x, &adapted.to_tensor()?, Precision::F32)?,
    );
    let worst = |x: &Tensor, y: &Tensor| -> Result<f32> {
        (x - y)?.abs()?.flatten_all()?.max(0)?.to_scalar()
    };
    assert!(worst(&fused, &plain)? < 1e-5, "f32 sums in another order");
    let up = random((5, 4))?;
    let (fused, plain) = (
        (fused * &up)?.sum_all()?.backward()?,
        (plain * &up)?.sum_all()?.backward()?,
    );
    for var in [&x, &a, &b] {
        let (ours, theirs) = (fused.get(var).expect("one"), plain.get(var).expect("one"));
        assert!(worst(ours, theirs)? < 1e-4);
    }
    Ok(())
}

#[test]
fn a_weight_keeps_its_precision_whatever_others_have() -> Result<()> {
    let (x, w) = (random((40, 64), 1), random((32, 64), 2));
    let plain = Weight::from(w.as_tensor());
    let half = plain.clone().with_precision(Precision::Bf16);
    let out = |w: &Weight| w.linear(&x)?.to_vec2::<f32>();
    let (before, rounded) = (out(&plain)?, out(&half)?);
    assert_eq!(out(&plain)?, before);
    assert_eq!(out(&half)?, rounded);
    // Prompts are read in it where training would, and answers as they are.
    let infer = |w: &Weight, rows| bits(&w.infer(&x, rows)?);
    let (prompt, answer) = (StepRows::prompt(40), StepRows::answer(40));
    let same = infer(&plain, prompt)? == infer(&half, prompt)?;
    assert_eq!(same, before == rounded);
    assert_eq!(infer(&plain, answer)?, infer(&half, answer)?);
    // Factors beside a matrix are multiplied as it is.
    let (a, b) = (random((2, 64), 3), random((32, 2), 4));
    let adapted = AdaptedWeight::new(plain, a.detach(), b.detach(), 0.0)?;
    let adapted = Weight::from(adapted);
    assert_eq!(out(&adapted)?, before);
    assert_eq!(out(&adapted.with_precision(Precision::Bf16))?, rounded);
    Ok(())
}

#[test]
fn gradients_flow_through_a_stored_layer() -> Result<()> {
    let rows = StoredRows::random(StoredFormat::Q8_0, 3, 32, 1).map_err(Error::wrap)?;
    let w = Weight::from(StoredMatrix::new(&[3, 32], vec![rows]).map_err(Error::wrap)?);
    assert_finite_differences(&[random((2, 32), 1)], &|t| w.linear(&t[0]))?;
    // More rows than a gradient dequantises at a time.
    let w = mixed(&[1100, 256])?;
    let numbers = w.to_tensor()?;
    assert_matches(&[random((70, 256), 1)], 1e-5, &|t| w.linear(&t[0]), &|t| {
        linear(&t[0], &numbers, Precision::F32)
    })
}

#[test]
fn a_stored_feed_forward_layer_is_that_of_its_numbers() -> Result<()> {
    let (up, down) = (mixed(&[512, 256])?, mixed(&[256, 256])?);
    let (up_numbers, down_numbers) = (up.to_tensor()?.into(), down.to_tensor()?.into());
    for rows in [1, 50] {
        let x = [random((rows, 256), 1)];
        let dense = |t: &[Tensor]| swiglu_ffn(&t[0], &up_numbers, &down_numbers);
        for down in [&down, &down_numbers] {
            assert_matches(&x, 1e-4, &|t| swiglu_ffn(&t[0], &up, down), &dense)?;
        }
    }
    Ok(())
}

#[test]
fn stored_experts_are_those_of_their_numbers() -> Result<()> {
    let (up, down) = (mixed(&[5, 512, 256])?, mixed(&[5, 256, 256])?);
    let (up_numbers, down_numbers) = (up.to_tensor()?.into(), down.to_tensor()?.into());
    for rows in [1, 90] {
        for capacity_factor in [None, Some(0.8)] {
            let routing = route(&random((rows, 5), 9), 2, None, capacity_factor)?.1;
            let inputs = [random((rows, 256), 1), random((rows, 2), 2)];
            let with = |up: &Weight, down: &Weight, t: &[Tensor]| {
                expert_ffn(&t[0], &t[1], up, down, &routing)
            };
            let stored = |t: &[Tensor]| with(&up, &down, t);
            let dense = |t: &[Tensor]| with(&up_numbers, &down_numbers, t);
            assert_matches(&inputs, 1e-4, &stored, &dense)?;
            assert_same_on_one_and_two_threads(&inputs, &stored)?;
            let one_by_one = |t: &[Tensor]| by_expert(&t[0], &t[1], &up, &down, &routing);
            assert_matches(&inputs, 1e-5, &stored, &one_by_one)?;
            assert_matches(&inputs, 1e-4, &|t| with(&up, &down_numbers, t), &dense)?;
        }
    }
    Ok(())
}

#[test]
fn a_stored_table_gives_the_rows_of_its_numbers() -> Result<()> {
    let table = mixed(&[40, 256])?;
    let ids = [39, 0, 7, 7];
    let expected = embedding(&table.to_tensor()?, &ids)?.to_vec2::<f32>()?;
    assert_eq!(table.embedding(&ids)?.to_vec2::<f32>()?, expected);
    let error = table.embedding(&[1, 40]).expect_err("40 is not below 40");
    assert!(error.to_string().contains("id 40 at position 1"), "{error}");
    Ok(())
}

#[test]
fn a_stored_weight_of_another_shape_is_refused_with_both_numbers() -> Result<()> {
    let w = mixed(&[3, 256])?;
    let refused = |result: Result<Tensor>, text: &str| {
        let error = result.expect_err("the shapes disagree").to_string();
        assert!(error.contains(text), "{error}");
    };
    refused(w.linear(&random((2, 5), 1)), "width 5 but w takes 256");
    refused(
        w.linear_bias(&random((2, 256), 1), &random(4, 2)),
        "w has 3 outputs",
    );
    refused(
        mixed(&[1, 3, 256])?.linear(&random((2, 256), 1)),
        "not two dimensions",
    );
    refused(
        swiglu_ffn(&random((2, 256), 1), &mixed(&[512, 256])?, &w),
        "takes 256 and w_down gives 3",
    );
    let routing = route(&random((2, 4), 9), 2, None, None)?.1;
    let (x, weights) = (random((2, 256), 1), random((2, 2), 2));
    let (up, down) = (mixed(&[5, 512, 256])?, mixed(&[5, 256, 256])?);
    refused(
        expert_ffn(&x, &weights, &up, &down, &routing),
        "routing to 4 experts, w_gate_up of 5",
    );
    Ok(())
}
