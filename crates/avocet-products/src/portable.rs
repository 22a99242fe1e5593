//! Functions of levels that have none of their own: plain loops, which the compiler vectorises.

use crate::kernels::Kernels;
use crate::lanes::LANES;
use crate::matrix::{MatMut, MatRef, Values, widen};
use crate::simd::{dot_of, vectorised};

pub(crate) const KERNELS: Kernels = Kernels {
    pack_f32: None,
    pack_bf16: None,
    add_dots,
    add_lanes,
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

fn add_lanes(c: MatMut<'_>, a: &[f32], a_stride: usize, b: &[f32]) {
    for row in 0..c.rows {
        let a = &a[row * a_stride..][..b.len() / LANES];
        add_row(&mut c.data[row * c.row_stride..][..LANES], a, b);
    }
}

vectorised! {
    fn add_row(c: &mut [f32], a: &[f32], b: &[f32]) {
        let mut sums = [0.0f32; LANES];
        sums.copy_from_slice(c);
        for (x, line) in a.iter().zip(b.chunks_exact(LANES)) {
            for i in 0..LANES {
                sums[i] += x * line[i];
            }
        }
        c.copy_from_slice(&sums);
    }
}
