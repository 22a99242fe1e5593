//! Tiles of bfloat16 numbers, the operands of products on AMX tile registers.
//!
//! A tile is 16 lines of 32 numbers of the shared dimension, the depth: rows of A or columns of
//! B. As the left operand it holds line after line; as the right operand it holds the numbers of
//! two neighbouring depths of all 16 lines, then those of the next two.

use std::arch::x86_64::*;

use crate::matrix::{MatRef, Values};

/// Lines of a tile.
pub(crate) const LINES: usize = 16;
/// Depth of a tile.
pub(crate) const DEPTH: usize = 32;

/// A sixteenth of a tile: what a row of a tile register holds.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct TileRow(pub(crate) [u16; DEPTH]);

/// On which side of the product a tile stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

/// Packs the tiles of `lines.rows` lines (rounded up to `blocks` blocks of 16) and the depths
/// `from..to` into `out`: all tiles of the first 16 lines, then those of the next.
///
/// What lies outside the matrix is filled with zeros. `out` must hold
/// `blocks * (to - from).div_ceil(32)` tiles.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
pub(crate) fn pack(
    lines: MatRef<'_>,
    (from, to): (usize, usize),
    blocks: std::ops::Range<usize>,
    side: Side,
    out: &mut [std::mem::MaybeUninit<TileRow>],
) {
    let tiles = (to - from).div_ceil(DEPTH);
    assert!(
        to <= lines.cols && out.len() >= blocks.len() * tiles * LINES,
        "tiles to pack"
    );
    let mut out = out.chunks_exact_mut(LINES);
    for block in blocks {
        let first = block * LINES;
        let count = lines.rows.saturating_sub(first).min(LINES);
        for tile in 0..tiles {
            let depth = from + tile * DEPTH;
            let source = Source {
                lines,
                first,
                count,
                depth,
                depths: (to - depth).min(DEPTH),
            };
            let rows = source.rows(side);
            if let Some(out) = out.next() {
                for (out, row) in out.iter_mut().zip(rows) {
                    // SAFETY: `TileRow` is 64 bytes, aligned to 64.
                    unsafe { _mm512_store_si512(out.as_mut_ptr().cast(), row) };
                }
            }
        }
    }
}

/// Packs the depths `from..to` of one line, neighbours in memory, into pairs; what lies beyond
/// `to` is filled with zeros. `out` must hold 16 pairs for each 32 depths begun.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
pub(crate) fn pack_line(
    lines: MatRef<'_>,
    line: usize,
    (from, to): (usize, usize),
    out: &mut [u32],
) {
    assert!(
        lines.col_stride == 1 && line < lines.rows && to <= lines.cols,
        "a line to pack"
    );
    let start = line * lines.row_stride;
    let depths = (from..to).step_by(DEPTH);
    for (depth, out) in depths.zip(out.chunks_exact_mut(DEPTH / 2)) {
        let source = Source {
            lines,
            first: line,
            count: 1,
            depth,
            depths: (to - depth).min(DEPTH),
        };
        // SAFETY: masked to the depths of a line inside the matrix, checked above; `out` holds 16
        // numbers of 32 bits.
        unsafe {
            let [pairs, ..] = match lines.data {
                Values::F32(data) => source.f32_by_line(data.as_ptr().add(start + depth)),
                Values::Bf16(data) => source.bf16_by_line(data.as_ptr().add(start + depth).cast()),
            };
            _mm512_storeu_si512(out.as_mut_ptr().cast(), pairs);
        }
    }
}

/// The part of a matrix that becomes one tile.
struct Source<'a> {
    lines: MatRef<'a>,
    first: usize,
    count: usize,
    depth: usize,
    depths: usize,
}

