//! Gradients added up in place, and the length of all of them.

use candle_core::{CpuStorage, DType, InplaceOp2, Layout, Result, Tensor, bail};
use rayon::prelude::*;

use crate::slices::{f32_slice, f32_slice_mut, with_f32};

/// Elements that one task handles; fixed, so that results do not depend on the threads.
const CHUNK: usize = 1 << 15;

/// `sum + part`, of one shape; on the CPU `sum` is written over where it lies, whoever else holds
/// it.
///
/// Errors if the shapes disagree or `sum` is not contiguous.
pub fn add_into(sum: Tensor, part: &Tensor) -> Result<Tensor> {
    if sum.dims() != part.dims() {
        bail!(
            "add_into: a sum of shape {:?} and a part of {:?}",
            sum.dims(),
            part.dims()
        );
    }
    if !sum.device().is_cpu() || sum.dtype() != DType::F32 {
        return sum + part;
    }
    sum.inplace_op2(&part.contiguous()?, &AddInto)?;
    Ok(sum)
}

struct AddInto;

impl InplaceOp2 for AddInto {
    fn name(&self) -> &'static str {
        "add_into"
    }

    fn cpu_fwd(
        &self,
        sum: &mut CpuStorage,
        sum_layout: &Layout,
        part: &CpuStorage,
        part_layout: &Layout,
    ) -> Result<()> {
        let sum = f32_slice_mut(sum, sum_layout, "add_into")?;
        let part = f32_slice(part, part_layout, "add_into")?;
        let chunks = sum.par_chunks_mut(CHUNK).zip(part.par_chunks(CHUNK));
        chunks.for_each(|(a, b)| a.iter_mut().zip(b).for_each(|(a, b)| *a += b));
        Ok(())
    }
}

/// Sum of the squares of all elements of `x`, in f64.
pub fn square_sum(x: &Tensor) -> Result<f64> {
    if !x.device().is_cpu() || x.dtype() != DType::F32 {
        return x.to_dtype(DType::F64)?.sqr()?.sum_all()?.to_scalar();
    }
    with_f32(x, "square_sum", |values| {
        let sums: Vec<f64> = values.par_chunks(CHUNK).map(squares).collect();
        Ok(sums.iter().sum())
    })
}

/// Sum of squares in 16 lanes of f64, so that the order is fixed and the compiler vectorises it.
fn squares(values: &[f32]) -> f64 {
    let mut lanes = [0f64; 16];
    let whole = values.chunks_exact(16);
    let rest: f64 = whole
        .remainder()
        .iter()
        .map(|&x| f64::from(x).powi(2))
        .sum();
    for chunk in whole {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane += f64::from(x) * f64::from(x);
        }
    }
    lanes.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::random;

    #[test]
    fn a_sum_is_written_over_where_it_lies_and_is_that_of_candle() -> Result<()> {
        let (sum, part) = (random((3, 70_000), 1), random((3, 70_000), 2));
        let sum = sum.as_tensor().copy()?;
        let expected = (&sum + part.as_tensor())?.to_vec2::<f32>()?;
        let held = sum.clone();
        assert_eq!(add_into(sum, &part)?.to_vec2::<f32>()?, expected);
        assert_eq!(held.to_vec2::<f32>()?, expected);
        let error = add_into(held, &random((70_000, 3), 3)).expect_err("shapes differ");
        assert!(error.to_string().contains("[70000, 3]"), "{error}");
        Ok(())
    }

    #[test]
    fn the_sum_of_squares_is_that_of_candle_on_any_number_of_threads() -> Result<()> {
        let x = random(100_003, 5);
        let plain: f64 = x.to_dtype(DType::F64)?.sqr()?.sum_all()?.to_scalar()?;
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            pool.expect("a pool").install(|| square_sum(&x))
        };
        let (one, two) = (on(1)?, on(2)?);
        assert_eq!(one.to_bits(), two.to_bits());
        assert!((one / plain - 1.0).abs() < 1e-12, "{one} and {plain}"); // f64, another order
        Ok(())
    }
}
