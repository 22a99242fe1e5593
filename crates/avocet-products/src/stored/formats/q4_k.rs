//! `block_q4_K`: d, dmin (f16), 12 bytes of scales, 128 bytes: the low halves of 32 are one eighth
//! of the numbers, the high halves the next.

#[cfg(test)]
use super::k_scales::number_of;
use super::k_scales::step_and_min;
use crate::stored::format::{Format, each_block, put_half};
use crate::vectorised;

/// 8 times 32 numbers of 4 bits, scales and minima of 6 bits.
pub(crate) struct Q4K;

const LEN: usize = 256;
const BYTES: usize = 144;

impl Format for Q4K {
    const BLOCK_LEN: usize = LEN;
    const BLOCK_BYTES: usize = BYTES;
    #[cfg(target_arch = "x86_64")]
    const AVX512: crate::stored::format::RowKernels = crate::avx512::rows::packed::<Self>();

    vectorised! {
        fn widen(blocks: &[u8], out: &mut [f32]) {
            each_block(blocks, out, |block: &[u8; BYTES], values: &mut [f32; LEN]| {
                for quarter in 0..4 {
                    let quants = &block[16 + 32 * quarter..][..32];
                    let (low, high) = values[64 * quarter..][..64].split_at_mut(32);
                    let (d1, m1) = step_and_min(block, 2 * quarter);
                    let (d2, m2) = step_and_min(block, 2 * quarter + 1);
                    for ((low, high), q) in low.iter_mut().zip(high).zip(quants) {
                        *low = d1 * f32::from(q & 15) - m1;
                        *high = d2 * f32::from(q >> 4) - m2;
                    }
                }
            });
        }
    }

    fn tame(block: &mut [u8], mut random: impl FnMut() -> f32) {
        put_half(block, 0, random() / 1000.0);
        put_half(block, 2, random() / 64.0);
    }

    #[cfg(test)]
    fn number(block: &[u8], i: usize) -> f32 {
        let byte = block[16 + i / 64 * 32 + i % 32];
        let quant = if i % 64 < 32 { byte & 15 } else { byte >> 4 };
        number_of(block, i, quant)
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::*;

    use super::Q4K;
    use crate::avx512::quant_dot::{QuantDot, Step, bytes_of, halves_of, table, two};
    use crate::avx512::unpack::{Unpack, Unpacked, nibbles_of_64, store_groups};
    use crate::stored::formats::k_scales::steps_and_minima;
    use crate::stored::order::Order;

    impl Unpack for Q4K {
        const MINIMA: bool = true;

        #[inline]
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
        unsafe fn unpack(block: &[u8], into: &mut Unpacked) -> *const i8 {
            // SAFETY: a block begins with 16 such bytes; the steps are 16 numbers, aligned to 64 bytes
            // after 256 bytes of quants.
            unsafe { _mm512_store_ps(into.steps.as_mut_ptr(), steps_and_minima(block.as_ptr())) };
            for part in 0..2 {
                let (low, high) = nibbles_of_64(block, 16 + 64 * part);
                store_groups(into, 128 * part, low, high);
            }
            into.quants_mut(0)
        }
    }

    impl QuantDot for Q4K {
        const STEP_BLOCKS: usize = 1;
        const ORDER: Order = Order::Alternate;

        #[inline]
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
        unsafe fn begin(at: *const u8) -> Step {
            Step {
                // SAFETY: the caller's.
                steps: unsafe { steps_and_minima(at) },
                bits: _mm512_setzero_si512(),
            }
        }

        #[inline]
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
        unsafe fn vector(at: *const u8, step: &Step, v: usize) -> ([__m512; 4], __m512) {
            let table = table(0);
            // SAFETY: the caller's: 128 bytes of halves after 16.
            let bytes = unsafe { _mm512_loadu_si512(at.add(16 + 64 * (v / 2)).cast()) };
            let group = (4 * (v / 2) + v % 2) as i32;
            (
                bytes_of(halves_of(bytes, v)).map(|half| _mm512_permutexvar_ps(half, table)),
                _mm512_permutexvar_ps(two(group, group + 2), step.steps),
            )
        }

        #[inline]
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
        unsafe fn minima(step: &Step) -> __m512 {
            _mm512_shuffle_f32x4::<0b11_10_11_10>(step.steps, step.steps)
        }
    }
}
