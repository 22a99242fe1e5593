//! Facts about stored matrices.

use std::sync::Arc;

use half::f16;

use super::left::Left;
use super::*;
use crate::precision::Precision;

type Result<T> = std::result::Result<T, StoredError>;

/// Number `i` of a block, element by element as ggml-quants.c defines it.
fn reference(format: StoredFormat, block: &[u8], i: usize) -> f32 {
    let half = |at: usize| f16::from_le_bytes([block[at], block[at + 1]]).to_f32();
    // In the K formats nibbles are stored for two groups of 32 in 32 bytes.
    let nibble = |from: usize| {
        let byte = block[from + i / 64 * 32 + i % 32];
        if i % 64 < 32 { byte & 15 } else { byte >> 4 }
    };
    let small = |from: usize| {
        let byte = block[from + i % 16];
        if i < 16 { byte & 15 } else { byte >> 4 }
    };
    let group = i / 32;
    let scale_and_min = || {
        let packed = &block[4..16];
        if group < 4 {
            (packed[group] & 63, packed[group + 4] & 63)
        } else {
            (
                (packed[group + 4] & 15) | ((packed[group - 4] >> 6) << 4),
                (packed[group + 4] >> 4) | ((packed[group] >> 6) << 4),
            )
        }
    };
    let with_min = |quant: u8| {
        let (scale, min) = scale_and_min();
        half(0) * f32::from(scale) * f32::from(quant) - half(2) * f32::from(min)
    };
    match format {
        StoredFormat::F32 => f32::from_le_bytes([block[0], block[1], block[2], block[3]]),
        StoredFormat::F16 => half(0),
        StoredFormat::Bf16 => f32::from_le_bytes([0, 0, block[0], block[1]]),
        StoredFormat::Q8_0 => f32::from(block[2 + i] as i8) * half(0),
        StoredFormat::Q4_0 => (f32::from(small(2)) - 8.0) * half(0),
        StoredFormat::Q4_1 => f32::from(small(4)) * half(0) + half(2),
        StoredFormat::Q4K => with_min(nibble(16)),
        StoredFormat::Q5K => with_min(nibble(48) | (((block[16 + i % 32] >> group) & 1) << 4)),
        StoredFormat::Q6K => {
            let (part, within) = (i / 128, i % 128);
            let byte = block[64 * part + within % 64];
            let low = if within < 64 { byte & 15 } else { byte >> 4 };
            let upper = (block[128 + 32 * part + within % 32] >> (2 * (within / 32))) & 3;
            let scale = f32::from(block[192 + i / 16] as i8);
            half(208) * scale * (f32::from(low | (upper << 4)) - 32.0)
        }
    }
}

/// All numbers of `rows` by the reference.
fn reference_numbers(rows: &StoredRows) -> Vec<f32> {
    let bytes = &(*rows.bytes).as_ref()[rows.offset..][..rows.rows * rows.row_bytes];
    let blocks = bytes.chunks_exact(rows.format.block_bytes());
    blocks
        .flat_map(|block| (0..rows.format.block_len()).map(|i| reference(rows.format, block, i)))
        .collect()
}

/// Asserts that `a` is `b` within `tolerance` times the largest magnitude in `b`.
fn assert_close(a: &[f32], b: &[f32], tolerance: f32, what: &str) {
    assert_eq!(a.len(), b.len(), "{what}: number of elements");
    let largest = b.iter().fold(1e-3f32, |m, v| m.max(v.abs()));
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        let error = (a - b).abs() / largest;
        assert!(
            error <= tolerance,
            "{what}[{i}]: {a} against {b}, largest {largest}"
        );
    }
}

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|v| v.to_bits()).collect()
}

#[test]
fn dequantised_rows_have_the_bits_of_the_reference() -> Result<()> {
    for (i, format) in StoredFormat::ALL.into_iter().enumerate() {
        let cols = if format.block_len() == 1 { 277 } else { 768 };
        let rows = StoredRows::random(format, 5, cols, i as u64)?;
        let expected = reference_numbers(&rows);
        let mut portable = vec![0.0; cols];
        let matrix = StoredMatrix::new(&[5, cols], vec![rows])?;
        let mut row = vec![0.0; cols];
        for (at, expected) in expected.chunks_exact(cols).enumerate() {
            matrix.row(at, &mut row);
            assert_eq!(bits(&row), bits(expected), "{format:?}");
            blocks::dequantise(format, matrix.stored_row(at).bytes, &mut portable);
            assert_eq!(bits(&portable), bits(expected), "{format:?}, portable");
        }
        assert_eq!(bits(&matrix.numbers()), bits(&expected), "{format:?}");
    }
    Ok(())
}

#[test]
fn products_of_any_number_of_rows_are_those_of_the_numbers() -> Result<()> {
    let outputs = 203;
    for (i, format) in StoredFormat::ALL.into_iter().enumerate() {
        // Not whole vectors of 16 numbers, or not whole steps of four blocks.
        let depth = match format.block_len() {
            1 => 501,
            32 => 544,
            _ => 512,
        };
        let rows = StoredRows::random(format, outputs, depth, i as u64)?;
        let numbers = reference_numbers(&rows);
        let w = StoredMatrix::new(&[outputs, depth], vec![rows])?;
        for num_rows in [0, 1, 2, 3, 4, 5, 16, 17, 300] {
            let x: Vec<f32> = (0..num_rows * depth)
                .map(|i| (i * 7919 % 201) as f32 / 100.0 - 1.0)
                .collect();
            let got = product(&w, 1..outputs - 1, &x, num_rows, Precision::F32);
            let expected: Vec<f32> = (0..num_rows * (outputs - 2))
                .map(|at| {
                    let (i, j) = (at / (outputs - 2), at % (outputs - 2) + 1);
                    let (x, w) = (&x[i * depth..][..depth], &numbers[j * depth..][..depth]);
                    let products = x.iter().zip(w).map(|(a, b)| f64::from(*a) * f64::from(*b));
                    products.sum::<f64>() as f32
                })
                .collect();
            assert_close(&got, &expected, 1e-5, &format!("{format:?} by {num_rows}"));
        }
    }
    Ok(())
}

