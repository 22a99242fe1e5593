//! Picked rows against their composed form, and what is refused.

use candle_core::{DType, Result};

use super::embedding;
use crate::gradient_check::{assert_fused, random};

#[test]
fn embedding_is_its_composed_form() -> Result<()> {
    let ids: Vec<u32> = (0..500u32).map(|i| (i * i) % 150).collect();
    let table = [random((150, 9), 1)];
    assert_fused(&table, 1e-6, &|t| embedding(&t[0], &ids))
}

#[test]
fn an_id_beyond_the_table_is_refused_with_both_numbers() {
    let error = embedding(&random((5, 2), 1), &[1, 5]).expect_err("5 is not below 5");
    let text = error.to_string();
    assert!(
        text.contains("id 5 at position 1") && text.contains("5 rows"),
        "{text}"
    );
}

#[test]
fn a_half_precision_table_gives_f32_rows() -> Result<()> {
    let rows = embedding(&random((5, 2), 1).to_dtype(DType::BF16)?, &[4, 0])?;
    assert_eq!((rows.dims(), rows.dtype()), (&[2, 2][..], DType::F32));
    Ok(())
}
