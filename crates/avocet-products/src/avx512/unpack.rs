//! Blocks of ggml with their numbers put in order as signed bytes, with AVX-512.

use std::arch::x86_64::*;

/// Numbers of the largest block.
const NUMBERS: usize = 256;

/// A block with its numbers in order, still to be multiplied.
#[repr(C, align(64))]
pub(super) struct Unpacked {
    quants: [i8; NUMBERS],
    /// A scale for each group, then a minimum for each group where the format has them.
    pub(super) steps: [f32; 16],
}

impl Unpacked {
    pub(super) fn new() -> Self {
        Self {
            quants: [0; NUMBERS],
            steps: [0.0; 16],
        }
    }

    fn quants_mut(&mut self, at: usize) -> *mut i8 {
        self.quants[at..].as_mut_ptr()
    }
}

/// A format of blocks. A number is its quant times the scale of its group, minus the minimum of
/// its group.
pub(super) trait Block {
    /// Numbers of a block, in groups of 32.
    const NUMBERS: usize;
    /// Bytes of a block.
    const BYTES: usize;
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

pub(super) struct Q8_0;
pub(super) struct Q4_0;
pub(super) struct Q4_1;
pub(super) struct Q4K;
pub(super) struct Q5K;
pub(super) struct Q6K;

/// The half-precision number at `place`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn half_at(block: &[u8], place: usize) -> f32 {
    let bits = u16::from_le_bytes([block[place], block[place + 1]]);
    let half = _mm_cvtsi32_si128(i32::from(bits));
    _mm512_cvtss_f32(_mm512_cvtph_ps(_mm256_zextsi128_si256(half)))
}

/// 16 bytes at `place` as 32 halves of bytes: the low ones, then the high ones.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn nibbles(block: &[u8], place: usize) -> __m256i {
    // SAFETY: the slice has 16 bytes.
    let bytes = unsafe { _mm_loadu_si128(block[place..place + 16].as_ptr().cast()) };
    let both =
        _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(bytes), _mm_srli_epi16(bytes, 4));
    _mm256_and_si256(both, _mm256_set1_epi8(15))
}

/// 64 bytes at `place`: their low and their high halves.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn wide_nibbles(block: &[u8], place: usize) -> (__m512i, __m512i) {
    let mask = _mm512_set1_epi8(15);
    // SAFETY: the slice has 64 bytes.
    let bytes = unsafe { _mm512_loadu_si512(block[place..place + 64].as_ptr().cast()) };
    (
        _mm512_and_si512(bytes, mask),
        _mm512_and_si512(_mm512_srli_epi16(bytes, 4), mask),
    )
}

/// 32 bytes at `place`, twice.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn twice(block: &[u8], place: usize) -> __m512i {
    // SAFETY: the slice has 32 bytes.
    let bytes = unsafe { _mm256_loadu_si256(block[place..place + 32].as_ptr().cast()) };
    _mm512_broadcast_i64x4(bytes)
}

/// Stores the groups that the halves of `low` and `high` are: first of each, then second.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn store_groups(into: &mut Unpacked, at: usize, low: __m512i, high: __m512i) {
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

/// The scales and minima of a block that begins d, dmin (f16), 12 bytes of them in 6 bits each.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn steps_and_minima(block: &[u8], into: &mut Unpacked) {
    let word =
        |at: usize| u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]]);
    let (a, b, c) = (word(4), word(8), word(12));
    let six = _mm_set_epi32(
        (((c >> 4) & 0x0f0f_0f0f) | ((b >> 2) & 0x3030_3030)) as i32,
        (b & 0x3f3f_3f3f) as i32,
        ((c & 0x0f0f_0f0f) | ((a >> 2) & 0x3030_3030)) as i32,
        (a & 0x3f3f_3f3f) as i32,
    );
    let six = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(six));
    let halves = _mm512_cvtph_ps(_mm256_zextsi128_si256(_mm_cvtsi32_si128(word(0) as i32)));
    let (zero, one) = (_mm512_setzero_si512(), _mm512_set1_epi32(1));
    let which = _mm512_mask_mov_epi32(zero, 0xff00, one);
    let steps = _mm512_mul_ps(_mm512_permutexvar_ps(which, halves), six);
    // SAFETY: 16 numbers, aligned to 64 bytes after 256 bytes of quants.
    unsafe { _mm512_store_ps(into.steps.as_mut_ptr(), steps) };
}

impl Block for Q8_0 {
    const NUMBERS: usize = 32;
    const BYTES: usize = 34;

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    unsafe fn unpack(block: &[u8], into: &mut Unpacked) -> *const i8 {
        into.steps[0] = half_at(block, 0);
        block[2..34].as_ptr().cast()
    }
}

impl Block for Q4_0 {
    const NUMBERS: usize = 32;
    const BYTES: usize = 18;

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    unsafe fn unpack(block: &[u8], into: &mut Unpacked) -> *const i8 {
        into.steps[0] = half_at(block, 0);
        let quants = _mm256_sub_epi8(nibbles(block, 2), _mm256_set1_epi8(8));
        let out = into.quants_mut(0);
        // SAFETY: there are 32 bytes.
        unsafe { _mm256_storeu_si256(out.cast(), quants) };
        out
    }
}

impl Block for Q4_1 {
    const NUMBERS: usize = 32;
    const BYTES: usize = 20;
    const MINIMA: bool = true;

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    unsafe fn unpack(block: &[u8], into: &mut Unpacked) -> *const i8 {
        into.steps[0] = half_at(block, 0);
        into.steps[1] = -half_at(block, 2);
        let out = into.quants_mut(0);
        // SAFETY: there are 32 bytes.
        unsafe { _mm256_storeu_si256(out.cast(), nibbles(block, 4)) };
        out
    }
}

impl Block for Q4K {
    const NUMBERS: usize = NUMBERS;
    const BYTES: usize = 144;
    const MINIMA: bool = true;

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    unsafe fn unpack(block: &[u8], into: &mut Unpacked) -> *const i8 {
        steps_and_minima(block, into);
        for part in 0..2 {
            let (low, high) = wide_nibbles(block, 16 + 64 * part);
            store_groups(into, 128 * part, low, high);
        }
        into.quants_mut(0)
    }
}

impl Block for Q5K {
    const NUMBERS: usize = NUMBERS;
    const BYTES: usize = 176;
    const MINIMA: bool = true;

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    unsafe fn unpack(block: &[u8], into: &mut Unpacked) -> *const i8 {
        steps_and_minima(block, into);
        let fifth = twice(block, 16);
        let sixteen = _mm512_set1_epi8(16);
        for part in 0..2 {
            let (low, high) = wide_nibbles(block, 48 + 64 * part);
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

impl Block for Q6K {
    const NUMBERS: usize = NUMBERS;
    const BYTES: usize = 210;
    const HALF_GROUPS: bool = true;

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    unsafe fn unpack(block: &[u8], into: &mut Unpacked) -> *const i8 {
        let (upper, zero) = (_mm512_set1_epi8(0x30), _mm512_set1_epi8(32));
        // The halves of a vector are quarters of 128 numbers: their upper bits lie 2 bits apart.
        let left = _mm512_mask_mov_epi64(_mm512_set1_epi16(4), 0xf0, _mm512_set1_epi16(2));
        let right = _mm512_mask_mov_epi64(_mm512_setzero_si512(), 0xf0, _mm512_set1_epi16(2));
        for part in 0..2 {
            let (low, high) = wide_nibbles(block, 64 * part);
            let bits = twice(block, 128 + 32 * part);
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
