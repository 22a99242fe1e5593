//! Prints how fast products read weights as a checkpoint stores them, beside what memory delivers:
//! `cargo run --release -p avocet-products --example stored`.

use std::sync::Arc;
use std::time::Instant;

use avocet_products::stored::{self, StoredError, StoredFormat, StoredMatrix, StoredRows};
use avocet_products::{Level, MatMut, MatRef, Precision, memory_bandwidth, product, product_peak};

/// Outputs and inputs; a depth that is not whole blocks leaves the K formats out.
const SHAPES: [(usize, usize); 3] = [(4096, 4096), (1536, 576), (1536, 1536)];
/// Rows of x.
const ROWS: [usize; 4] = [1, 4, 16, 128];
/// Bytes of all copies of a matrix, which products take in turn: too many for most caches.
const COLD_BYTES: usize = 1 << 29;

fn main() -> Result<(), StoredError> {
    println!(
        "{}, memory {:.1} GB/s, products {:.0} GFLOP/s",
        Level::current().name(),
        memory_bandwidth(),
        product_peak(Precision::F32)
    );
    for (outputs, inputs) in SHAPES {
        println!("\n{outputs} x {inputs}: GB/s of weights and (GFLOP/s) by rows of x {ROWS:?}");
        let numbers = outputs * inputs;
        let dense = vec![0.5; (COLD_BYTES / 4).max(numbers)];
        let copies = dense.len() / numbers;
        let line = speeds(inputs, outputs, 4 * numbers, |call, x, rows| {
            let w = MatRef::new(&dense[call % copies * numbers..], outputs, inputs);
            let mut out = vec![0.0; rows * outputs];
            let c = MatMut::new(&mut out, rows, outputs);
            let x = MatRef::new(x, rows, inputs);
            product(c, x, w.transposed(), false, Precision::F32);
            out
        });
        println!("{:8}{line}", "dense");
        for format in StoredFormat::ALL {
            if inputs.is_multiple_of(format.block_len()) {
                let all = copies_of(format, outputs, inputs)?;
                let bytes = numbers / format.block_len() * format.block_bytes();
                let line = speeds(inputs, outputs, bytes, |call, x, rows| {
                    let w = &all[call % all.len()];
                    stored::product(w, 0..outputs, x, rows, Precision::F32)
                });
                println!("{:8}{line}", format!("{format:?}"));
            }
        }
    }
    Ok(())
}

/// Copies of one matrix, enough that a copy has left the cache when its turn comes again.
fn copies_of(
    format: StoredFormat,
    outputs: usize,
    inputs: usize,
) -> Result<Vec<StoredMatrix>, StoredError> {
    let size = outputs * inputs / format.block_len() * format.block_bytes();
    // Every byte 0x11: small numbers in all formats.
    let copies = (COLD_BYTES / size).max(1);
    let bytes: Arc<Vec<u8>> = Arc::new(vec![0x11; copies * size]);
    (0..copies)
        .map(|copy| {
            let rows = StoredRows::new(bytes.clone(), copy * size, outputs, inputs, format)?;
            StoredMatrix::new(&[outputs, inputs], vec![rows])
        })
        .collect()
}

/// The fastest of several calls of `f`, which gets their number, x and its rows.
fn speeds(
    inputs: usize,
    outputs: usize,
    bytes: usize,
    f: impl Fn(usize, &[f32], usize) -> Vec<f32>,
) -> String {
    let mut line = String::new();
    for rows in ROWS {
        let x: Vec<f32> = (0..rows * inputs).map(|i| (i % 7) as f32 - 3.0).collect();
        let mut best = f64::MAX;
        let begin = Instant::now();
        let mut calls = 0;
        while calls < 5 || begin.elapsed().as_secs_f64() < 0.3 {
            let start = Instant::now();
            std::hint::black_box(f(calls, &x, rows));
            best = best.min(start.elapsed().as_secs_f64());
            calls += 1;
        }
        let flops = 2.0 * (rows * inputs * outputs) as f64;
        line += &format!(
            " {:7.1} ({:5.0})",
            bytes as f64 / 1e9 / best,
            flops / 1e9 / best
        );
    }
    line
}
