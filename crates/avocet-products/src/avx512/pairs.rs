//! Products of bfloat16 numbers with AVX-512: twice the products of f32 an instruction, where the
//! CPU has no tile registers. Sums are f32.

use std::arch::x86_64::*;
use std::mem::MaybeUninit;

use super::panel::{Block, LINES, Lanes, Order, PANEL, Packing, ROWS, multiply_blocks};
use super::tile::{self, DEPTH, Side};
use crate::level::Level;
use crate::matrix::MatRef;

/// bfloat16 numbers, two neighbouring depths a lane.
pub(super) struct Pairs;

impl Packing for Pairs {
    const DEPTHS: usize = 2;

    const LEVEL: Level = Level::Avx512Bf16;

    /// Whole tiles of 16 steps.
    fn steps(depths: usize) -> usize {
        depths.div_ceil(DEPTH) * LINES
    }

    unsafe fn pack(
        lines: MatRef<'_>,
        (first, count): (usize, usize),
        (from, to): (usize, usize),
        out: &mut [MaybeUninit<Lanes>],
    ) {
        let lines = lines.rows(first.min(lines.rows), lines.rows.min(first + count));
        // SAFETY: the caller's; a row of a tile and the lanes of a step are both 64 bytes, aligned
        // to 64, of which every pattern is valid.
        unsafe {
            let out = std::slice::from_raw_parts_mut(out.as_mut_ptr().cast(), out.len());
            tile::pack(lines, (from, to), 0..1, Side::Right, out);
        }
    }

    unsafe fn pack_line(
        lines: MatRef<'_>,
        line: usize,
        (from, to): (usize, usize),
        out: &mut [u32],
    ) {
        // SAFETY: the caller's.
        unsafe { tile::pack_line(lines, line, (from, to), out) };
    }

    unsafe fn multiply(block: &Block<'_>, c: &mut [f32], rows: usize, add: bool) {
        // SAFETY: the caller's.
        unsafe { multiply(block, c, rows, add) };
    }
}

multiply_blocks!("avx512f,avx512bw,avx512vl,avx512bf16", |sum, a, b| {
    // SAFETY: both are 512 bits without invalid patterns.
    let (a, b) = unsafe {
        (
            std::mem::transmute::<__m512i, __m512bh>(a),
            std::mem::transmute::<__m512i, __m512bh>(b),
        )
    };
    _mm512_dpbf16_ps(sum, a, b)
});
