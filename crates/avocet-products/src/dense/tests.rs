//! Facts about `product`.

use half::bf16;

use super::*;
use crate::matrix::Values;

#[test]
fn a_transposed_operand_gives_the_product_of_its_copy() {
    let (m, k, n) = (300, 5, 7);
    let a: Vec<f32> = (0..m * k).map(|i| (i % 13) as f32 - 6.0).collect();
    let b: Vec<f32> = (0..n * k).map(|i| (i % 11) as f32 - 5.0).collect();
    let transposed = MatRef::new(&b[..], n, k).transposed();
    for level in Level::available() {
        let mut c = vec![1.0; m * n];
        product_by(
            level.kernels(),
            MatMut::new(&mut c, m, n),
            MatRef::new(&a[..], m, k),
            transposed,
            true,
            Precision::F32,
        );
        for i in 0..m {
            for j in 0..n {
                let expected: f32 = (0..k).map(|p| a[i * k + p] * b[j * k + p]).sum::<f32>() + 1.0;
                assert_eq!(c[i * n + j], expected, "{level:?}");
            }
        }
    }
}

/// The numbers as a row-major and as a column-major matrix.
fn both_orders<'a>(data: impl Into<Values<'a>>, rows: usize, cols: usize) -> [MatRef<'a>; 2] {
    let data = data.into();
    [
        MatRef::new(data, rows, cols),
        MatRef::new(data, cols, rows).transposed(),
    ]
}

/// Numbers that bfloat16 holds exactly, whose sums of products f32 holds exactly.
fn small_integers(len: usize, modulus: usize) -> Vec<f32> {
    (0..len)
        .map(|i| (i * 7919 % modulus) as f32 - (modulus / 2) as f32)
        .collect()
}

/// The right operand in every packed form of this processor.
fn packed(b: MatRef<'_>) -> Vec<(String, Right<'_>)> {
    let packs = Level::available().flat_map(|level| {
        let kernels = level.kernels();
        let packs = [("f32", kernels.pack_f32), ("bf16", kernels.pack_bf16)];
        packs.map(|(form, pack)| (format!("{form} at {level:?}"), kernels, pack))
    });
    let rights = packs.filter_map(|(name, kernels, pack)| {
        let right = Right {
            depth: b.rows,
            cols: b.cols,
            kernels,
            form: Form::Packed(pack?(b, true)),
        };
        Some((name, right))
    });
    rights.collect()
}

#[test]
fn packed_products_of_any_shape_and_strides_are_exact() {
    for (m, k, n) in [
        (1, 1, 1),
        (16, 32, 16),
        (33, 70, 45),
        (64, 1100, 40),
        (130, 31, 97),
    ] {
        let (a, b) = (small_integers(m * k, 13), small_integers(k * n, 11));
        let half = |v: &[f32]| v.iter().map(|&v| bf16::from_f32(v)).collect::<Vec<_>>();
        let (a_half, b_half) = (half(&a), half(&b));
        let start = small_integers(m * (n + 3), 5);
        let lefts = [both_orders(&a, m, k), both_orders(&a_half[..], m, k)].concat();
        let rights = [both_orders(&b, k, n), both_orders(&b_half[..], k, n)].concat();
        for &a in &lefts {
            for &b in &rights {
                for accumulate in [false, true] {
                    let mut expected = start.clone();
                    f32_product(
                        MatMut::strided(&mut expected, m, n, n + 3),
                        a,
                        b,
                        accumulate,
                    );
                    for (format, right) in packed(b) {
                        let mut got = start.clone();
                        let c = MatMut::strided(&mut got, m, n, n + 3);
                        right.product(c, a, accumulate);
                        assert!(
                            got == expected,
                            "{format} {m} x {k} x {n}, adding {accumulate}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn thin_products_are_exact_whole_and_in_runs_of_columns() {
    for (m, k, n) in [(1, 1, 1), (3, 70, 45), (1, 513, 700), (16, 600, 301)] {
        let (a, b) = (small_integers(m * k, 13), small_integers(k * n, 11));
        let b_half: Vec<bf16> = b.iter().map(|&v| bf16::from_f32(v)).collect();
        let start = small_integers(m * (n + 3), 5);
        for a in both_orders(&a, m, k) {
            for b in [both_orders(&b, k, n), both_orders(&b_half[..], k, n)].concat() {
                for accumulate in [false, true] {
                    let mut expected = start.clone();
                    f32_product(
                        MatMut::strided(&mut expected, m, n, n + 3),
                        a,
                        b,
                        accumulate,
                    );
                    for level in Level::available() {
                        let mut got = start.clone();
                        product_by(
                            level.kernels(),
                            MatMut::strided(&mut got, m, n, n + 3),
                            a,
                            b,
                            accumulate,
                            Precision::F32,
                        );
                        assert!(
                            got == expected,
                            "{m} x {k} x {n}, adding {accumulate}, {level:?}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn matrices_whose_elements_are_nowhere_neighbours_are_packed() {
    let (a, b) = (
        small_integers(2 * 40 * 50, 13),
        small_integers(3 * 50 * 30, 11),
    );
    let a = MatRef::strided(&a, 40, 50, 100, 2);
    let b = MatRef::strided(&b, 50, 30, 3, 150);
    let mut expected = vec![0.0; 40 * 30];
    f32_product(MatMut::new(&mut expected, 40, 30), a, b, false);
    for (format, right) in packed(b) {
        let mut got = vec![0.0; 40 * 30];
        right.product(MatMut::new(&mut got, 40, 30), a, false);
        assert_eq!(got, expected, "{format}");
    }
}
