//! `block_q8_0`: d (f16), 32 x i8.

use crate::stored::format::{Format, each_block, half_at, put_half};
use crate::vectorised;

/// 32 numbers of 8 bits and a scale.
pub(crate) struct Q8_0;

const LEN: usize = 32;
const BYTES: usize = 34;

impl Format for Q8_0 {
    const BLOCK_LEN: usize = LEN;
    const BLOCK_BYTES: usize = BYTES;
    #[cfg(target_arch = "x86_64")]
    const AVX512: crate::stored::format::RowKernels = crate::avx512::rows::unpacked::<Self>();

    vectorised! {
        fn widen(blocks: &[u8], out: &mut [f32]) {
            each_block(blocks, out, |block: &[u8; BYTES], values: &mut [f32; LEN]| {
                let d = half_at(block, 0);
                for (y, q) in values.iter_mut().zip(&block[2..]) {
                    *y = f32::from(*q as i8) * d;
                }
            });
        }
    }

    fn tame(block: &mut [u8], mut random: impl FnMut() -> f32) {
        put_half(block, 0, random() / 128.0);
    }

    #[cfg(test)]
    fn number(block: &[u8], i: usize) -> f32 {
        f32::from(block[2 + i] as i8) * half_at(block, 0)
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use super::Q8_0;
    use crate::avx512::unpack::{Unpack, Unpacked, half_at};

    impl Unpack for Q8_0 {
        #[inline]
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
        unsafe fn unpack(block: &[u8], into: &mut Unpacked) -> *const i8 {
            into.steps[0] = half_at(block, 0);
            block[2..34].as_ptr().cast()
        }
    }
}
