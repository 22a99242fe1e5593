//! Blocks of ggml with their numbers put in order as signed bytes, with AVX-512.

use std::arch::x86_64::*;

use crate::stored::format::Format;

/// Numbers of the largest block.
const NUMBERS: usize = 256;

/// A block with its numbers in order, still to be multiplied.
#[repr(C, align(64))]
pub(crate) struct Unpacked {
    quants: [i8; NUMBERS],
    /// A scale for each group, then a minimum for each group where the format has them.
    pub(crate) steps: [f32; 16],
}

impl Unpacked {
    pub(crate) fn new() -> Self {
        Self {
            quants: [0; NUMBERS],
            steps: [0.0; 16],
        }
    }

    pub(crate) fn quants_mut(&mut self, at: usize) -> *mut i8 {
        self.quants[at..].as_mut_ptr()
    }
}

/// A format of blocks, in groups of 32 numbers. A number is its quant times the scale of its group,
/// minus the minimum of its group.
pub(crate) trait Unpack: Format {
    /// Whether each half of a group has a scale of its own.
    const HALF_GROUPS: bool = false;
    /// Whether groups have minima.
    const MINIMA: bool = false;

    /// Writes the scales and minima of `block`; where its quants lie, in it or in `into`.
    ///
    /// # Safety
    ///
    /// AVX-512 must be available. The quants are there while `block` and `into` are borrowed.
    unsafe fn unpack(block: &[u8], into: &mut Unpacked) -> *const i8;
}

/// The half-precision number at `place`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(crate) fn half_at(block: &[u8], place: usize) -> f32 {
    let bits = u16::from_le_bytes([block[place], block[place + 1]]);
    let half = _mm_cvtsi32_si128(i32::from(bits));
    _mm512_cvtss_f32(_mm512_cvtph_ps(_mm256_zextsi128_si256(half)))
}

/// 16 bytes at `place` as 32 halves of bytes: the low ones, then the high ones.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(crate) fn nibbles_of_16(block: &[u8], place: usize) -> __m256i {
    // SAFETY: the slice has 16 bytes.
    let bytes = unsafe { _mm_loadu_si128(block[place..place + 16].as_ptr().cast()) };
    let both =
        _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(bytes), _mm_srli_epi16(bytes, 4));
    _mm256_and_si256(both, _mm256_set1_epi8(15))
}

/// 64 bytes at `place`: their low and their high halves.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(crate) fn nibbles_of_64(block: &[u8], place: usize) -> (__m512i, __m512i) {
    let mask = _mm512_set1_epi8(15);
    // SAFETY: the slice has 64 bytes.
    let bytes = unsafe { _mm512_loadu_si512(block[place..place + 64].as_ptr().cast()) };
    (
        _mm512_and_si512(bytes, mask),
        _mm512_and_si512(_mm512_srli_epi16(bytes, 4), mask),
    )
}

/// Stores the groups that the halves of `low` and `high` are: first of each, then second.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(crate) fn store_groups(into: &mut Unpacked, at: usize, low: __m512i, high: __m512i) {
    let groups = [
        _mm512_castsi512_si256(low),
        _mm512_castsi512_si256(high),
        _mm512_extracti64x4_epi64::<1>(low),
        _mm512_extracti64x4_epi64::<1>(high),
    ];
    for (out, group) in into.quants[at..at + 128].chunks_exact_mut(32).zip(groups) {
        // SAFETY: the chunk has 32 bytes.
        unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), group) };
    }
}
