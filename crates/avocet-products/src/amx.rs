//! Products of bfloat16 numbers on AMX tile registers: 16 x 16 sums of 32 products in 16 cycles.
//!
//! Stable Rust has no AMX intrinsics, so the few instructions are inline assembly. Sums are f32,
//! taken over the depth in order.

use std::arch::asm;
use std::cell::RefCell;
use std::mem::MaybeUninit;
use std::ops::Range;

use rayon::prelude::*;

use crate::avx512;
use crate::avx512::tile::{self, DEPTH, LINES, Side, TileRow};
use crate::kernels::{Kernels, Packed};
use crate::level::Level;
use crate::matrix::{MatMut, MatRef};

/// Tiles along the depth that are multiplied before C is touched again: as many as keep a pair of
/// right columns in the first cache.
const PANEL: usize = 16;
/// Side of the block of C that the tile registers hold: two tiles by two.
const BLOCK: usize = 2 * LINES;

/// As AVX-512, with bfloat16 numbers on tiles.
pub(crate) const KERNELS: Kernels = Kernels {
    pack_bf16: Some(|b, parallel| Box::new(Tiles::pack(b, parallel))),
    ..avx512::KERNELS
};

/// A right operand as tiles: for each panel of the depth, for each 16 columns, the panel's tiles.
struct Tiles {
    rows: Vec<TileRow>,
    depth: usize,
    cols: usize,
}

impl Packed for Tiles {
    fn product(&self, c: MatMut<'_>, a: MatRef<'_>, accumulate: bool) {
        thread_local! {
            static LEFT: RefCell<Vec<TileRow>> = const { RefCell::new(Vec::new()) };
        }
        LEFT.with_borrow_mut(|left| self.product_with(c, a, accumulate, left));
    }
}

impl Tiles {
    /// Packs `b`, on all threads if `parallel`.
    ///
    /// Panics if the processor lacks AMX.
    fn pack(b: MatRef<'_>, parallel: bool) -> Self {
        assert!(Level::detected() >= Level::Amx, "AMX is needed");
        let (depth, cols) = (b.rows, b.cols);
        let lines = b.transposed();
        let blocks = column_blocks(cols);
        let total = blocks * depth.div_ceil(DEPTH) * LINES;
        let mut rows = Vec::with_capacity(total);
        let panel_rows = blocks * PANEL * LINES;
        let each = |(panel, out): (usize, &mut [MaybeUninit<TileRow>])| {
            // SAFETY: the level includes the instructions that packing needs.
            unsafe {
                tile::pack(
                    lines,
                    panel_depths(panel, depth),
                    0..blocks,
                    Side::Right,
                    out,
                )
            };
        };
        let parts = &mut rows.spare_capacity_mut()[..total];
        if total == 0 {
            return Self { rows, depth, cols };
        }
        if depth.div_ceil(DEPTH) <= PANEL && parallel && blocks >= 8 {
            let tiles = depth.div_ceil(DEPTH);
            let blocks_each = blocks.div_ceil(8).next_multiple_of(2);
            parts
                .par_chunks_mut(blocks_each * tiles * LINES)
                .enumerate()
                .for_each(|(i, out)| {
                    let first = i * blocks_each;
                    let range = first..first + out.len() / (tiles * LINES);
                    // SAFETY: as above.
                    unsafe { tile::pack(lines, (0, depth), range, Side::Right, out) };
                });
        } else if parallel {
            parts.par_chunks_mut(panel_rows).enumerate().for_each(each);
        } else {
            parts.chunks_mut(panel_rows).enumerate().for_each(each);
        }
        // SAFETY: the chunks covered `total` rows, and packing writes every row it is given.
        unsafe { rows.set_len(total) };
        Self { rows, depth, cols }
    }

    /// The tiles of a panel for the 16 columns of `block`.
    fn tiles(&self, panel: usize, block: usize) -> &[TileRow] {
        let (from, to) = panel_depths(panel, self.depth);
        let tiles = (to - from).div_ceil(DEPTH);
        let start = (panel * PANEL * column_blocks(self.cols) + block * tiles) * LINES;
        &self.rows[start..start + tiles * LINES]
    }

