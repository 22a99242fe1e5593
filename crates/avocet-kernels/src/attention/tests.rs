//! Attention against its composed form, difference quotients, and itself on other packings.

use avocet_products::Precision::F32;
use candle_core::{Result, Tensor, Var};

use super::{KeyRanges, alibi_slopes, attention, attention_alibi};
use crate::gradient_check::{assert_close, assert_finite_differences, assert_fused, random, run};

fn inputs(queries: (usize, usize), keys: (usize, usize), head_dim: usize) -> [Var; 3] {
    [
        random((queries.0, queries.1, head_dim), 1),
        random((keys.0, keys.1, head_dim), 2),
        random((keys.0, keys.1, head_dim), 3),
    ]
}

fn assert_is_composed(inputs: &[Var], ranges: &KeyRanges) -> Result<()> {
    assert_fused(inputs, 1e-5, &|t| {
        attention(&t[0], &t[1], &t[2], ranges, 0.7, F32)
    })
}

#[test]
fn bidirectional_attention_within_images_is_its_composed_form() -> Result<()> {
    let ranges = KeyRanges::within(&[0, 150, 151, 190]);
    assert_is_composed(&inputs((190, 3), (190, 3), 8), &ranges)
}

#[test]
fn causal_multi_query_attention_is_its_composed_form() -> Result<()> {
    let ranges = KeyRanges::causal(&[0, 70, 71, 71, 100]);
    assert_is_composed(&inputs((100, 4), (100, 1), 8), &ranges)
}

#[test]
fn grouped_cross_attention_with_empty_ranges_is_its_composed_form() -> Result<()> {
    let ranges = (0..60).map(|i| match i {
        0..5 => (0, 0),
        5..20 => (0, 9),
        20..23 => (30, 30),
        23..50 => (9, 40),
        _ => (3, 31),
    });
    assert_is_composed(
        &inputs((60, 6), (40, 2), 5),
        &KeyRanges::new(ranges.collect()),
    )
}

#[test]
fn keys_beyond_one_tile_are_their_composed_form() -> Result<()> {
    let ranges = KeyRanges::new(vec![(0, 1300), (3, 1200), (600, 1290), (0, 1), (511, 513)]);
    assert_is_composed(&inputs((5, 2), (1300, 1), 8), &ranges)?;
    assert_is_composed(
        &inputs((2, 4), (1300, 4), 8),
        &KeyRanges::causal_after(1298, 2),
    )
}

#[test]
fn a_long_text_of_several_pieces_is_its_composed_form() -> Result<()> {
    let ranges = KeyRanges::causal(&[0, 600]);
    assert_is_composed(&inputs((600, 2), (600, 1), 4), &ranges)
}

#[test]
fn large_scores_in_a_later_tile_do_not_overflow() -> Result<()> {
    let k: Vec<f32> = (0..1024).map(|i| i as f32).collect();
    let k = Tensor::from_vec(k, (1024, 1, 1), &candle_core::Device::Cpu)?;
    let q = Tensor::ones((1, 1, 1), k.dtype(), k.device())?;
    let out = attention(&q, &k, &k, &KeyRanges::causal_after(1023, 1), 1.0, F32)?;
    // The last keys are e apart, so the mean is 1023 - 1 / (e - 1).
    let expected = 1023.0 - 1.0 / (std::f32::consts::E - 1.0);
    assert_close(&out.flatten_all()?.to_vec1()?, &[expected], 1e-6, "mean");
    Ok(())
}

#[test]
fn gradients_are_difference_quotients() -> Result<()> {
    let ranges = KeyRanges::new(vec![(0, 2), (1, 4), (2, 2)]);
    assert_finite_differences(&inputs((3, 2), (4, 1), 3), &|t| {
        attention(&t[0], &t[1], &t[2], &ranges, 0.5, F32)
    })
}

#[test]
fn a_query_that_sees_nothing_is_exactly_zero_and_has_no_gradient() -> Result<()> {
    let ranges = KeyRanges::new(vec![(0, 0), (0, 3), (3, 3)]);
    let all = run(&inputs((3, 2), (3, 2), 4), &|t| {
        attention(&t[0], &t[1], &t[2], &ranges, 1.0, F32)
    })?;
    for rows in &all[..2] {
        assert!(
            rows[..8]
                .iter()
                .chain(&rows[16..])
                .all(|v| v.to_bits() == 0)
        );
        assert!(rows[8..16].iter().all(|v| *v != 0.0));
    }
    Ok(())
}

#[test]
fn a_packed_batch_equals_its_sequences_one_by_one() -> Result<()> {
    let offsets = [0, 40, 41, 90];
    let [q, k, v] = inputs((90, 8), (90, 1), 16);
    let packed = attention(&q, &k, &v, &KeyRanges::causal(&offsets), 0.25, F32)?;
    for span in offsets.windows(2) {
        let (from, n) = (span[0], span[1] - span[0]);
        let part = |t: &Var| t.narrow(0, from, n);
        let alone = attention(
            &part(&q)?,
            &part(&k)?,
            &part(&v)?,
            &KeyRanges::causal(&[0, n]),
            0.25,
            F32,
        )?;
        assert_close(
            &packed.narrow(0, from, n)?.flatten_all()?.to_vec1()?,
            &alone.flatten_all()?.to_vec1()?,
            1e-6,
            "sequence",
        );
    }
    Ok(())
}

