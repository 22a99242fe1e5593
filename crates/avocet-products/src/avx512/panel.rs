//! Products with AVX-512: packed operands and a block of C in 26 vector registers.
//!
//! How numbers are packed and multiplied is a [`Packing`]: [`Single`] here, f32 numbers as they
//! are; pairs of bfloat16 numbers in the neighbouring file.

use std::arch::x86_64::*;
use std::cell::RefCell;
use std::marker::PhantomData;
use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::tile::transpose;
use crate::kernels::Packed;
use crate::level::Level;
use crate::matrix::{MatMut, MatRef, Values};

/// Lines of a packed group: rows of A or columns of B.
pub(super) const LINES: usize = 16;
/// Rows of C that the registers hold, times two vectors of columns; with 14 the compiler spills.
pub(super) const ROWS: usize = 13;
/// Columns of C that the registers hold.
const COLS: usize = 2 * LINES;
/// Steps that are multiplied before C is touched again: 32 columns of them fill 32 KiB.
pub(super) const PANEL: usize = 256;

/// What one step of the depth takes from 16 lines: one vector register.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Lanes(pub(super) [u32; LINES]);

/// How numbers are packed and multiplied.
pub(super) trait Packing: Send + Sync + 'static {
    /// Numbers of a line that a lane holds.
    const DEPTHS: usize;

    /// The lowest level that has the instructions.
    const LEVEL: Level;

    /// Steps that `depths` of the depth are packed as, at most [`PANEL`]` * `[`Packing::DEPTHS`].
    fn steps(depths: usize) -> usize;

    /// Packs depths `from..to` of `count` lines from `first`, or fewer where the matrix ends, as
    /// one group; missing lines are zeros. Writes all of `out`, which holds the steps of
    /// `to - from` depths.
    ///
    /// # Safety
    ///
    /// The processor must have the level.
    unsafe fn pack(
        lines: MatRef<'_>,
        first_and_count: (usize, usize),
        from_and_to: (usize, usize),
        out: &mut [MaybeUninit<Lanes>],
    );

    /// Packs depths `from..to` of one line whose depths are neighbours in memory, lane after lane,
    /// into `out`, which is as long as the steps of `to - from` depths.
    ///
    /// # Safety
    ///
    /// The processor must have the level.
    unsafe fn pack_line(
        lines: MatRef<'_>,
        line: usize,
        from_and_to: (usize, usize),
        out: &mut [u32],
    );

    /// Sets `rows` rows of C, at most 13, to a product, or adds it to them.
    ///
    /// # Safety
    ///
    /// The processor must have the level.
    unsafe fn multiply(block: &Block<'_>, c: &mut [f32], rows: usize, add: bool);
}

/// f32 numbers, one a lane.
pub(super) struct Single;

/// A right operand: for each panel of the depth, for each 16 columns, step after step.
struct Panels<P> {
    lanes: Vec<Lanes>,
    depth: usize,
    cols: usize,
    format: PhantomData<P>,
}

/// Packs `b` into panels, on all threads if `parallel`.
///
/// Panics unless the processor has the level.
pub(super) fn pack_right<P: Packing>(b: MatRef<'_>, parallel: bool) -> Box<dyn Packed> {
    Box::new(Panels::<P>::pack(b, parallel))
}

impl<P: Packing> Packed for Panels<P> {
    fn product(&self, c: MatMut<'_>, a: MatRef<'_>, accumulate: bool) {
        thread_local! {
            static LEFT: RefCell<Vec<Lanes>> = const { RefCell::new(Vec::new()) };
        }
        LEFT.with_borrow_mut(|left| self.product_with(c, a, accumulate, left));
    }
}

