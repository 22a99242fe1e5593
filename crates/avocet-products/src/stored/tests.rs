//! Facts about stored matrices.

use std::sync::Arc;

use super::multiply::product_by;
use super::*;
use crate::level::Level;
use crate::precision::Precision;

type Result<T> = std::result::Result<T, StoredError>;

/// All numbers of `rows` by the reference.
fn reference_numbers(rows: &StoredRows) -> Vec<f32> {
    let bytes = &(*rows.bytes).as_ref()[rows.offset..][..rows.rows * rows.row_bytes];
    let format = rows.format.kernels();
    let blocks = bytes.chunks_exact(format.block_bytes);
    blocks
        .flat_map(|block| (0..format.block_len).map(|i| (format.number)(block, i)))
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
fn widened_rows_have_the_bits_of_the_reference_at_every_level() -> Result<()> {
    for (i, format) in StoredFormat::ALL.into_iter().enumerate() {
        let cols = if format.block_len() == 1 { 277 } else { 768 };
        let rows = StoredRows::random(format, 5, cols, i as u64)?;
        let expected = reference_numbers(&rows);
        let matrix = StoredMatrix::new(&[5, cols], vec![rows])?;
        for level in Level::available() {
            let mut numbers = vec![0.0; 5 * cols];
            matrix.widen(level.kernels(), 0..5, &mut numbers);
            assert_eq!(bits(&numbers), bits(&expected), "{format:?}, {level:?}");
        }
        let mut row = vec![0.0; cols];
        for (at, expected) in expected.chunks_exact(cols).enumerate() {
            matrix.row(at, &mut row);
            assert_eq!(bits(&row), bits(expected), "{format:?}");
        }
        assert_eq!(bits(&matrix.numbers()), bits(&expected), "{format:?}");
    }
    Ok(())
}

#[test]
fn products_of_any_number_of_rows_are_those_of_the_numbers_at_every_level() -> Result<()> {
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
            let expected: Vec<f32> = (0..num_rows * (outputs - 2))
                .map(|at| {
                    let (i, j) = (at / (outputs - 2), at % (outputs - 2) + 1);
                    let (x, w) = (&x[i * depth..][..depth], &numbers[j * depth..][..depth]);
                    let products = x.iter().zip(w).map(|(a, b)| f64::from(*a) * f64::from(*b));
                    products.sum::<f64>() as f32
                })
                .collect();
            for level in Level::available() {
                let (kernels, rows) = (level.kernels(), 1..outputs - 1);
                let got = product_by(kernels, &w, rows, &x, num_rows, Precision::F32);
                let what = format!("{format:?} by {num_rows}, {level:?}");
                assert_close(&got, &expected, 1e-5, &what);
            }
        }
    }
    Ok(())
}

/// The sum of products in 16 lanes, the lanes added half by half: what vectors of any kind of load
/// give.
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
fn plain_rows_of_any_width_have_the_bits_of_their_lanes_with_avx512() -> Result<()> {
    let levels = Level::available().filter(|level| *level >= Level::Avx512);
    let levels: Vec<Level> = levels.collect();
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
                for level in &levels {
                    let kernels = level.kernels();
                    let got = product_by(kernels, &w, 0..7, &x, num_rows, Precision::F32);
                    assert_eq!(
                        bits(&got),
                        bits(&expected),
                        "{format:?}: {num_rows} x {depth}, {level:?}"
                    );
                }
            }
        }
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
