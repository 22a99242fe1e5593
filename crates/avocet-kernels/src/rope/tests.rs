//! Rotation against its composed form, difference quotients, and published numbers.

use candle_core::{DType, Device, Result, Tensor};

use super::{RopeAngles, RopeFrequencies, RopeLayout, Yarn, rope};
use crate::gradient_check::{assert_finite_differences, assert_fused, random};

#[test]
fn rope_is_its_composed_form() -> Result<()> {
    let positions: Vec<u32> = (0..150).map(|i| i % 40).collect();
    let angles = RopeAngles::text(&positions, 8, 10_000.0)?;
    let x = [random((150, 3, 8), 1)];
    assert_fused(&x, 1e-6, &|t| rope(&t[0], &angles))?;
    let angles = RopeAngles::grid(&[(0, 0), (2, 1)], 8, 100.0)?;
    assert_finite_differences(&[random((2, 2, 8), 2)], &|t| rope(&t[0], &angles))
}

#[test]
fn scores_depend_on_the_distance_alone() -> Result<()> {
    let score = |q_at: u32, k_at: u32| -> Result<f32> {
        let turn = |seed, at| -> Result<Tensor> {
            rope(
                &random((1, 1, 8), seed),
                &RopeAngles::text(&[at], 8, 100.0)?,
            )
        };
        turn(1, q_at)?.mul(&turn(2, k_at)?)?.sum_all()?.to_scalar()
    };
    assert!((score(5, 3)? - score(12, 10)?).abs() < 1e-5); // f32 rounding of the rotation
    assert!((score(5, 3)? - score(5, 4)?).abs() > 1e-3);
    Ok(())
}

#[test]
fn angles_for_other_rows_are_refused_with_both_numbers() -> Result<()> {
    let angles = RopeAngles::text(&[0, 1], 8, 100.0)?;
    let error = rope(&random((3, 1, 8), 1), &angles)
        .expect_err("rows differ")
        .to_string();
    assert!(
        error.contains("3 rows") && error.contains("2 rows"),
        "{error}"
    );
    assert!(RopeAngles::text(&[0], 7, 100.0).is_err());
    assert!(RopeAngles::grid(&[(0, 0)], 6, 100.0).is_err());
    Ok(())
}

const LONG_FACTORS: [f64; 8] = [1.0, 1.05, 1.3, 2.7, 5.1, 13.3, 31.7, 64.9];

/// `sqrt(1 + ln 32 / ln 4096)`: long rope from 4,096 positions to 131,072.
const LONG_MAGNITUDE: f64 = 1.190_238_071_423_808_3;

#[test]
fn both_layouts_and_partial_widths_are_their_composed_form() -> Result<()> {
    let positions: Vec<u32> = (0..150).map(|i| i % 40).collect();
    let frequencies =
        RopeFrequencies::plain(8, 10_000.0)?.scaled_by(&[1.0, 2.0, 3.0, 4.5], 1.25)?;
    for layout in [RopeLayout::Halves, RopeLayout::Interleaved] {
        let angles = RopeAngles::from_frequencies(&positions, &frequencies, layout);
        for head_dim in [8, 11] {
            let x = [random((150, 3, head_dim), 1)];
            assert_fused(&x, 1e-6, &|t| rope(&t[0], &angles))?;
            let few = RopeAngles::from_frequencies(&[3, 1], &frequencies, layout);
            assert_finite_differences(&[random((2, 2, head_dim), 2)], &|t| rope(&t[0], &few))?;
        }
    }
    Ok(())
}

#[test]
fn the_rest_of_a_partial_head_passes_unchanged() -> Result<()> {
    let x = random((2, 3, 10), 1);
    let frequencies = RopeFrequencies::plain(4, 100.0)?;
    let angles = RopeAngles::from_frequencies(&[5, 6], &frequencies, RopeLayout::Halves);
    let y = rope(&x, &angles)?;
    let rest = |t: &Tensor| t.narrow(2, 4, 6)?.flatten_all()?.to_vec1::<f32>();
    assert_eq!(rest(&y)?, rest(&x)?);
    let turned = rope(&x.narrow(2, 0, 4)?, &angles)?;
    assert_eq!(
        y.narrow(2, 0, 4)?.flatten_all()?.to_vec1::<f32>()?,
        turned.flatten_all()?.to_vec1::<f32>()?
    );
    Ok(())
}

#[test]
fn interleaving_is_halves_of_permuted_components() -> Result<()> {
    let x = random((3, 2, 8), 1);
    let frequencies = RopeFrequencies::plain(8, 100.0)?;
    let angles = |layout| RopeAngles::from_frequencies(&[1, 7, 30], &frequencies, layout);
    let order = Tensor::new(&[0u32, 2, 4, 6, 1, 3, 5, 7], x.device())?;
    let interleaved = rope(&x, &angles(RopeLayout::Interleaved))?.index_select(&order, 2)?;
    let halves = rope(&x.index_select(&order, 2)?, &angles(RopeLayout::Halves))?;
    assert_eq!(
        interleaved.flatten_all()?.to_vec1::<f32>()?,
        halves.flatten_all()?.to_vec1::<f32>()?
    );
    Ok(())
}

/// Asserts that frequencies are the reference implementation's f32 numbers, bit by bit.
fn assert_reference(frequencies: &RopeFrequencies, expected: [f32; 8]) {
    let got: Vec<f32> = frequencies.inverse.iter().map(|&f| f as f32).collect();
    assert_eq!(got, expected);
}

