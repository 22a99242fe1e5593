//! `block_q5_K`: as `block_q4_K`, with 32 bytes of fifth bits before the 128: bit j of byte l belongs
//! to number l of the j-th eighth.

#[cfg(test)]
use super::k_scales::number_of;
use super::k_scales::step_and_min;
use crate::stored::format::{Format, each_block, put_half};
use crate::vectorised;

/// 8 times 32 numbers of 5 bits, scales and minima of 6 bits.
pub(crate) struct Q5K;

const LEN: usize = 256;
const BYTES: usize = 176;

impl Format for Q5K {
    const BLOCK_LEN: usize = LEN;
    const BLOCK_BYTES: usize = BYTES;
    #[cfg(target_arch = "x86_64")]
    const AVX512: crate::stored::format::RowKernels = crate::avx512::rows::packed::<Self>();

    vectorised! {
        fn widen(blocks: &[u8], out: &mut [f32]) {
            each_block(blocks, out, |block: &[u8; BYTES], values: &mut [f32; LEN]| {
                let fifth = &block[16..48];
                for quarter in 0..4 {
                    let quants = block[48 + 32 * quarter..][..32].iter().zip(fifth);
                    let (low, high) = values[64 * quarter..][..64].split_at_mut(32);
                    let (d1, m1) = step_and_min(block, 2 * quarter);
                    let (d2, m2) = step_and_min(block, 2 * quarter + 1);
                    for ((low, high), (q, bits)) in low.iter_mut().zip(high).zip(quants) {
                        let bits = bits >> (2 * quarter);
                        *low = d1 * f32::from((q & 15) | ((bits & 1) << 4)) - m1;
                        *high = d2 * f32::from((q >> 4) | ((bits & 2) << 3)) - m2;
                    }
                }
            });
        }
    }

    fn tame(block: &mut [u8], mut random: impl FnMut() -> f32) {
        put_half(block, 0, random() / 2000.0);
        put_half(block, 2, random() / 64.0);
    }

    #[cfg(test)]
    fn number(block: &[u8], i: usize) -> f32 {
        let byte = block[48 + i / 64 * 32 + i % 32];
        let quant = if i % 64 < 32 { byte & 15 } else { byte >> 4 };
        let fifth = (block[16 + i % 32] >> (i / 32)) & 1;
        number_of(block, i, quant | (fifth << 4))
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::*;

    use super::Q5K;
    use crate::avx512::quant_dot::{QuantDot, Step, bytes_of, halves_of, table, twice, two};
    use crate::avx512::unpack::{Unpack, Unpacked, nibbles_of_64, store_groups};
    use crate::stored::formats::k_scales::steps_and_minima;
    use crate::stored::order::Order;

    impl Unpack for Q5K {
        const MINIMA: bool = true;

        #[inline]
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
        unsafe fn unpack(block: &[u8], into: &mut Unpacked) -> *const i8 {
            // SAFETY: a block begins with 16 such bytes; the steps are 16 numbers, aligned to 64 bytes
            // after 256 bytes of quants.
            unsafe { _mm512_store_ps(into.steps.as_mut_ptr(), steps_and_minima(block.as_ptr())) };
            // SAFETY: the slice has 32 bytes.
            let fifth = unsafe { twice(block[16..48].as_ptr()) };
            let sixteen = _mm512_set1_epi8(16);
            for part in 0..2 {
                let (low, high) = nibbles_of_64(block, 48 + 64 * part);
                // The halves are quarters of the block, each with two bits of its own.
                let bit = |bit: usize| {
                    let first = _mm512_set1_epi8(1 << (4 * part + bit));
                    let second = _mm512_set1_epi8(1 << (4 * part + bit + 2));
                    let bits = _mm512_mask_mov_epi64(first, 0xf0, second);
                    _mm512_test_epi8_mask(fifth, bits)
                };
                let low = _mm512_mask_add_epi8(low, bit(0), low, sixteen);
                let high = _mm512_mask_add_epi8(high, bit(1), high, sixteen);
                store_groups(into, 128 * part, low, high);
            }
            into.quants_mut(0)
        }
    }

    impl QuantDot for Q5K {
        const STEP_BLOCKS: usize = 1;
        const ORDER: Order = Order::Alternate;

        #[inline]
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
        unsafe fn begin(at: *const u8) -> Step {
            // SAFETY: the caller's: 32 bytes of fifth bits after 16.
            unsafe {
                Step {
                    steps: steps_and_minima(at),
                    bits: twice(at.add(16)),
                }
            }
        }

        #[inline]
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
        unsafe fn vector(at: *const u8, step: &Step, v: usize) -> ([__m512; 4], __m512) {
            let (low, high) = (table(0), table(-16));
            // SAFETY: the caller's: 128 bytes of halves after 48.
            let bytes = unsafe { _mm512_loadu_si512(at.add(48 + 64 * (v / 2)).cast()) };
            let group = (4 * (v / 2) + v % 2) as i32;
            // The fifth bit of a byte, bit `group` or the second after it, becomes bit 4 of its byte.
            let fifth = _mm512_rolv_epi32(step.bits, two((4 - group) & 31, (2 - group) & 31));
            // 0xca is a ? b : c.
            let mask = _mm512_set1_epi8(15);
            let five = _mm512_ternarylogic_epi32::<0xca>(mask, halves_of(bytes, v), fifth);
            (
                bytes_of(five).map(|half| _mm512_permutex2var_ps(low, half, high)),
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
