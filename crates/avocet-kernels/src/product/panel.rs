//! Products of f32 numbers with AVX-512: packed operands and a block of C in 26 vector registers.

use std::arch::x86_64::*;
use std::cell::RefCell;
use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::tile::transpose;
use super::{MatMut, MatRef, Values};

/// Lines of a packed group: rows of A or columns of B.
const LINES: usize = 16;
/// Rows of C that the registers hold, times two vectors of columns; with 14 the compiler spills.
const ROWS: usize = 13;
/// Columns of C that the registers hold.
const COLS: usize = 2 * LINES;
/// Depth that is multiplied before C is touched again: 32 columns of it fill 32 KiB.
const PANEL: usize = 256;

/// The numbers of one depth of 16 lines.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Lanes([f32; LINES]);

/// Whether this CPU has what these products need.
pub(super) fn available() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
}

/// A right operand: for each panel of the depth, for each 16 columns, depth after depth.
pub(crate) struct Panels {
    lanes: Vec<Lanes>,
    depth: usize,
    cols: usize,
}

impl Panels {
    /// Packs `b`, on all threads if `parallel`.
    ///
    /// Panics unless [`available`].
    pub(super) fn pack(b: MatRef<'_>, parallel: bool) -> Self {
        assert!(available(), "AVX-512 is needed");
        let (depth, cols) = (b.rows, b.cols);
        let lines = b.transposed();
        let groups = column_groups(cols);
        let total = groups * depth;
        let mut lanes: Vec<Lanes> = Vec::with_capacity(total);
        if total > 0 {
            let parts = &mut lanes.spare_capacity_mut()[..total];
            let each = |(panel, out): (usize, &mut [MaybeUninit<Lanes>])| {
                let from = panel * PANEL;
                let to = depth.min(from + PANEL);
                for (group, out) in out.chunks_exact_mut(to - from).enumerate() {
                    // SAFETY: `available` includes the instructions that packing needs.
                    unsafe { pack(lines, (group * LINES, LINES), (from, to), out) };
                }
            };
            if parallel {
                parts
                    .par_chunks_mut(groups * PANEL)
                    .enumerate()
                    .for_each(each);
            } else {
                parts.chunks_mut(groups * PANEL).enumerate().for_each(each);
            }
            // SAFETY: the chunks covered `total` elements, and packing writes all it is given.
            unsafe { lanes.set_len(total) };
        }
        Self { lanes, depth, cols }
    }

    /// Sets `c` to `a` times these columns, or adds that to it, on the calling thread.
    pub(super) fn product(&self, c: MatMut<'_>, a: MatRef<'_>, accumulate: bool) {
        thread_local! {
            static LEFT: RefCell<Vec<Lanes>> = const { RefCell::new(Vec::new()) };
        }
        assert!(
            c.rows == a.rows && c.cols == self.cols && a.cols == self.depth,
            "shapes"
        );
        if c.rows == 0 || c.cols == 0 {
            return;
        }
        if self.depth == 0 {
            if !accumulate {
                c.data
                    .chunks_mut(c.row_stride)
                    .for_each(|row| row[..c.cols].fill(0.0));
            }
            return;
        }
        // SAFETY: `available` was checked when `self` was made.
        LEFT.with_borrow_mut(|left| unsafe { self.product_with(c, a, accumulate, left) });
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    fn product_with(&self, c: MatMut<'_>, a: MatRef<'_>, accumulate: bool, left: &mut Vec<Lanes>) {
        let groups = column_groups(self.cols);
        // Blocks of nearly equal height: 128 rows are 10 blocks of 13 or 12.
        let blocks = c.rows.div_ceil(ROWS);
        let block_rows = |block: usize| block * c.rows / blocks;
        for from in (0..self.depth).step_by(PANEL) {
            let to = self.depth.min(from + PANEL);
            let depths = to - from;
            left.clear();
            left.reserve(blocks * depths);
            let out = &mut left.spare_capacity_mut()[..blocks * depths];
            for (block, out) in out.chunks_exact_mut(depths).enumerate() {
                let first = block_rows(block);
                pack(a, (first, block_rows(block + 1) - first), (from, to), out);
            }
            // SAFETY: each block wrote its `depths` elements.
            unsafe { left.set_len(blocks * depths) };
            let add = accumulate || from > 0;
            let panel = &self.lanes[from * groups..from * groups + groups * depths];
            for (pair, right) in panel.chunks_exact(2 * depths).enumerate() {
                let (col, (first, second)) = (pair * COLS, right.split_at(depths));
                let cols = (self.cols - col).min(COLS);
                for (block, left) in left.chunks_exact(depths).enumerate() {
                    let (row, end) = (block_rows(block), block_rows(block + 1));
                    let at = row * c.row_stride + col;
                    let len = (end - row - 1) * c.row_stride + cols;
                    let out = &mut c.data[at..at + len];
                    let block = Block {
                        left,
                        right: [first, second],
                        stride: c.row_stride,
                        cols,
                    };
                    block.multiply(out, end - row, add);
                }
            }
        }
    }
}

/// Groups of 16 columns, an even number of them.
fn column_groups(cols: usize) -> usize {
    cols.div_ceil(COLS) * 2
}

/// Packs depths `from..to` of `count` lines from `first`, or fewer where the matrix ends, as one
/// group; missing lines are zeros.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn pack(
    lines: MatRef<'_>,
    (first, count): (usize, usize),
    (from, to): (usize, usize),
    out: &mut [MaybeUninit<Lanes>],
) {
    let count = count.min(lines.rows.saturating_sub(first));
    assert!(to <= lines.cols && out.len() == to - from, "lanes to pack");
    let (line_stride, stride) = (lines.row_stride, lines.col_stride);
    let start = first * line_stride;
    let data = lines.data;
    if stride == 1 && count > 0 {
        for depth in (0..to - from).step_by(LINES) {
            let mask = ones((to - from - depth).min(LINES));
            let mut rows = [_mm512_setzero_si512(); LINES];
            for (i, row) in rows.iter_mut().enumerate().take(count) {
                // SAFETY: masked to the depths of a line inside the matrix.
                *row = unsafe { load(data, start + i * line_stride + from + depth, mask) };
            }
            for (out, row) in out[depth..].iter_mut().zip(transpose(rows)) {
                // SAFETY: `Lanes` is 64 bytes, aligned to 64.
                unsafe { _mm512_store_si512(out.as_mut_ptr().cast(), row) };
            }
        }
    } else if line_stride == 1 && count > 0 {
        for (depth, out) in out.iter_mut().enumerate() {
            // SAFETY: masked to the lines of a depth inside the matrix; `Lanes` is 64 bytes,
            // aligned to 64.
            unsafe {
                let row = load(data, start + (from + depth) * stride, ones(count));
                _mm512_store_si512(out.as_mut_ptr().cast(), row);
            }
        }
    } else {
        for (depth, out) in out.iter_mut().enumerate() {
            let mut lanes = Lanes([0.0; LINES]);
            for (i, lane) in lanes.0.iter_mut().enumerate().take(count) {
                let at = start + i * line_stride + (from + depth) * stride;
                *lane = match data {
                    Values::F32(data) => data[at],
                    Values::Bf16(data) => data[at].to_f32(),
                };
            }
            out.write(lanes);
        }
    }
}

