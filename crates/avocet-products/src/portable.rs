//! Functions of levels that have none of their own: plain loops, which the compiler vectorises.

use crate::kernels::Kernels;
use crate::matrix::{MatMut, MatRef, Values, widen};
use crate::simd::dot_of;

pub(crate) const KERNELS: Kernels = Kernels {
    pack_f32: None,
    pack_bf16: None,
    add_dots,
    rows: |format| &format.portable,
};

fn add_dots(x: &[f32], b: MatRef<'_>, c: MatMut<'_>) {
    let (depth, stride) = (b.rows, b.col_stride);
    let mut widened = vec![0.0; depth];
    for j in 0..c.cols {
        let column = match b.data {
            Values::F32(b) => &b[j * stride..][..depth],
            Values::Bf16(b) => {
                let column = &b[j * stride..][..depth];
                let numbers = widened.iter_mut().zip(column);
                numbers.for_each(|(out, &v)| *out = widen(v));
                &widened
            }
        };
        for (x, out) in x.chunks_exact(depth).zip(c.data.chunks_mut(c.row_stride)) {
            out[j] += dot_of(x, column);
        }
    }
}
