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
