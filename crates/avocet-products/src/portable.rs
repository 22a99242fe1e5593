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
    for (x, out) in x.chunks_exact(depth).zip(c.data.chunks_mut(c.row_stride)) {
        for (j, out) in out[..c.cols].iter_mut().enumerate() {
            *out += match b.data {
                Values::F32(b) => dot_of(x, &b[j * stride..][..depth]),
                Values::Bf16(b) => {
                    let line = &b[j * stride..][..depth];
                    x.iter().zip(line).map(|(x, &w)| x * widen(w)).sum()
                }
            };
        }
    }
}
