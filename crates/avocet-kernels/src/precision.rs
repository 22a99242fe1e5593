//! The number format of the large matrix products, one choice for the whole process.

use std::sync::atomic::{AtomicU8, Ordering};

/// Format in which the large products read their operands; sums are always f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// Operands as they are.
    F32,
    /// Operands rounded to bfloat16 where the CPU multiplies such numbers faster.
    Bf16,
}

static CURRENT: AtomicU8 = AtomicU8::new(0);

/// Chooses the format for every product that begins from now on, on all threads.
pub fn set_product_precision(precision: Precision) {
    CURRENT.store(u8::from(precision == Precision::Bf16), Ordering::Relaxed);
}

/// The format chosen last; [`Precision::F32`] at first.
pub fn product_precision() -> Precision {
    match CURRENT.load(Ordering::Relaxed) {
        0 => Precision::F32,
        _ => Precision::Bf16,
    }
}