impl Source<'_> {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    fn rows(&self, side: Side) -> [__m512i; LINES] {
        let MatRef {
            data,
            row_stride,
            col_stride,
            ..
        } = self.lines;
        if self.count == 0 {
            return [_mm512_setzero_si512(); LINES];
        }
        let start = self.first * row_stride + self.depth * col_stride;
        let by_line = col_stride == 1;
        // SAFETY: `MatRef` checked that all its elements lie inside `data`; the loads below touch
        // `count` lines from `first` and `depths` depths from `depth`, all inside the matrix.
        let rows = unsafe {
            match data {
                Values::F32(data) if by_line => self.f32_by_line(data.as_ptr().add(start)),
                Values::F32(data) if row_stride == 1 => self.f32_by_pair(data.as_ptr().add(start)),
                Values::Bf16(data) if by_line => self.bf16_by_line(data.as_ptr().add(start).cast()),
                Values::Bf16(data) if row_stride == 1 => {
                    self.bf16_by_pair(data.as_ptr().add(start).cast())
                }
                _ => self.one_by_one(),
            }
        };
        let by_pair = !by_line && row_stride == 1;
        if by_pair == (side == Side::Right) {
            rows
        } else {
            transpose(rows)
        }
    }

    /// Lines whose depths are neighbours in memory.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    unsafe fn f32_by_line(&self, start: *const f32) -> [__m512i; LINES] {
        let mask = ones(self.depths);
        let mut rows = [_mm512_setzero_si512(); LINES];
        for (i, row) in rows.iter_mut().enumerate().take(self.count) {
            // SAFETY: masked to the depths of a line inside the matrix.
            unsafe {
                let at = start.add(i * self.lines.row_stride);
                let low = _mm512_maskz_loadu_ps(mask as u16, at);
                let high = _mm512_maskz_loadu_ps((mask >> 16) as u16, at.wrapping_add(16));
                *row = bits(_mm512_cvtne2ps_pbh(high, low));
            }
        }
        rows
    }

    /// Depths whose lines are neighbours in memory.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    unsafe fn f32_by_pair(&self, start: *const f32) -> [__m512i; LINES] {
        let mask = ones(self.count) as u16;
        let order = interleaving();
        let mut rows = [_mm512_setzero_si512(); LINES];
        for (i, row) in rows.iter_mut().enumerate().take(self.depths.div_ceil(2)) {
            let second = if 2 * i + 1 < self.depths { mask } else { 0 };
            // SAFETY: masked to the lines of a depth inside the matrix.
            unsafe {
                let at = start.wrapping_add(2 * i * self.lines.col_stride);
                let low = _mm512_maskz_loadu_ps(mask, at);
                let high = _mm512_maskz_loadu_ps(second, at.wrapping_add(self.lines.col_stride));
                *row = _mm512_permutexvar_epi16(order, bits(_mm512_cvtne2ps_pbh(high, low)));
            }
        }
        rows
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    unsafe fn bf16_by_line(&self, start: *const i16) -> [__m512i; LINES] {
        let mask = ones(self.depths);
        let mut rows = [_mm512_setzero_si512(); LINES];
        for (i, row) in rows.iter_mut().enumerate().take(self.count) {
            // SAFETY: masked to the depths of a line inside the matrix.
            *row = unsafe { _mm512_maskz_loadu_epi16(mask, start.add(i * self.lines.row_stride)) };
        }
        rows
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    unsafe fn bf16_by_pair(&self, start: *const i16) -> [__m512i; LINES] {
        let mask = ones(self.count) as u16;
        let order = interleaving();
        let mut rows = [_mm512_setzero_si512(); LINES];
        for (i, row) in rows.iter_mut().enumerate().take(self.depths.div_ceil(2)) {
            let second = if 2 * i + 1 < self.depths { mask } else { 0 };
            // SAFETY: masked to the lines of a depth inside the matrix.
            unsafe {
                let at = start.wrapping_add(2 * i * self.lines.col_stride);
                let low = _mm256_maskz_loadu_epi16(mask, at);
                let high = _mm256_maskz_loadu_epi16(second, at.wrapping_add(self.lines.col_stride));
                let both = _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
                *row = _mm512_permutexvar_epi16(order, both);
            }
        }
        rows
    }

    /// Any strides, as lines; too rare to be worth more than a copy.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    fn one_by_one(&self) -> [__m512i; LINES] {
        let mut rows = [_mm512_setzero_si512(); LINES];
        for (i, row) in rows.iter_mut().enumerate().take(self.count) {
            let mut line = TileRow([0; DEPTH]);
            for (j, out) in line.0.iter_mut().enumerate().take(self.depths) {
                let at = (self.first + i) * self.lines.row_stride
                    + (self.depth + j) * self.lines.col_stride;
                *out = match self.lines.data {
                    Values::F32(data) => half::bf16::from_f32(data[at]).to_bits(),
                    Values::Bf16(data) => data[at].to_bits(),
                };
            }
            // SAFETY: `TileRow` is 64 bytes, aligned to 64.
            *row = unsafe { _mm512_load_si512(line.0.as_ptr().cast()) };
        }
        rows
    }
}

/// A mask of the lowest `count` bits.
fn ones(count: usize) -> u32 {
    u32::MAX.checked_shr(32 - count as u32).unwrap_or(0)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn bits(v: __m512bh) -> __m512i {
    // SAFETY: both are 512 bits without invalid patterns.
    unsafe { std::mem::transmute(v) }
}

/// The permutation 0, 16, 1, 17, ..: two halves of 16 become 16 pairs.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn interleaving() -> __m512i {
    let mut order = [0i16; DEPTH];
    for (i, o) in order.iter_mut().enumerate() {
        *o = (i / 2 + i % 2 * 16) as i16;
    }
    // SAFETY: 32 numbers of 16 bits.
    unsafe { _mm512_loadu_epi16(order.as_ptr()) }
}

/// Exchanges rows and columns of 16 x 16 pairs.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn transpose(r: [__m512i; LINES]) -> [__m512i; LINES] {
    let mut t = r;
    for i in (0..LINES).step_by(2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    let mut u = t;
    for i in (0..LINES).step_by(4) {
        u[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        u[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        u[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        u[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    // The 128-bit lane L of u[4 i + j] now holds rows 4 i .. 4 i + 4 of column 4 L + j.
    let mut out = u;
    for j in 0..4 {
        let a = _mm512_shuffle_i32x4(u[j], u[4 + j], 0x88);
        let b = _mm512_shuffle_i32x4(u[j], u[4 + j], 0xdd);
        let c = _mm512_shuffle_i32x4(u[8 + j], u[12 + j], 0x88);
        let d = _mm512_shuffle_i32x4(u[8 + j], u[12 + j], 0xdd);
        out[j] = _mm512_shuffle_i32x4(a, c, 0x88);
        out[4 + j] = _mm512_shuffle_i32x4(b, d, 0x88);
        out[8 + j] = _mm512_shuffle_i32x4(a, c, 0xdd);
        out[12 + j] = _mm512_shuffle_i32x4(b, d, 0xdd);
    }
    out
}
