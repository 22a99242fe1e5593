//! What this machine can do at most: the limits that speeds are reported against.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rayon::prelude::*;

use crate::dense::{Right, product};
use crate::matrix::{MatMut, MatRef};
use crate::precision::Precision;
use crate::simd::vectorised;

/// How long each limit is measured.
const MEASURE: Duration = Duration::from_millis(200);
/// Numbers of each array of the bandwidth measurement: too many for any cache.
const TRIAD_ELEMENTS: usize = 1 << 25;

/// Highest GFLOP/s of matrix products in `precision`, on all threads.
///
/// Measured once for each precision, on operands that stay in the cache.
pub fn product_peak(precision: Precision) -> f64 {
    static PEAKS: [OnceLock<f64>; 2] = [OnceLock::new(), OnceLock::new()];
    let peak = &PEAKS[usize::from(precision == Precision::Bf16)];
    *peak.get_or_init(|| measure_peak(precision))
}

/// Highest bytes a second that all threads together read and write, in GB/s.
///
/// Measured once, as `a = b + s c` over arrays larger than the caches (STREAM's triad).
pub fn memory_bandwidth() -> f64 {
    static BANDWIDTH: OnceLock<f64> = OnceLock::new();
    *BANDWIDTH.get_or_init(measure_bandwidth)
}

/// GFLOP/s of `C = A B` on all threads in `precision`, for C (rows, cols) and a shared dimension
/// `depth`, both operands in f32; `transposed` lets A lie column by column, as in the gradient of
/// a weight.
pub fn product_speed(
    rows: usize,
    depth: usize,
    cols: usize,
    transposed: bool,
    precision: Precision,
) -> f64 {
    let (a, b) = (vec![0.5; rows * depth], vec![0.25; depth * cols]);
    let mut c = vec![0.0; rows * cols];
    let a = match transposed {
        true => MatRef::new(&a, depth, rows).transposed(),
        false => MatRef::new(&a, rows, depth),
    };
    let b = match transposed {
        true => MatRef::new(&b, depth, cols),
        false => MatRef::new(&b, cols, depth).transposed(),
    };
    let flops = 2.0 * rows as f64 * depth as f64 * cols as f64;
    flops / 1e9 / fastest(|| product(MatMut::new(&mut c, rows, cols), a, b, false, precision))
}

/// Seconds of the fastest of several calls.
fn fastest(mut f: impl FnMut()) -> f64 {
    let begin = Instant::now();
    let mut best = f64::MAX;
    let mut calls = 0;
    while calls < 3 || begin.elapsed() < MEASURE {
        let start = Instant::now();
        f();
        best = best.min(start.elapsed().as_secs_f64());
        calls += 1;
    }
    best
}

fn measure_peak(precision: Precision) -> f64 {
    const ROWS: usize = 130;
    const SIDE: usize = 256;
    const REPEATS: usize = 8;
    let threads = rayon::current_num_threads();
    let (a, b) = (vec![0.5; ROWS * SIDE], vec![0.25; SIDE * SIDE]);
    let right = Right::prepare(MatRef::new(&b, SIDE, SIDE), ROWS, precision);
    let mut outs = vec![vec![0.0; ROWS * SIDE]; threads];
    let seconds = fastest(|| {
        outs.par_iter_mut().for_each(|c| {
            for _ in 0..REPEATS {
                let a = MatRef::new(&a, ROWS, SIDE);
                right.product(MatMut::new(c, ROWS, SIDE), a, false);
            }
        });
    });
    let flops = 2.0 * (ROWS * SIDE * SIDE * REPEATS * threads) as f64;
    flops / 1e9 / seconds
}

fn measure_bandwidth() -> f64 {
    let each = TRIAD_ELEMENTS.div_ceil(rayon::current_num_threads());
    let mut a = vec![0.0; TRIAD_ELEMENTS];
    let b = vec![1.0; TRIAD_ELEMENTS];
    let c = vec![2.0; TRIAD_ELEMENTS];
    let seconds = fastest(|| {
        a.par_chunks_mut(each)
            .zip(b.par_chunks(each))
            .zip(c.par_chunks(each))
            .for_each(|((a, b), c)| triad(a, b, c, 0.5));
    });
    3.0 * (TRIAD_ELEMENTS * size_of::<f32>()) as f64 / 1e9 / seconds
}

vectorised! {
    fn triad(a: &mut [f32], b: &[f32], c: &[f32], scale: f32) {
        for ((a, b), c) in a.iter_mut().zip(b).zip(c) {
            *a = b + scale * c;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_measured_once() {
        let peak = product_peak(Precision::F32);
        assert!(peak.is_finite() && peak > 0.0, "{peak} GFLOP/s");
        assert_eq!(peak, product_peak(Precision::F32));
        assert_eq!(memory_bandwidth(), memory_bandwidth());
        let thin = product_speed(1, 64, 64, true, Precision::F32);
        assert!(thin.is_finite() && thin > 0.0, "{thin} GFLOP/s");
    }

    #[test]
    fn the_triad_scales_and_adds() {
        let mut a = [0.0; 19];
        let (b, c): (Vec<f32>, Vec<f32>) = (0..19).map(|i| (i as f32, 2.0 * i as f32)).unzip();
        triad(&mut a, &b, &c, 0.5);
        assert!(a.iter().zip(&b).all(|(a, b)| *a == 2.0 * b));
    }
}
