//! `block_q4_0`: d (f16), 16 bytes whose low halves are the first 16 numbers, the high halves the
//! last; 8 stands for zero.

use crate::stored::format::{Format, each_block, half_at, put_half};
use crate::vectorised;

/// 32 numbers of 4 bits and a scale.
pub(crate) struct Q4_0;

const LEN: usize = 32;
const BYTES: usize = 18;

impl Format for Q4_0 {
    const BLOCK_LEN: usize = LEN;
    const BLOCK_BYTES: usize = BYTES;
    #[cfg(target_arch = "x86_64")]
    const AVX512: crate::stored::format::RowKernels = crate::avx512::rows::packed::<Self>();

    vectorised! {
        fn widen(blocks: &[u8], out: &mut [f32]) {
            each_block(blocks, out, |block: &[u8; BYTES], values: &mut [f32; LEN]| {
                let d = half_at(block, 0);
                let (low, high) = values.split_at_mut(16);
                for ((low, high), q) in low.iter_mut().zip(high).zip(&block[2..]) {
                    *low = (f32::from(q & 15) - 8.0) * d;
                    *high = (f32::from(q >> 4) - 8.0) * d;
                }
            });
        }
    }

    fn tame(block: &mut [u8], mut random: impl FnMut() -> f32) {
        put_half(block, 0, random() / 8.0);
    }

    #[cfg(test)]
    fn number(block: &[u8], i: usize) -> f32 {
        let byte = block[2 + i % 16];
        let quant = if i < 16 { byte & 15 } else { byte >> 4 };
        (f32::from(quant) - 8.0) * half_at(block, 0)
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::*;

    use super::Q4_0;
    use crate::avx512::quant_dot::{
        QuantDot, Step, bytes_of, four, halves_of, of_four_blocks, table,
    };
    use crate::avx512::unpack::{Unpack, Unpacked, half_at, nibbles_of_16};
    use crate::stored::order::Order;

    impl Unpack for Q4_0 {
        #[inline]
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
        unsafe fn unpack(block: &[u8], into: &mut Unpacked) -> *const i8 {
            into.steps[0] = half_at(block, 0);
            let quants = _mm256_sub_epi8(nibbles_of_16(block, 2), _mm256_set1_epi8(8));
            let out = into.quants_mut(0);
            // SAFETY: there are 32 bytes.
            unsafe { _mm256_storeu_si256(out.cast(), quants) };
            out
        }
    }

    impl QuantDot for Q4_0 {
        const STEP_BLOCKS: usize = 4;
        const ORDER: Order = Order::Halves;

        #[inline]
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
        unsafe fn begin(at: *const u8) -> Step {
            // SAFETY: the caller's: four blocks of 18 bytes.
            unsafe {
                let half = |i: usize| u64::from(at.add(18 * i).cast::<u16>().read_unaligned());
                let halves = half(0) | (half(1) << 16) | (half(2) << 32) | (half(3) << 48);
                let halves = _mm256_zextsi128_si256(_mm_cvtsi64_si128(halves as i64));
                Step {
                    steps: _mm512_permutexvar_ps(four(0, 1, 2, 3), _mm512_cvtph_ps(halves)),
                    bits: of_four_blocks::<18>(at.add(2)),
                }
            }
        }

        #[inline]
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
        unsafe fn vector(_at: *const u8, step: &Step, v: usize) -> ([__m512; 4], __m512) {
            let table = table(8);
            let halves = bytes_of(halves_of(step.bits, v));
            (
                halves.map(|half| _mm512_permutexvar_ps(half, table)),
                step.steps,
            )
        }
    }
}
