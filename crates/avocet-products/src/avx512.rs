//! Products with AVX-512.

pub(crate) mod pairs;
pub(crate) mod panel;
mod quant_dot;
pub(crate) mod rows;
pub(crate) mod tile;
mod unpack;