/// The sum of products in 16 lanes, the lanes added half by half: what vectors of any kind of load
/// give.
#[cfg(target_arch = "x86_64")]
fn sum_by_lanes(x: &[f32], w: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 16];
    for (x, w) in x.chunks(16).zip(w.chunks(16)) {
        for ((lane, x), w) in lanes.iter_mut().zip(x).zip(w) {
            *lane = x.mul_add(*w, *lane);
        }
    }
    for half in [8, 4, 2, 1] {
        let (low, high) = lanes.split_at_mut(half);
        low.iter_mut()
            .zip(high)
            .for_each(|(low, high)| *low += *high);
    }
    lanes[0]
}

#[test]
#[cfg(target_arch = "x86_64")]
fn plain_rows_of_any_width_have_the_bits_of_their_lanes() -> Result<()> {
    if !crate::avx512::rows::available() {
        return Ok(());
    }
    for format in [StoredFormat::F32, StoredFormat::F16, StoredFormat::Bf16] {
        for depth in [
            1, 15, 16, 17, 31, 32, 33, 47, 48, 63, 64, 65, 501, 512, 1040,
        ] {
            let rows = StoredRows::random(format, 7, depth, depth as u64)?;
            let numbers = reference_numbers(&rows);
            let w = StoredMatrix::new(&[7, depth], vec![rows])?;
            for num_rows in 1..=6 {
                let x: Vec<f32> = (0..num_rows * depth)
                    .map(|i| (i * 7919 % 201) as f32 / 100.0 - 1.0)
                    .collect();
                let lines = |i: usize| x[i * depth..][..depth].to_vec();
                let expected: Vec<f32> = (0..num_rows)
                    .flat_map(|i| numbers.chunks_exact(depth).map(move |w| (i, w)))
                    .map(|(i, w)| sum_by_lanes(&lines(i), w))
                    .collect();
                let got = product(&w, 0..7, &x, num_rows, Precision::F32);
                assert_eq!(
                    bits(&got),
                    bits(&expected),
                    "{format:?}: {num_rows} x {depth}"
                );
            }
        }
    }
    Ok(())
}

#[test]
fn portable_dot_products_are_those_of_this_cpu() -> Result<()> {
    for (i, format) in StoredFormat::ALL.into_iter().enumerate() {
        let w = StoredMatrix::new(
            &[9, 256],
            vec![StoredRows::random(format, 9, 256, i as u64)?],
        )?;
        let x: Vec<f32> = (0..3 * 256)
            .map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0)
            .collect();
        let mut portable = vec![0.0; 3 * 9];
        let left = Left::new(&x, 3, 256, std::iter::empty());
        for run in w.runs(0..9) {
            multiply::portable_dots(&run, &left, (0, 9), &mut portable);
        }
        assert_close(
            &product(&w, 0..9, &x, 3, Precision::F32),
            &portable,
            1e-5,
            &format!("{format:?}"),
        );
    }
    Ok(())
}

fn refused(result: Result<impl std::fmt::Debug>, text: &str) {
    let error = result.expect_err("it is wrong").to_string();
    assert!(error.contains(text), "{error}");
}

#[test]
fn rows_outside_their_bytes_or_of_partial_blocks_are_refused() {
    let bytes = || Arc::new(vec![0u8; 100]);
    let rows = |offset, rows, cols, format| StoredRows::new(bytes(), offset, rows, cols, format);
    assert!(rows(2, 7, 7, StoredFormat::F16).is_ok());
    refused(rows(3, 7, 7, StoredFormat::F16), "end at byte 101 of 100");
    refused(
        rows(0, 1, 33, StoredFormat::Q8_0),
        "33 columns are not whole blocks of 32",
    );
    refused(rows(usize::MAX, 1, 1, StoredFormat::F32), "too many");
    refused(rows(0, usize::MAX, 32, StoredFormat::Q4_0), "too many");
}

#[test]
fn a_shape_that_is_not_its_rows_is_refused_with_both() -> Result<()> {
    let rows = |rows, cols| StoredRows::random(StoredFormat::F16, rows, cols, 1);
    refused(StoredMatrix::new(&[], vec![]), "without dimensions");
    refused(
        StoredMatrix::new(&[5, 3], vec![rows(4, 3)?]),
        "parts of 4 rows",
    );
    refused(
        StoredMatrix::new(&[5, 3], vec![rows(4, 3)?, rows(1, 2)?]),
        "part 1 has 2 columns, the shape [5, 3] 3",
    );
    refused(StoredMatrix::new(&[usize::MAX, 2, 3], vec![]), "too large");
    let matrix = StoredMatrix::new(&[2, 2, 3], vec![rows(1, 3)?, rows(0, 3)?, rows(3, 3)?])?;
    assert_eq!((matrix.shape(), matrix.num_bytes()), (&[2, 2, 3][..], 24));
    Ok(())
}
