//! Sums against candle's, and who else sees them.

use candle_core::Result;

use super::{add_into, square_sum};
use crate::fused::composed;
use crate::gradient_check::random;

#[test]
fn a_sum_is_written_over_where_it_lies_and_is_its_composed_form() -> Result<()> {
    let part = random((3, 70_000), 2);
    let sum = || random((3, 70_000), 1).as_tensor().copy();
    let expected = composed(|| add_into(sum()?, &part))?.to_vec2::<f32>()?;
    let held = sum()?;
    assert_eq!(add_into(held.clone(), &part)?.to_vec2::<f32>()?, expected);
    assert_eq!(held.to_vec2::<f32>()?, expected);
    let error = add_into(held, &random((70_000, 3), 3)).expect_err("shapes differ");
    assert!(error.to_string().contains("[70000, 3]"), "{error}");
    Ok(())
}

#[test]
fn the_sum_of_squares_is_its_composed_form_on_any_number_of_threads() -> Result<()> {
    let x = random(100_003, 5);
    let plain = composed(|| square_sum(&x))?;
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.expect("a pool").install(|| square_sum(&x))
    };
    let (one, two) = (on(1)?, on(2)?);
    assert_eq!(one.to_bits(), two.to_bits());
    assert!((one / plain - 1.0).abs() < 1e-12, "{one} and {plain}"); // f64, another order
    Ok(())
}