    fn product_with(
        &self,
        c: MatMut<'_>,
        a: MatRef<'_>,
        accumulate: bool,
        left: &mut Vec<TileRow>,
    ) {
        let row_blocks = c.rows.div_ceil(BLOCK) * 2;
        let registers = Registers::configure();
        for panel in 0..self.depth.div_ceil(PANEL * DEPTH) {
            let (from, to) = panel_depths(panel, self.depth);
            let tiles = (to - from).div_ceil(DEPTH);
            let total = row_blocks * tiles * LINES;
            left.clear();
            left.reserve(total);
            let out = &mut left.spare_capacity_mut()[..total];
            // SAFETY: the level was checked when `self` was made; packing writes every row.
            unsafe {
                tile::pack(a, (from, to), 0..row_blocks, Side::Left, out);
                left.set_len(total);
            }
            let add = accumulate || panel > 0;
            for col in (0..self.cols).step_by(BLOCK) {
                let right = [col / LINES, col / LINES + 1].map(|block| self.tiles(panel, block));
                for row in (0..c.rows).step_by(BLOCK) {
                    let pair = &left[row / LINES * tiles * LINES..][..2 * tiles * LINES];
                    let (upper, lower) = pair.split_at(tiles * LINES);
                    let shape = (BLOCK.min(c.rows - row), BLOCK.min(self.cols - col));
                    let at = row * c.row_stride + col;
                    if shape == (BLOCK, BLOCK) {
                        let last = (BLOCK - 1) * c.row_stride + BLOCK;
                        let out = &mut c.data[at..at + last];
                        registers.block(out, c.row_stride, [upper, lower], right, add);
                        continue;
                    }
                    // Summed on from C as a full block is, so that a row has the same bits
                    // wherever it falls.
                    let mut edge = [0.0; BLOCK * BLOCK];
                    let lines = |i: usize| at + i * c.row_stride..at + i * c.row_stride + shape.1;
                    if add {
                        for (i, edge) in edge.chunks_exact_mut(BLOCK).take(shape.0).enumerate() {
                            edge[..shape.1].copy_from_slice(&c.data[lines(i)]);
                        }
                    }
                    registers.block(&mut edge, BLOCK, [upper, lower], right, add);
                    for (i, edge) in edge.chunks_exact(BLOCK).take(shape.0).enumerate() {
                        c.data[lines(i)].copy_from_slice(&edge[..shape.1]);
                    }
                }
            }
        }
    }
}

/// Blocks of 16 columns, an even number of them.
fn column_blocks(cols: usize) -> usize {
    cols.div_ceil(BLOCK) * 2
}

/// The depths of a panel, from and to.
fn panel_depths(panel: usize, depth: usize) -> (usize, usize) {
    let Range { start, end } = panel * PANEL * DEPTH..(panel + 1) * PANEL * DEPTH;
    (start, end.min(depth))
}

/// The tile registers of this thread, configured as eight full tiles until dropped.
struct Registers;

impl Registers {
    fn configure() -> Self {
        #[repr(C, align(64))]
        struct Config([u8; 64]);
        let mut config = Config([0; 64]);
        config.0[0] = 1;
        for tile in 0..8 {
            config.0[16 + 2 * tile] = 64;
            config.0[48 + tile] = LINES as u8;
        }
        // SAFETY: only made of tiles, which need the level; the configuration is a valid palette 1.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &config, options(nostack, readonly)) };
        Self
    }

    /// Sets 32 x 32 numbers of C, rows `stride` apart, to the product of two blocks of left lines
    /// and two of right lines, or adds it.
    fn block(
        &self,
        c: &mut [f32],
        stride: usize,
        left: [&[TileRow]; 2],
        right: [&[TileRow]; 2],
        add: bool,
    ) {
        let len = left[0].len();
        assert!(
            len > 0 && len.is_multiple_of(LINES) && c.len() >= (BLOCK - 1) * stride + BLOCK,
            "a block of C and its tiles"
        );
        assert!(
            [left[1], right[0], right[1]].iter().all(|t| t.len() == len),
            "equal depths"
        );
        let c0 = c.as_mut_ptr();
        let bytes = stride * size_of::<f32>();
        // SAFETY: C holds 32 rows of 32 numbers and each operand `len` rows of 64 bytes, checked
        // above. Compiled code never holds values in tile registers.
        unsafe {
            let c1 = c0.add(LINES * stride);
            if add {
                asm!(
                    "tileloadd tmm0, [{c0} + {s}*1]",
                    "tileloadd tmm1, [{c0} + {s}*1 + 64]",
                    "tileloadd tmm2, [{c1} + {s}*1]",
                    "tileloadd tmm3, [{c1} + {s}*1 + 64]",
                    c0 = in(reg) c0, c1 = in(reg) c1, s = in(reg) bytes,
                    options(nostack, readonly),
                );
            } else {
                asm!(
                    "tilezero tmm0",
                    "tilezero tmm1",
                    "tilezero tmm2",
                    "tilezero tmm3",
                    options(nostack, nomem),
                );
            }
            asm!(
                "2:",
                "tileloadd tmm4, [{a0} + {s}*1]",
                "tileloadd tmm6, [{b0} + {s}*1]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tileloadd tmm5, [{a1} + {s}*1]",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "tileloadd tmm7, [{b1} + {s}*1]",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "add {a0}, 1024",
                "add {a1}, 1024",
                "add {b0}, 1024",
                "add {b1}, 1024",
                "dec {n}",
                "jnz 2b",
                a0 = inout(reg) left[0].as_ptr() => _,
                a1 = inout(reg) left[1].as_ptr() => _,
                b0 = inout(reg) right[0].as_ptr() => _,
                b1 = inout(reg) right[1].as_ptr() => _,
                n = inout(reg) len / LINES => _,
                s = in(reg) 64usize,
                options(nostack, readonly),
            );
            asm!(
                "tilestored [{c0} + {s}*1], tmm0",
                "tilestored [{c0} + {s}*1 + 64], tmm1",
                "tilestored [{c1} + {s}*1], tmm2",
                "tilestored [{c1} + {s}*1 + 64], tmm3",
                c0 = in(reg) c0, c1 = in(reg) c1, s = in(reg) bytes,
                options(nostack),
            );
        }
    }
}

impl Drop for Registers {
    fn drop(&mut self) {
        // SAFETY: releasing tile registers is always allowed where they exist.
        unsafe { asm!("tilerelease", options(nostack, nomem)) };
    }
}
