//! The number format of the large matrix products, one choice for the whole process.

use std::sync::atomic::{AtomicU8, Ordering};

use avocet_products::Precision;

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
