//! Dot products with packed blocks that stay in the registers: 64 numbers are one vector, four of
//! them a lane, so that a shift and a table look-up make 16 of them f32.
//!
//! The rows of x are put in the same order once, for all stored rows.

use std::arch::x86_64::*;

use crate::stored::format::GROUP;
use crate::stored::left::Left;
use crate::stored::order::{Order, VECTOR};

/// How far ahead rows are fetched, in bytes.
pub(super) const AHEAD: usize = 4096;

/// What a step keeps in registers.
#[derive(Clone, Copy)]
pub(super) struct Step {
    /// Scales, and minima where the format has them.
    steps: __m512,
    /// Bits that several vectors need.
    bits: __m512i,
}

/// A format read in steps of whole vectors.
pub(super) trait QuantDot {
    /// Numbers of a step.
    const NUMBERS: usize;
    /// Bytes of a step.
    const BYTES: usize;
    /// Which way the numbers lie in the vectors.
    const ORDER: Order;
    /// Whether groups of 32 have minima.
    const MINIMA: bool = false;

    /// Reads what all vectors of a step need.
    ///
    /// # Safety
    ///
    /// AVX-512 must be available, and the step readable.
    unsafe fn begin(at: *const u8) -> Step;

    /// Vector `v` of a step: bytes 0, 1, 2 and 3 of each lane, and the scale of each lane.
    ///
    /// # Safety
    ///
    /// As for [`begin`](QuantDot::begin).
    unsafe fn vector(at: *const u8, step: &Step, v: usize) -> ([__m512; 4], __m512);

    /// The minima of the step's groups, in the first lanes.
    ///
    /// # Safety
    ///
    /// AVX-512 must be available.
    unsafe fn minima(step: &Step) -> __m512;
}

/// Dot products of `line` and N rows of x; of as many numbers as are whole steps.
///
/// # Safety
///
/// AVX-512 must be available, `line` must hold `x.depth` numbers, and `x` at least N rows, which
/// are arranged in the format's order.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) unsafe fn dots<L: QuantDot, const N: usize>(line: &[u8], x: &Left<'_>) -> [f32; N] {
    let groups = x.depth / GROUP;
    let depth = x.depth / (2 * VECTOR) * (2 * VECTOR);
    let arranged = x.arranged(L::ORDER).as_ptr().cast::<f32>();
    let mut sums = [[_mm512_setzero_ps(); 2]; N];
    let mut minima = [_mm512_setzero_ps(); N];
    for (number, bytes) in line.chunks_exact(L::BYTES).enumerate() {
        let at = bytes.as_ptr();
        for ahead in (0..L::BYTES).step_by(64) {
            // Past the end of the line lies another one, or nothing, which does no harm.
            _mm_prefetch::<_MM_HINT_T0>(at.wrapping_add(AHEAD + ahead).cast());
        }
        // SAFETY: the step is whole, and its numbers are as many as those of x that are read.
        unsafe {
            let step = L::begin(at);
            for v in 0..L::NUMBERS / VECTOR {
                let (numbers, scale) = L::vector(at, &step, v);
                for (i, sums) in sums.iter_mut().enumerate() {
                    let x = arranged.add(i * depth + number * L::NUMBERS + v * VECTOR);
                    let sum = _mm512_mul_ps(numbers[0], _mm512_load_ps(x));
                    let sum = _mm512_fmadd_ps(numbers[1], _mm512_load_ps(x.add(16)), sum);
                    let sum = _mm512_fmadd_ps(numbers[2], _mm512_load_ps(x.add(32)), sum);
                    let sum = _mm512_fmadd_ps(numbers[3], _mm512_load_ps(x.add(48)), sum);
                    sums[v % 2] = _mm512_fmadd_ps(sum, scale, sums[v % 2]);
                }
            }
            if L::MINIMA {
                let mask = ((1u32 << (L::NUMBERS / GROUP)) - 1) as u16;
                let minimum = L::minima(&step);
                for (i, sum) in minima.iter_mut().enumerate() {
                    let x = x.group_sums.as_ptr();
                    let x = x.add(i * groups + number * (L::NUMBERS / GROUP));
                    *sum = _mm512_fmadd_ps(minimum, _mm512_maskz_loadu_ps(mask, x), *sum);
                }
            }
        }
    }
    std::array::from_fn(|i| {
        let sum = _mm512_add_ps(sums[i][0], sums[i][1]);
        _mm512_reduce_add_ps(_mm512_sub_ps(sum, minima[i]))
    })
}

