//! `block_q4_1`: d, m (f16), 16 bytes as in `block_q4_0`, counted from m.

use crate::stored::format::{Format, each_block, half_at, put_half};
use crate::vectorised;

/// 32 numbers of 4 bits, a scale and a minimum.
pub(crate) struct Q4_1;

const LEN: usize = 32;
const BYTES: usize = 20;

impl Format for Q4_1 {
    const BLOCK_LEN: usize = LEN;
    const BLOCK_BYTES: usize = BYTES;
    #[cfg(target_arch = "x86_64")]
    const AVX512: crate::stored::format::RowKernels = crate::avx512::rows::packed::<Self>();

    vectorised! {
        fn widen(blocks: &[u8], out: &mut [f32]) {
            each_block(blocks, out, |block: &[u8; BYTES], values: &mut [f32; LEN]| {
                let (d, m) = (half_at(block, 0), half_at(block, 2));
                let (low, high) = values.split_at_mut(16);
                for ((low, high), q) in low.iter_mut().zip(high).zip(&block[4..]) {
                    *low = f32::from(q & 15) * d + m;
                    *high = f32::from(q >> 4) * d + m;
                }
            });
        }
    }

    fn tame(block: &mut [u8], mut random: impl FnMut() -> f32) {
        put_half(block, 0, random() / 16.0);
        put_half(block, 2, random());
    }

    #[cfg(test)]
    fn number(block: &[u8], i: usize) -> f32 {
        let byte = block[4 + i % 16];
        let quant = if i < 16 { byte & 15 } else { byte >> 4 };
        f32::from(quant) * half_at(block, 0) + half_at(block, 2)
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::*;

    use super::Q4_1;
    use crate::avx512::quant_dot::{
        QuantDot, Step, bytes_of, four, halves_of, of_four_blocks, table,
    };
    use crate::avx512::unpack::{Unpack, Unpacked, half_at, nibbles_of_16};
    use crate::stored::order::Order;

    impl Unpack for Q4_1 {
        const MINIMA: bool = true;

        #[inline]
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
        unsafe fn unpack(block: &[u8], into: &mut Unpacked) -> *const i8 {
            into.steps[0] = half_at(block, 0);
            into.steps[1] = -half_at(block, 2);
            let out = into.quants_mut(0);
            // SAFETY: there are 32 bytes.
            unsafe { _mm256_storeu_si256(out.cast(), nibbles_of_16(block, 4)) };
            out
        }
    }

    impl QuantDot for Q4_1 {
        const STEP_BLOCKS: usize = 4;
        const ORDER: Order = Order::Halves;

        #[inline]
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
        unsafe fn begin(at: *const u8) -> Step {
            // SAFETY: the caller's: four blocks of 20 bytes.
            unsafe {
                let pair = |i: usize| at.add(20 * i).cast::<i32>().read_unaligned();
                let pairs = _mm_setr_epi32(pair(0), pair(1), pair(2), pair(3));
                Step {
                    steps: _mm512_cvtph_ps(_mm256_zextsi128_si256(pairs)),
                    bits: of_four_blocks::<20>(at.add(4)),
                }
            }
        }

        #[inline]
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
        unsafe fn vector(_at: *const u8, step: &Step, v: usize) -> ([__m512; 4], __m512) {
            let table = table(0);
            let halves = bytes_of(halves_of(step.bits, v));
            (
                halves.map(|half| _mm512_permutexvar_ps(half, table)),
                _mm512_permutexvar_ps(four(0, 2, 4, 6), step.steps),
            )
        }

        #[inline]
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
        unsafe fn minima(step: &Step) -> __m512 {
            let which = _mm512_setr_epi32(1, 3, 5, 7, 1, 3, 5, 7, 1, 3, 5, 7, 1, 3, 5, 7);
            let minima = _mm512_permutexvar_ps(which, step.steps);
            _mm512_sub_ps(_mm512_setzero_ps(), minima)
        }
    }
}