impl<P: Packing> Panels<P> {
    /// Packs `b`, on all threads if `parallel`.
    ///
    /// Panics unless the processor has the level.
    fn pack(b: MatRef<'_>, parallel: bool) -> Self {
        assert!(Level::detected() >= P::LEVEL, "{:?} is needed", P::LEVEL);
        let (depth, cols) = (b.rows, b.cols);
        let lines = b.transposed();
        let groups = column_groups(cols);
        let total = groups * all_steps::<P>(depth);
        let mut lanes: Vec<Lanes> = Vec::with_capacity(total);
        if total > 0 {
            let parts = &mut lanes.spare_capacity_mut()[..total];
            let each = |(panel, out): (usize, &mut [MaybeUninit<Lanes>])| {
                let from = panel * PANEL * P::DEPTHS;
                let to = depth.min(from + PANEL * P::DEPTHS);
                for (group, out) in out.chunks_exact_mut(P::steps(to - from)).enumerate() {
                    // SAFETY: the processor has the level.
                    unsafe { P::pack(lines, (group * LINES, LINES), (from, to), out) };
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
        Self {
            lanes,
            depth,
            cols,
            format: PhantomData,
        }
    }

    fn product_with(&self, c: MatMut<'_>, a: MatRef<'_>, accumulate: bool, left: &mut Vec<Lanes>) {
        let groups = column_groups(self.cols);
        // Blocks of nearly equal height: 128 rows are 10 blocks of 13 or 12.
        let blocks = c.rows.div_ceil(ROWS);
        let block_rows = |block: usize| block * c.rows / blocks;
        for (panel, right) in self.lanes.chunks(groups * PANEL).enumerate() {
            let from = panel * PANEL * P::DEPTHS;
            let to = self.depth.min(from + PANEL * P::DEPTHS);
            let steps = P::steps(to - from);
            let order = Order::of(&a);
            let block_lanes = order.lanes(steps);
            if left.len() < blocks * block_lanes {
                left.resize(blocks * block_lanes, Lanes([0; LINES]));
            }
            let left = &mut left[..blocks * block_lanes];
            for (block, out) in left.chunks_exact_mut(block_lanes).enumerate() {
                let rows = block_rows(block)..block_rows(block + 1);
                // SAFETY: the processor had the level when `self` was made; numbers that are
                // there may be overwritten without being read.
                unsafe {
                    match order {
                        Order::BySteps => {
                            let out = std::slice::from_raw_parts_mut(
                                out.as_mut_ptr().cast::<MaybeUninit<Lanes>>(),
                                out.len(),
                            );
                            P::pack(a, (rows.start, rows.len()), (from, to), out);
                        }
                        Order::ByLines => {
                            let out = numbers_mut(out);
                            for (row, out) in rows.zip(out.chunks_exact_mut(PANEL)) {
                                P::pack_line(a, row, (from, to), &mut out[..steps]);
                            }
                        }
                    }
                }
            }
            let add = accumulate || from > 0;
            for (pair, right) in right.chunks_exact(2 * steps).enumerate() {
                let (col, (first, second)) = (pair * COLS, right.split_at(steps));
                let cols = (self.cols - col).min(COLS);
                for (block, left) in left.chunks_exact(block_lanes).enumerate() {
                    let (row, end) = (block_rows(block), block_rows(block + 1));
                    let at = row * c.row_stride + col;
                    let len = (end - row - 1) * c.row_stride + cols;
                    let out = &mut c.data[at..at + len];
                    let block = Block {
                        left: numbers(left),
                        order,
                        right: [first, second],
                        stride: c.row_stride,
                        cols,
                    };
                    // SAFETY: as above.
                    unsafe { P::multiply(&block, out, end - row, add) };
                }
            }
        }
    }
}

/// How the left operand of a block of C is packed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Step after step, each [`LINES`] lanes: for lines that are neighbours in memory.
    BySteps,
    /// Line after line, each [`PANEL`] lanes: for depths that are neighbours in memory, which
    /// saves a transposition. The fixed distance leaves a line's address to the instruction.
    ByLines,
}

impl Order {
    fn of(a: &MatRef<'_>) -> Self {
        if a.col_stride == 1 {
            Self::ByLines
        } else {
            Self::BySteps
        }
    }

    /// Registers' worth of lanes that a block's left operand takes.
    fn lanes(self, steps: usize) -> usize {
        match self {
            Self::BySteps => steps,
            Self::ByLines => ROWS * PANEL / LINES,
        }
    }
}

fn numbers(lanes: &[Lanes]) -> &[u32] {
    // SAFETY: `Lanes` is 16 numbers without padding.
    unsafe { std::slice::from_raw_parts(lanes.as_ptr().cast(), lanes.len() * LINES) }
}

fn numbers_mut(lanes: &mut [Lanes]) -> &mut [u32] {
    // SAFETY: as above.
    unsafe { std::slice::from_raw_parts_mut(lanes.as_mut_ptr().cast(), lanes.len() * LINES) }
}

/// Groups of 16 columns, an even number of them.
fn column_groups(cols: usize) -> usize {
    cols.div_ceil(COLS) * 2
}

/// Steps of a whole depth.
fn all_steps<P: Packing>(depth: usize) -> usize {
    let panel = PANEL * P::DEPTHS;
    depth / panel * PANEL + P::steps(depth % panel)
}

impl Packing for Single {
    const DEPTHS: usize = 1;

    const LEVEL: Level = Level::Avx512;

    fn steps(depths: usize) -> usize {
        depths
    }

    unsafe fn pack(
        lines: MatRef<'_>,
        first_and_count: (usize, usize),
        from_and_to: (usize, usize),
        out: &mut [MaybeUninit<Lanes>],
    ) {
        // SAFETY: the caller's.
        unsafe { pack(lines, first_and_count, from_and_to, out) };
    }

    unsafe fn pack_line(
        lines: MatRef<'_>,
        line: usize,
        (from, to): (usize, usize),
        out: &mut [u32],
    ) {
        let start = line * lines.row_stride;
        match lines.data {
            Values::F32(data) => {
                for (out, v) in out.iter_mut().zip(&data[start + from..start + to]) {
                    *out = v.to_bits();
                }
            }
            Values::Bf16(data) => {
                for (out, v) in out.iter_mut().zip(&data[start + from..start + to]) {
                    *out = u32::from(v.to_bits()) << 16;
                }
            }
        }
    }

    unsafe fn multiply(block: &Block<'_>, c: &mut [f32], rows: usize, add: bool) {
        // SAFETY: the caller's.
        unsafe { multiply(block, c, rows, add) };
    }
}

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
            let mut lanes = Lanes([0; LINES]);
            for (i, lane) in lanes.0.iter_mut().enumerate().take(count) {
                let at = start + i * line_stride + (from + depth) * stride;
                *lane = match data {
                    Values::F32(data) => data[at].to_bits(),
                    Values::Bf16(data) => data[at].to_f32().to_bits(),
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
pub(super) struct Block<'a> {
    pub(super) left: &'a [u32],
    pub(super) order: Order,
    pub(super) right: [&'a [Lanes]; 2],
    /// Distance of the rows of C.
    pub(super) stride: usize,
    /// Columns of C, at most 32.
    pub(super) cols: usize,
}

/// Defines `multiply`, as in [`Packing::multiply`], from the instructions that it needs and an
/// expression for `sum + a b` of vectors of packed numbers `a` and `b`.
macro_rules! multiply_blocks {
    ($features:literal, |$sum:ident, $a:ident, $b:ident| $step:expr) => {
        #[target_feature(enable = $features)]
        fn multiply(block: &Block<'_>, c: &mut [f32], rows: usize, add: bool) {
            match block.order {
                Order::BySteps => multiply_order::<false>(block, c, rows, add),
                Order::ByLines => multiply_order::<true>(block, c, rows, add),
            }
        }

        #[target_feature(enable = $features)]
        fn multiply_order<const BY_LINES: bool>(
            block: &Block<'_>,
            c: &mut [f32],
            rows: usize,
            add: bool,
        ) {
            match rows {
                1 => multiply_rows::<1, BY_LINES>(block, c, add),
                2 => multiply_rows::<2, BY_LINES>(block, c, add),
                3 => multiply_rows::<3, BY_LINES>(block, c, add),
                4 => multiply_rows::<4, BY_LINES>(block, c, add),
                5 => multiply_rows::<5, BY_LINES>(block, c, add),
                6 => multiply_rows::<6, BY_LINES>(block, c, add),
                7 => multiply_rows::<7, BY_LINES>(block, c, add),
                8 => multiply_rows::<8, BY_LINES>(block, c, add),
                9 => multiply_rows::<9, BY_LINES>(block, c, add),
                10 => multiply_rows::<10, BY_LINES>(block, c, add),
                11 => multiply_rows::<11, BY_LINES>(block, c, add),
                12 => multiply_rows::<12, BY_LINES>(block, c, add),
                _ => multiply_rows::<ROWS, BY_LINES>(block, c, add),
            }
        }

        #[target_feature(enable = $features)]
        // Plain indices keep the sums in registers.
        fn multiply_rows<const N: usize, const BY_LINES: bool>(
            block: &Block<'_>,
            c: &mut [f32],
            add: bool,
        ) {
            let (of_line, of_step) = if BY_LINES { (PANEL, 1) } else { (1, LINES) };
            let steps = block.right[0].len();
            assert!(
                steps > 0 && block.left.len() > (N - 1) * of_line + (steps - 1) * of_step,
                "the left operand of a block"
            );
            let mut sums = [[_mm512_setzero_ps(); 2]; N];
            for (step, (b0, b1)) in block.right[0].iter().zip(block.right[1]).enumerate() {
                // SAFETY: `Lanes` is 64 bytes, aligned to 64.
                let (b0, b1) = unsafe {
                    (
                        _mm512_load_si512(b0.0.as_ptr().cast()),
                        _mm512_load_si512(b1.0.as_ptr().cast()),
                    )
                };
                for i in 0..N {
                    // SAFETY: inside the left operand, checked above.
                    let a = unsafe { block.left.get_unchecked(i * of_line + step * of_step) };
                    let $a = _mm512_set1_epi32(*a as i32);
                    let ($sum, $b) = (sums[i][0], b0);
                    sums[i][0] = $step;
                    let ($sum, $b) = (sums[i][1], b1);
                    sums[i][1] = $step;
                }
            }
            // Stored here and not by a function of its own, so that the sums never need an address.
            assert!(c.len() >= (N - 1) * block.stride + block.cols, "rows of C");
            let mask = (u32::MAX).checked_shr(32 - block.cols as u32).unwrap_or(0);
            let masks = [mask as u16, (mask >> 16) as u16];
            for (i, sums) in sums.iter().enumerate() {
                for (half, &sum) in sums.iter().enumerate() {
                    let at = c.as_mut_ptr().wrapping_add(i * block.stride + half * LINES);
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
    };
}
pub(super) use multiply_blocks;

multiply_blocks!("avx512f,avx512bw,avx512vl", |sum, a, b| {
    _mm512_fmadd_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b), sum)
});
