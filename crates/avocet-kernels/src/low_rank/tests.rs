//! The sum against plain operations, and where its gradients go.

use super::low_rank_sum;
use candle_core::{DType, Device, Result, Tensor, Var};

#[test]
fn gradients_reach_the_factors_and_not_the_matrix() -> Result<()> {
    for stack in [&[][..], &[3]] {
        let random = |tail: [usize; 2]| {
            let shape = [stack, &tail].concat();
            Tensor::randn(0f32, 1.0, shape, &Device::Cpu)
        };
        let (w, up) = (Var::from_tensor(&random([4, 5])?)?, random([4, 5])?);
        let (a, b) = (
            Var::from_tensor(&random([2, 5])?)?,
            Var::from_tensor(&random([4, 2])?)?,
        );
        let fused = low_rank_sum(&w, &a, &b, 0.5)?;
        let plain = (w.as_tensor() + (b.matmul(&a)? * 0.5)?)?;
        let worst = |x: &Tensor, y: &Tensor| -> Result<f32> {
            (x - y)?
                .abs()?
                .flatten_all()?
                .max(0)?
                .to_dtype(DType::F32)?
                .to_scalar()
        };
        assert!(worst(&fused, &plain)? < 1e-6);
        let fused = (fused * &up)?.sum_all()?.backward()?;
        let plain = (plain * &up)?.sum_all()?.backward()?;
        assert!(fused.get(&w).is_none());
        for factor in [&a, &b] {
            let of = |grads: &candle_core::backprop::GradStore| grads.get(factor).cloned();
            let (x, y) = (of(&fused).expect("one"), of(&plain).expect("one"));
            assert!(worst(&x, &y)? < 1e-5);
        }
    }
    Ok(())
}
