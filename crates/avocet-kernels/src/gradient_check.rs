//! How the tests of this crate compare fused operations with composed ones, with finite
//! differences, and with themselves on another number of threads.

use candle_core::{Device, Result, Shape, Tensor, Var};

use crate::fused::composed;

/// Uniform values in [-1, 1), the same for the same seed.
pub(crate) fn random(shape: impl Into<Shape>, seed: u64) -> Var {
    let shape = shape.into();
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03;
    let values: Vec<f32> = (0..shape.elem_count())
        .map(|_| {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        })
        .collect();
    let tensor = Tensor::from_vec(values, shape, &Device::Cpu).expect("the count is the shape's");
    Var::from_tensor(&tensor).expect("a fresh tensor can be a variable")
}

/// Output of `f`, and the gradients of its weighted sum with respect to the inputs.
pub(crate) fn run(
    inputs: &[Var],
    f: &dyn Fn(&[Tensor]) -> Result<Tensor>,
) -> Result<Vec<Vec<f32>>> {
    let tensors: Vec<Tensor> = inputs.iter().map(|v| v.as_tensor().clone()).collect();
    let out = f(&tensors)?;
    let weights = random(out.shape().clone(), 99);
    let grads = out.mul(weights.as_tensor())?.sum_all()?.backward()?;
    let mut all = vec![out.flatten_all()?.to_vec1::<f32>()?];
    for (i, input) in inputs.iter().enumerate() {
        let grad = grads.get(input.as_tensor());
        let grad = grad.unwrap_or_else(|| panic!("input {i} got no gradient"));
        all.push(grad.flatten_all()?.to_vec1::<f32>()?);
    }
    Ok(all)
}

/// Asserts that output and gradients of `fused` are those of `composed`, within `tolerance` of
/// the largest element of each (both compute in f32, in another order of summation).
pub(crate) fn assert_matches(
    inputs: &[Var],
    tolerance: f32,
    fused: &dyn Fn(&[Tensor]) -> Result<Tensor>,
    composed: &dyn Fn(&[Tensor]) -> Result<Tensor>,
) -> Result<()> {
    let (fused, composed) = (run(inputs, fused)?, run(inputs, composed)?);
    for (i, (a, b)) in fused.iter().zip(&composed).enumerate() {
        assert_close(
            a,
            b,
            tolerance,
            &if i == 0 {
                "output".into()
            } else {
                format!("grad {i}")
            },
        );
    }
    Ok(())
}

/// Asserts that `f` gives the same fused as composed of candle's operations, within `tolerance` as
/// in [`assert_matches`], and the same bits on any number of threads.
pub(crate) fn assert_fused(
    inputs: &[Var],
    tolerance: f32,
    f: &(dyn Fn(&[Tensor]) -> Result<Tensor> + Sync),
) -> Result<()> {
    assert_matches(inputs, tolerance, f, &|t| composed(|| f(t)))?;
    assert_same_on_one_and_two_threads(inputs, f)
}

/// Asserts that `a` is `b` within `tolerance` times the largest magnitude in `b`.
pub(crate) fn assert_close(a: &[f32], b: &[f32], tolerance: f32, what: &str) {
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

/// Asserts the gradients of `f` against central differences.
///
/// With a step of 1e-2 the truncation error of our smooth functions is about 1e-4 and the
/// rounding error of an f32 sum about 1e-5 / 1e-2; hence a tolerance of 1e-2 of the largest.
pub(crate) fn assert_finite_differences(
    inputs: &[Var],
    f: &dyn Fn(&[Tensor]) -> Result<Tensor>,
) -> Result<()> {
    const STEP: f32 = 1e-2;
    let analytic = run(inputs, f)?;
    let loss = |inputs: &[Tensor]| -> Result<f64> {
        let out = f(inputs)?;
        let weights = random(out.shape().clone(), 99)
            .flatten_all()?
            .to_vec1::<f32>()?;
        let out = out.flatten_all()?.to_vec1::<f32>()?;
        Ok(out
            .iter()
            .zip(&weights)
            .map(|(o, w)| f64::from(*o) * f64::from(*w))
            .sum())
    };
    for (i, input) in inputs.iter().enumerate() {
        let values = input.flatten_all()?.to_vec1::<f32>()?;
        let mut numeric = Vec::new();
        for at in 0..values.len() {
            let shifted = |step: f32| -> Result<f64> {
                let mut moved = values.clone();
                moved[at] += step;
                let mut tensors: Vec<Tensor> =
                    inputs.iter().map(|v| v.as_tensor().clone()).collect();
                tensors[i] = Tensor::from_vec(moved, input.shape(), &Device::Cpu)?;
                loss(&tensors)
            };
            numeric.push(((shifted(STEP)? - shifted(-STEP)?) / (2.0 * f64::from(STEP))) as f32);
        }
        assert_close(
            &analytic[i + 1],
            &numeric,
            1e-2,
            &format!("difference quotient {i}"),
        );
    }
    Ok(())
}

/// Asserts that output and gradients have the same bits on one thread and on two.
pub(crate) fn assert_same_on_one_and_two_threads(
    inputs: &[Var],
    f: &(dyn Fn(&[Tensor]) -> Result<Tensor> + Sync),
) -> Result<()> {
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.expect("a pool of at most two threads")
            .install(|| run(inputs, f))
    };
    let bits = |all: Vec<Vec<f32>>| -> Vec<Vec<u32>> {
        all.into_iter()
            .map(|v| v.into_iter().map(f32::to_bits).collect())
            .collect()
    };
    assert!(
        bits(on(1)?) == bits(on(2)?),
        "results depend on the number of threads"
    );
    Ok(())
}