/// The numbers 0 to 15, less `zero`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn table(zero: i32) -> __m512 {
    let counted = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    _mm512_cvtepi32_ps(_mm512_sub_epi32(counted, _mm512_set1_epi32(zero)))
}

/// The four bytes of each lane as the lowest.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn bytes_of(v: __m512i) -> [__m512i; 4] {
    [
        v,
        _mm512_srli_epi32::<8>(v),
        _mm512_srli_epi32::<16>(v),
        _mm512_srli_epi32::<24>(v),
    ]
}

/// The low halves of bytes where `v` is even, the high ones where it is odd, as the lowest bits.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn halves_of(bytes: __m512i, v: usize) -> __m512i {
    if v.is_multiple_of(2) {
        bytes
    } else {
        _mm512_srli_epi32::<4>(bytes)
    }
}

/// A vector of which the lower half is `a` and the upper `b`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn two(a: i32, b: i32) -> __m512i {
    _mm512_mask_mov_epi32(_mm512_set1_epi32(a), 0xff00, _mm512_set1_epi32(b))
}

/// A vector of which the quarters are `a`, `b`, `c` and `d`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn four(a: i32, b: i32, c: i32, d: i32) -> __m512i {
    _mm512_setr_epi32(a, a, a, a, b, b, b, b, c, c, c, c, d, d, d, d)
}

/// Eight scales, then eight minima, of a block that begins d, dmin (f16), 12 bytes of them.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn steps_and_minima(at: *const u8) -> __m512 {
    // SAFETY: the caller's: the block begins with 16 such bytes.
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

/// 32 bytes, twice.
///
/// # Safety
///
/// They must be readable.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn twice(at: *const u8) -> __m512i {
    // SAFETY: the caller's.
    _mm512_broadcast_i64x4(unsafe { _mm256_loadu_si256(at.cast()) })
}

/// 16 bytes of each of four blocks of `BYTES` bytes.
///
/// # Safety
///
/// They must be readable.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn of_four_blocks<const BYTES: usize>(at: *const u8) -> __m512i {
    // SAFETY: the caller's.
    unsafe {
        let load = |i: usize| _mm_loadu_si128(at.add(i * BYTES).cast());
        let v = _mm512_castsi128_si512(load(0));
        let v = _mm512_inserti32x4::<1>(v, load(1));
        let v = _mm512_inserti32x4::<2>(v, load(2));
        _mm512_inserti32x4::<3>(v, load(3))
    }
}

impl QuantDot for super::unpack::Q4_0 {
    const NUMBERS: usize = 128;
    const BYTES: usize = 4 * 18;
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

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    unsafe fn minima(_step: &Step) -> __m512 {
        _mm512_setzero_ps()
    }
}

impl QuantDot for super::unpack::Q4_1 {
    const NUMBERS: usize = 128;
    const BYTES: usize = 4 * 20;
    const ORDER: Order = Order::Halves;
    const MINIMA: bool = true;

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

impl QuantDot for super::unpack::Q4K {
    const NUMBERS: usize = 256;
    const BYTES: usize = 144;
    const ORDER: Order = Order::Alternate;
    const MINIMA: bool = true;

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

impl QuantDot for super::unpack::Q5K {
    const NUMBERS: usize = 256;
    const BYTES: usize = 176;
    const ORDER: Order = Order::Alternate;
    const MINIMA: bool = true;

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

impl QuantDot for super::unpack::Q6K {
    const NUMBERS: usize = 256;
    const BYTES: usize = 210;
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

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    unsafe fn minima(_step: &Step) -> __m512 {
        _mm512_setzero_ps()
    }
}