#[test]
fn scaled_frequencies_are_those_of_the_reference_implementation() -> Result<()> {
    assert_reference(
        &RopeFrequencies::plain(16, 500_000.0)?.llama3(8.0, 1.0, 4.0, 8192.0),
        [
            1.0,
            0.193_922_76,
            0.037_606_03,
            0.007_292_665,
            0.000_524_846,
            3.428_102_4e-5,
            6.647_869_7e-6,
            1.289_173_2e-6,
        ],
    );
    assert_reference(
        &RopeFrequencies::plain(16, 10_000.0)?.linear(3.0),
        [
            0.333_333_34,
            0.105_409_26,
            0.033_333_335,
            0.010_540_926,
            0.003_333_333_2,
            0.001_054_092_7,
            0.000_333_333_36,
            0.000_105_409_265,
        ],
    );
    assert_reference(
        &RopeFrequencies::plain(16, 10_000.0)?.scaled_by(&LONG_FACTORS, LONG_MAGNITUDE)?,
        [
            1.0,
            0.301_169_3,
            0.076_923_08,
            0.011_712_139_5,
            0.001_960_784_4,
            0.000_237_765_24,
            3.154_574e-5,
            4.872_538_7e-6,
        ],
    );
    Ok(())
}

/// Made with `_compute_yarn_parameters` of version 5 of the transformers library.
#[test]
fn yarn_frequencies_are_those_of_the_reference_implementation() -> Result<()> {
    let usual = Yarn {
        factor: 4.0,
        fast: 32.0,
        slow: 1.0,
        truncate: true,
        magnitude: 1.138_629_4,
        original: 32_768.0,
    };
    let stretched = RopeFrequencies::plain(16, 1e6)?.yarn(usual, 1e6);
    assert_eq!(stretched.magnitude, 1.138_629_4);
    assert_reference(
        &stretched,
        [
            1.0,
            0.177_827_94,
            0.031_622_78,
            0.004_217_56,
            0.000_5,
            4.445_698_5e-5,
            7.905_694e-6,
            1.405_853_4e-6,
        ],
    );
    let unrounded = Yarn {
        factor: 16.0,
        fast: 24.0,
        slow: 2.0,
        truncate: false,
        original: 2048.0,
        ..usual
    };
    assert_reference(
        &RopeFrequencies::plain(16, 10_000.0)?.yarn(unrounded, 10_000.0),
        [
            1.0,
            0.316_227_76,
            0.1,
            0.021_539_187,
            0.002_467_717_3,
            0.000_197_642_37,
            6.25e-5,
            1.976_423_6e-5,
        ],
    );
    Ok(())
}

#[test]
fn angles_far_into_a_text_are_those_of_the_reference_implementation() -> Result<()> {
    let frequencies =
        RopeFrequencies::plain(16, 10_000.0)?.scaled_by(&LONG_FACTORS, LONG_MAGNITUDE)?;
    let angles = RopeAngles::from_frequencies(&[4095, 100_000], &frequencies, RopeLayout::Halves);
    let ones = Tensor::ones((2, 1, 8), DType::F32, &Device::Cpu)?;
    let x = Tensor::cat(&[&ones, &ones.zeros_like()?], 2)?;
    let turned = rope(&x, &angles)?;
    // Cosines, then sines, of transformers 4.51.3 for both positions.
    #[rustfmt::skip]
    let expected = [
        -0.078_527_145, -0.251_856_48, 0.793_788_4, -0.796_810_1,
        -0.207_734_85, 0.669_254_24, 1.180_320_9, 1.190_001_1,
        -1.187_644_8, 1.163_286_3, 0.886_886_06, -0.884_172_2,
        1.171_969_7, 0.984_258_83, 0.153_327_45, 0.023_747_299,
        -1.189_477_3, -0.061_524_376, -0.140_705_26, -0.982_298_55,
        0.318_730_3, 0.253_444_3, -1.190_137_9, 1.051_720_5,
        0.042_549_584, 1.188_646_9, 1.181_892, 0.672_128_26,
        1.146_768_5, -1.162_941_5, -0.015_450_36, 0.557_270_8f32,
    ];
    let turned = turned.flatten_all()?.to_vec1::<f32>()?;
    for (got, expected) in turned.iter().zip(expected) {
        // Two units in the last place of the largest.
        assert!((got - expected).abs() <= 2.4e-7, "{got}, {expected}");
    }
    Ok(())
}

#[test]
fn angles_wider_than_the_heads_and_missing_factors_are_refused() -> Result<()> {
    let frequencies = RopeFrequencies::plain(8, 100.0)?;
    let angles = RopeAngles::from_frequencies(&[0, 1], &frequencies, RopeLayout::Interleaved);
    let error = rope(&random((2, 1, 6), 1), &angles).expect_err("6 below 8");
    let text = error.to_string();
    assert!(
        text.contains("head width 6") && text.contains("rows of 8"),
        "{text}"
    );
    assert!(RopeFrequencies::plain(7, 100.0).is_err());
    assert!(RopeFrequencies::plain(0, 100.0).is_err());
    let error = frequencies
        .scaled_by(&[1.0], 1.0)
        .expect_err("1 of 4 factors");
    assert!(error.to_string().contains("1 factors but 4 pairs"));
    Ok(())
}
