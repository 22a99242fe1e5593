//! Functions of the levels with AVX-512.

mod lanes;
mod pairs;
mod panel;
pub(crate) mod plain;
pub(crate) mod quant_dot;
pub(crate) mod rows;
mod thin;
pub(crate) mod tile;
pub(crate) mod unpack;

use crate::kernels::Kernels;
use pairs::Pairs;
use panel::{Single, pack_right};

/// AVX-512 alone.
pub(crate) const KERNELS: Kernels = Kernels {
    pack_f32: Some(pack_right::<Single>),
    pack_bf16: None,
    add_dots: thin::add_dots,
    add_lanes: lanes::add_lanes,
    rows: |format| &format.avx512,
};

/// The same with products of bfloat16 numbers.
pub(crate) const WITH_BF16: Kernels = Kernels {
    pack_bf16: Some(pack_right::<Pairs>),
    ..KERNELS
};
