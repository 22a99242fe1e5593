//! Scales and minima of the K formats: a block begins d, dmin (f16), then 12 bytes of 8 scales and 8
//! minima, 6 bits each.

use crate::stored::format::half_at;

#[cfg(target_arch = "x86_64")]
pub(crate) use avx512::steps_and_minima;

/// Step and minimum of the `j`-th eighth of a block; `get_scale_min_k4`.
#[inline(always)]
pub(super) fn step_and_min(block: &[u8], j: usize) -> (f32, f32) {
    let packed = &block[4..16];
    let (scale, min) = if j < 4 {
        (packed[j] & 63, packed[j + 4] & 63)
    } else {
        let low = packed[j + 4];
        (
            (low & 15) | ((packed[j - 4] >> 6) << 4),
            (low >> 4) | ((packed[j] >> 6) << 4),
        )
    };
    let d = half_at(block, 0) * f32::from(scale);
    (d, half_at(block, 2) * f32::from(min))
}

/// Number `i` of a block, of which `quant` are the bits.
#[cfg(test)]
pub(super) fn number_of(block: &[u8], i: usize, quant: u8) -> f32 {
    let (packed, group) = (&block[4..16], i / 32);
    let (scale, min) = if group < 4 {
        (packed[group] & 63, packed[group + 4] & 63)
    } else {
        (
            (packed[group + 4] & 15) | ((packed[group - 4] >> 6) << 4),
            (packed[group + 4] >> 4) | ((packed[group] >> 6) << 4),
        )
    };
    half_at(block, 0) * f32::from(scale) * f32::from(quant) - half_at(block, 2) * f32::from(min)
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::*;

    use crate::avx512::quant_dot::two;

    /// Eight scales, then eight minima, of a block that begins d, dmin (f16), 12 bytes of them.
    ///
    /// # Safety
    ///
    /// The first 16 bytes must be readable.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    pub(crate) unsafe fn steps_and_minima(at: *const u8) -> __m512 {
        // SAFETY: the caller's.
        let head = unsafe { _mm_loadu_si128(at.cast()) };
        let first = _mm_srlv_epi32(
            _mm_shuffle_epi32::<0b10_10_01_01>(head),
            _mm_setr_epi32(0, 2, 0, 2),
        );
        let last = _mm_srlv_epi32(
            _mm_shuffle_epi32::<0b11_11_11_11>(head),
            _mm_setr_epi32(0, 0, 0, 4),
        );
        let six = _mm_or_si128(
            _mm_and_si128(
                first,
                _mm_setr_epi32(0x3f3f_3f3f, 0x3030_3030, 0x3f3f_3f3f, 0x3030_3030),
            ),
            _mm_and_si128(last, _mm_setr_epi32(0, 0x0f0f_0f0f, 0, 0x0f0f_0f0f)),
        );
        let halves = _mm512_cvtph_ps(_mm256_zextsi128_si256(head));
        let halves = _mm512_permutexvar_ps(two(0, 1), halves);
        _mm512_mul_ps(halves, _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(six)))
    }
}
