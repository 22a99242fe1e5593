//! `block_q6_K`: 128 bytes of low halves, 64 bytes of upper pairs of bits, 16 scales (i8), d (f16); 32
//! stands for zero.

use crate::stored::format::{Format, each_block, half_at, put_half};
use crate::vectorised;

/// 16 times 16 numbers of 6 bits, scales of 8 bits.
pub(crate) struct Q6K;

const LEN: usize = 256;
const BYTES: usize = 210;

impl Format for Q6K {
    const BLOCK_LEN: usize = LEN;
    const BLOCK_BYTES: usize = BYTES;
    #[cfg(target_arch = "x86_64")]
    const AVX512: crate::stored::format::RowKernels = crate::avx512::rows::packed::<Self>();

    vectorised! {
        fn widen(blocks: &[u8], out: &mut [f32]) {
            each_block(blocks, out, |block: &[u8; BYTES], values: &mut [f32; LEN]| {
                let d = half_at(block, 208);
                for part in 0..2 {
                    let low = &block[64 * part..][..64];
                    let upper = &block[128 + 32 * part..][..32];
                    let scales = &block[192 + 8 * part..][..8];
                    let values = values[128 * part..][..128].chunks_exact_mut(32);
                    for (quarter, values) in values.enumerate() {
                        let low = &low[32 * (quarter % 2)..][..32];
                        let shift = 4 * (quarter / 2);
                        for (half, values) in values.chunks_exact_mut(16).enumerate() {
                            let step = d * f32::from(scales[2 * quarter + half] as i8);
                            let quants = low[16 * half..].iter().zip(&upper[16 * half..]);
                            for (y, (q, bits)) in values.iter_mut().zip(quants) {
                                let number =
                                    ((q >> shift) & 15) | (((bits >> (2 * quarter)) & 3) << 4);
                                *y = step * (f32::from(number) - 32.0);
                            }
                        }
                    }
                }
            });
        }
    }

    fn tame(block: &mut [u8], mut random: impl FnMut() -> f32) {
        put_half(block, 208, random() / 4000.0);
    }

    #[cfg(test)]
    fn number(block: &[u8], i: usize) -> f32 {
        let (part, within) = (i / 128, i % 128);
        let byte = block[64 * part + within % 64];
        let low = if within < 64 { byte & 15 } else { byte >> 4 };
        let upper = (block[128 + 32 * part + within % 32] >> (2 * (within / 32))) & 3;
        let scale = f32::from(block[192 + i / 16] as i8);
        half_at(block, 208) * scale * (f32::from(low | (upper << 4)) - 32.0)
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::*;

    use super::Q6K;
    use crate::avx512::quant_dot::{QuantDot, Step, four, halves_of, twice, two};
    use crate::avx512::unpack::{Unpack, Unpacked, half_at, nibbles_of_64};
    use crate::stored::order::Order;

    impl Unpack for Q6K {
        const HALF_GROUPS: bool = true;

        #[inline]
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
        unsafe fn unpack(block: &[u8], into: &mut Unpacked) -> *const i8 {
            let (upper, zero) = (_mm512_set1_epi8(0x30), _mm512_set1_epi8(32));
            // The halves of a vector are quarters of 128 numbers: their upper bits lie 2 bits apart.
            let left = _mm512_mask_mov_epi64(_mm512_set1_epi16(4), 0xf0, _mm512_set1_epi16(2));
            let right = _mm512_mask_mov_epi64(_mm512_setzero_si512(), 0xf0, _mm512_set1_epi16(2));
            for part in 0..2 {
                let (low, high) = nibbles_of_64(block, 64 * part);
                // SAFETY: the slice has 32 bytes.
                let bits = unsafe { twice(block[128 + 32 * part..][..32].as_ptr()) };
                // 0xea is (a and b) or c.
                let first =
                    _mm512_ternarylogic_epi64::<0xea>(_mm512_sllv_epi16(bits, left), upper, low);
                let second =
                    _mm512_ternarylogic_epi64::<0xea>(_mm512_srlv_epi16(bits, right), upper, high);
                let out = into.quants_mut(128 * part);
                // SAFETY: 128 bytes from a multiple of 128 on, aligned to 64.
                unsafe {
                    _mm512_store_si512(out.cast(), _mm512_sub_epi8(first, zero));
                    _mm512_store_si512(out.add(64).cast(), _mm512_sub_epi8(second, zero));
                }
            }
            // SAFETY: the slice has 16 bytes.
            let scales = unsafe { _mm_loadu_si128(block[192..208].as_ptr().cast()) };
            let scales = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(scales));
            let steps = _mm512_mul_ps(_mm512_set1_ps(half_at(block, 208)), scales);
            // SAFETY: 16 numbers, aligned to 64 bytes after 256 bytes of quants.
            unsafe { _mm512_store_ps(into.steps.as_mut_ptr(), steps) };
            into.quants_mut(0)
        }
    }

    impl QuantDot for Q6K {
        const STEP_BLOCKS: usize = 1;
        const ORDER: Order = Order::Plain;

        #[inline]
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
        unsafe fn begin(at: *const u8) -> Step {
            // SAFETY: the caller's: 16 scales and d after 192 bytes.
            let (scales, d) = unsafe {
                (
                    _mm_loadu_si128(at.add(192).cast()),
                    at.add(208).cast::<i16>().read_unaligned(),
                )
            };
            let scales = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(scales));
            let d = _mm512_cvtph_ps(_mm256_set1_epi16(d));
            // Vectors hold numbers times 2^24.
            let d = _mm512_mul_ps(d, _mm512_set1_ps(1.0 / (1u32 << 24) as f32));
            Step {
                steps: _mm512_mul_ps(d, scales),
                bits: _mm512_setzero_si512(),
            }
        }

        #[inline]
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
        unsafe fn vector(at: *const u8, step: &Step, v: usize) -> ([__m512; 4], __m512) {
            let (part, odd) = (v / 2, (v % 2) as i32);
            // SAFETY: the caller's: 128 bytes of halves, then 64 of upper bits.
            let (bytes, upper) = unsafe {
                (
                    _mm512_loadu_si512(at.add(64 * part).cast()),
                    twice(at.add(128 + 32 * part)),
                )
            };
            // The two upper bits of a byte, from bit 4 v or 4 v + 2 on, become bits 4 and 5 of it.
            let upper = _mm512_rolv_epi32(upper, two(4 - 4 * odd, (2 - 4 * odd) & 31));
            let mask = _mm512_set1_epi8(15);
            let six = _mm512_ternarylogic_epi32::<0xca>(mask, halves_of(bytes, v), upper);
            let six = _mm512_and_si512(six, _mm512_set1_epi8(63));
            let six = _mm512_sub_epi8(six, _mm512_set1_epi8(32));
            let top = _mm512_set1_epi32(0xff00_0000u32 as i32);
            let numbers = [
                _mm512_slli_epi32::<24>(six),
                _mm512_and_si512(_mm512_slli_epi32::<16>(six), top),
                _mm512_and_si512(_mm512_slli_epi32::<8>(six), top),
                _mm512_and_si512(six, top),
            ];
            let scale = 4 * v as i32;
            (
                numbers.map(|v| _mm512_cvtepi32_ps(v)),
                _mm512_permutexvar_ps(four(scale, scale + 1, scale + 2, scale + 3), step.steps),
            )
        }
    }
}
