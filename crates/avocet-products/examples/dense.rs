//! Prints the speed of products of dense matrices beside what this machine can do:
//! `cargo run --release -p avocet-products --example dense`.

use avocet_products::{Level, Precision, memory_bandwidth, product_peak, product_speed};

/// Rows, shared dimension and columns of C, and whether A lies column by column.
const SHAPES: [(usize, usize, usize, bool); 12] = [
    (8192, 256, 256, false),
    (8192, 256, 1024, false),
    (8192, 512, 256, false),
    (4096, 192, 576, false),
    (2048, 1024, 1024, false),
    (256, 8192, 256, true),
    (512, 8192, 256, true),
    (1024, 2048, 1024, true),
    (256, 256, 256, false),
    (256, 128, 256, false),
    (1, 2048, 2048, false),
    (16, 2048, 2048, false),
];

fn main() {
    let level = Level::current().name();
    println!("{level}, memory {:.1} GB/s", memory_bandwidth());
    for precision in [Precision::F32, Precision::Bf16] {
        let peak = product_peak(precision);
        println!("\n{precision:?}: peak {peak:.0} GFLOP/s");
        for (rows, depth, cols, transposed) in SHAPES {
            let speed = product_speed(rows, depth, cols, transposed, precision);
            let side = if transposed { "A^T B" } else { "A B^T" };
            let shape = format!("{side} {rows} x {depth} x {cols}");
            let share = 100.0 * speed / peak;
            println!("{shape:25} {speed:8.1} GFLOP/s {share:5.1} %");
        }
    }
}