/// A mask of the lowest `count` bits, at most 16.
pub(super) fn ones(count: usize) -> u16 {
    ((1u32 << count) - 1) as u16
}

/// The masked f32 numbers from `at` on, as bits.
///
/// # Safety
///
/// The elements that the mask names must lie inside `data`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) unsafe fn load(data: Values<'_>, at: usize, mask: u16) -> __m512i {
    // SAFETY: the caller's.
    unsafe {
        match data {
            Values::F32(data) => _mm512_maskz_loadu_epi32(mask, data.as_ptr().add(at).cast()),
            Values::Bf16(data) => {
                let half = _mm256_maskz_loadu_epi16(mask, data.as_ptr().add(at).cast());
                _mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16)
            }
        }
    }
}

/// The operands of one block of C.
struct Block<'a> {
    left: &'a [Lanes],
    right: [&'a [Lanes]; 2],
    /// Distance of the rows of C.
    stride: usize,
    /// Columns of C, at most 32.
    cols: usize,
}

impl Block<'_> {
    /// Sets `rows` rows of C, at most 13, or adds to them.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    fn multiply(&self, c: &mut [f32], rows: usize, add: bool) {
        match rows {
            1 => self.rows::<1>(c, add),
            2 => self.rows::<2>(c, add),
            3 => self.rows::<3>(c, add),
            4 => self.rows::<4>(c, add),
            5 => self.rows::<5>(c, add),
            6 => self.rows::<6>(c, add),
            7 => self.rows::<7>(c, add),
            8 => self.rows::<8>(c, add),
            9 => self.rows::<9>(c, add),
            10 => self.rows::<10>(c, add),
            11 => self.rows::<11>(c, add),
            12 => self.rows::<12>(c, add),
            _ => self.rows::<ROWS>(c, add),
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    #[expect(
        clippy::needless_range_loop,
        reason = "plain indices keep the sums in registers"
    )]
    fn rows<const N: usize>(&self, c: &mut [f32], add: bool) {
        assert!(c.len() >= (N - 1) * self.stride + self.cols, "rows of C");
        let mut sums = [[_mm512_setzero_ps(); 2]; N];
        for ((a, b), d) in self.left.iter().zip(self.right[0]).zip(self.right[1]) {
            // SAFETY: `Lanes` is 64 bytes, aligned to 64.
            let (b, d) = unsafe { (_mm512_load_ps(b.0.as_ptr()), _mm512_load_ps(d.0.as_ptr())) };
            for i in 0..N {
                let a = _mm512_set1_ps(a.0[i]);
                sums[i][0] = _mm512_fmadd_ps(a, b, sums[i][0]);
                sums[i][1] = _mm512_fmadd_ps(a, d, sums[i][1]);
            }
        }
        let mask = (u32::MAX).checked_shr(32 - self.cols as u32).unwrap_or(0);
        let masks = [mask as u16, (mask >> 16) as u16];
        for (i, sums) in sums.iter().enumerate() {
            for (half, &sum) in sums.iter().enumerate() {
                let at = c.as_mut_ptr().wrapping_add(i * self.stride + half * LINES);
                // SAFETY: masked to the columns of rows inside `c`, checked above.
                unsafe {
                    let sum = if add {
                        _mm512_add_ps(sum, _mm512_maskz_loadu_ps(masks[half], at))
                    } else {
                        sum
                    };
                    _mm512_mask_storeu_ps(at, masks[half], sum);
                }
            }
        }
    }
}