#[test]
fn ranges_that_do_not_fit_are_refused_with_both_numbers() -> Result<()> {
    let [q, k, v] = inputs((2, 4), (3, 2), 4);
    let refused = |ranges: Vec<(u32, u32)>| {
        attention(&q, &k, &v, &KeyRanges::new(ranges), 1.0, F32)
            .expect_err("must not fit")
            .to_string()
    };
    assert!(refused(vec![(0, 1)]).contains("2 queries but 1 key ranges"));
    assert!(refused(vec![(0, 1), (1, 4)]).contains("query 1 sees keys 1..4, but there are 3"));
    let odd = random((3, 3, 4), 1);
    let error = attention(&q, &odd, &odd, &KeyRanges::causal_after(0, 2), 1.0, F32);
    assert!(
        error
            .expect_err("4 heads, 3 key heads")
            .to_string()
            .contains("multiple of 3")
    );
    Ok(())
}

#[test]
fn no_queries_and_no_keys_give_zeros() -> Result<()> {
    let [q, k, v] = inputs((0, 2), (3, 2), 4);
    assert_eq!(
        attention(&q, &k, &v, &KeyRanges::new(vec![]), 1.0, F32)?.dims(),
        [0, 2, 4]
    );
    let [q, k, v] = inputs((2, 2), (0, 2), 4);
    let out = attention(&q, &k, &v, &KeyRanges::new(vec![(0, 0); 2]), 1.0, F32)?;
    assert!(
        out.flatten_all()?
            .to_vec1::<f32>()?
            .iter()
            .all(|v| *v == 0.0)
    );
    Ok(())
}

#[test]
fn attention_with_slopes_is_its_composed_form() -> Result<()> {
    let slopes = alibi_slopes(6, 8.0);
    let packed = KeyRanges::causal(&[0, 300, 301, 700]);
    let long = KeyRanges::new(vec![(0, 1300), (3, 1200), (600, 1290), (4, 4), (511, 513)]);
    let cases = [
        (inputs((700, 6), (700, 2), 5), packed),
        (inputs((5, 6), (1300, 1), 8), long),
    ];
    for (inputs, ranges) in cases {
        assert_fused(&inputs, 1e-5, &|t| {
            attention_alibi(&t[0], &t[1], &t[2], &ranges, 0.7, &slopes, F32)
        })?;
    }
    let ranges = KeyRanges::new(vec![(0, 2), (1, 4), (2, 2)]);
    assert_finite_differences(&inputs((3, 2), (4, 1), 3), &|t| {
        attention_alibi(&t[0], &t[1], &t[2], &ranges, 0.5, &[0.5, 0.25], F32)
    })
}

#[test]
fn slopes_weigh_keys_by_their_distance() -> Result<()> {
    let q = random((1, 2, 4), 1).zeros_like()?;
    let k = random((3, 1, 4), 2);
    let v = Tensor::new(
        &[
            [[1f32, 0.0, 0.0, 0.0]],
            [[0.0, 1.0, 0.0, 0.0]],
            [[0.0, 0.0, 1.0, 0.0]],
        ],
        q.device(),
    )?;
    let out = attention_alibi(
        &q,
        &k,
        &v,
        &KeyRanges::causal_after(2, 1),
        1.0,
        &[0.5, 0.0],
        F32,
    )?;
    let weights = [(-1.0f32).exp(), (-0.5f32).exp(), 1.0];
    let total: f32 = weights.iter().sum();
    let mut expected: Vec<f32> = weights.iter().map(|w| w / total).collect();
    expected.extend([0.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0, 0.0]);
    assert_close(&out.flatten_all()?.to_vec1()?, &expected, 1e-6, "weights");
    Ok(())
}

#[test]
fn slopes_are_powers_of_two_and_reordered_for_other_numbers_of_heads() {
    let power = |exponents: &[f32]| -> Vec<f32> { exponents.iter().map(|e| (-e).exp2()).collect() };
    assert_eq!(alibi_slopes(4, 8.0), power(&[2.0, 4.0, 6.0, 8.0]));
    assert_eq!(alibi_slopes(1, 8.0), power(&[8.0]));
    assert_eq!(alibi_slopes(6, 8.0), power(&[2.0, 4.0, 6.0, 8.0, 1.0, 3.0]));
    // Those of transformers' `build_mpt_alibi_tensor`.
    let of_twenty = [0.707_106_77, 0.5, 0.353_553_38, 0.25, 0.176_776_69];
    assert_eq!(alibi_slopes(20, 8.0)[..5], of_twenty);
    let last_of_twenty = [0.840_896_4, 0.594_603_54, 0.420_448_2, 0.297_301_77];
    assert_eq!(alibi_slopes(20, 8.0)[16..], last_of_twenty);
    assert!(alibi_slopes(0, 8.0).is_empty());
}

#[test]
fn a_missing_slope_is_refused_with_both_numbers() {
    let [q, k, v] = inputs((2, 4), (3, 2), 4);
    let error = attention_alibi(
        &q,
        &k,
        &v,
        &KeyRanges::causal_after(0, 2),
        1.0,
        &[1.0; 3],
        F32,
    );
    let error = error.expect_err("4 heads, 3 slopes").to_string();
    assert!(error.contains("4 heads but 3 slopes"), "{error}");
}
