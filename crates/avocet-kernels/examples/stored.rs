//! Prints how fast products read weights as a checkpoint stores them, beside what memory delivers:
//! `cargo run --release -p avocet-kernels --example stored`.

use std::sync::Arc;
use std::time::Instant;

use avocet_kernels::Weight;
use avocet_products::stored::{StoredFormat, StoredMatrix, StoredRows};
use avocet_products::{Precision, memory_bandwidth, product_peak};
use candle_core::{Device, Error, Result, Tensor};

/// Outputs and inputs; a depth that is not whole blocks leaves the K formats out.
const SHAPES: [(usize, usize); 3] = [(4096, 4096), (1536, 576), (1536, 1536)];
/// Rows of x.
const ROWS: [usize; 4] = [1, 4, 16, 128];
/// Bytes of all copies of a matrix, which products take in turn: too many for most caches.
const COLD_BYTES: usize = 1 << 29;

fn main() -> Result<()> {
    println!(
        "memory {:.1} GB/s, products {:.0} GFLOP/s",
        memory_bandwidth(),
        product_peak(Precision::F32)
    );
    for (outputs, inputs) in SHAPES {
        println!("\n{outputs} x {inputs}: GB/s of weights and (GFLOP/s) by rows of x {ROWS:?}");
        let size = 4 * outputs * inputs;
        let tensor = |_| Tensor::rand(-1f32, 1.0, (outputs, inputs), &Device::Cpu);
        let tensors = (0..(COLD_BYTES / size).max(1)).map(tensor);
        let tensors: Vec<Weight> = tensors
            .map(|t| t.map(Weight::from))
            .collect::<Result<_>>()?;
        println!("{:8}{}", "tensor", speeds(&tensors, inputs, size)?);
        for format in StoredFormat::ALL {
            if inputs.is_multiple_of(format.block_len()) {
                let weights = weights(format, outputs, inputs)?;
                let bytes = outputs * inputs / format.block_len() * format.block_bytes();
                let name = format!("{format:?}");
                println!("{name:8}{}", speeds(&weights, inputs, bytes)?);
            }
        }
    }
    Ok(())
}

/// Copies of one matrix, enough that a copy has left the cache when its turn comes again.
fn weights(format: StoredFormat, outputs: usize, inputs: usize) -> Result<Vec<Weight>> {
    let blocks = outputs * inputs / format.block_len();
    let size = blocks * format.block_bytes();
    // Every byte 0x11: small numbers in all formats.
    let copies = (COLD_BYTES / size).max(1);
    let bytes: Arc<Vec<u8>> = Arc::new(vec![0x11; copies * size]);
    (0..copies)
        .map(|copy| {
            let rows = StoredRows::new(bytes.clone(), copy * size, outputs, inputs, format)
                .map_err(Error::wrap)?;
            Ok(StoredMatrix::new(&[outputs, inputs], vec![rows])
                .map_err(Error::wrap)?
                .into())
        })
        .collect()
}

fn speeds(weights: &[Weight], inputs: usize, bytes: usize) -> Result<String> {
    let mut line = String::new();
    for rows in ROWS {
        let x = Tensor::rand(-1f32, 1.0, (rows, inputs), &Device::Cpu)?;
        let mut best = f64::MAX;
        let begin = Instant::now();
        let mut calls = 0;
        let mut outputs = 0;
        while calls < 5 || begin.elapsed().as_secs_f64() < 0.3 {
            let start = Instant::now();
            outputs = weights[calls % weights.len()].linear(&x)?.dim(1)?;
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
    Ok(line)
}
