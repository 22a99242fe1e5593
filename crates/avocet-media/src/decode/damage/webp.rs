//! A WebP that is cut off is filled up in two ways, and what comes out alike does not depend on
//! the filling: that is what was there.

use image::{DynamicImage, GenericImageView};

use crate::Limits;

/// Ways to fill a file up that are tried until two of them decode.
const FILLINGS: u64 = 6;
/// Zeros at the end of a file that are room which a download never filled.
const ROOM: usize = 256;

/// The picture and the share of it that is missing; none if too little is there to decode.
pub(super) fn salvage(
    bytes: &[u8],
    limits: &Limits,
    decode: impl Fn(&[u8]) -> Option<DynamicImage>,
) -> Option<(DynamicImage, f64)> {
    let length = number(bytes, 4)? + 8;
    let there = bytes.len() - if has_room(bytes) { zeros(bytes) } else { 0 };
    // So few bytes never are most of the picture, and filling up has its limits too.
    if there >= length || there < length / 4 || length as u64 > limits.max_file_bytes {
        return None;
    }
    let mut decoded =
        (0..FILLINGS).filter_map(|seed| decode(&filled(&bytes[..there], length, seed)));
    let (first, second) = (decoded.next()?, decoded.next()?);
    let (width, height) = first.dimensions();
    if second.dimensions() != (width, height) {
        return None;
    }
    let row = |image: &DynamicImage| image.as_bytes().len() / height as usize;
    let pairs = first
        .as_bytes()
        .chunks(row(&first))
        .zip(second.as_bytes().chunks(row(&second)));
    let alike = pairs.take_while(|(first, second)| first == second).count();
    Some((first, 1.0 - alike as f64 / f64::from(height)))
}

/// Whether the file ends in zeros that nobody wrote: they decode, but into nothing that was there.
pub(super) fn has_room(bytes: &[u8]) -> bool {
    zeros(bytes) >= ROOM
}

fn zeros(bytes: &[u8]) -> usize {
    bytes.iter().rev().take_while(|byte| **byte == 0).count()
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?) as usize)
}

/// Where the size of the pixels' chunk stands, if that is what is cut off at the end of `bytes`.
fn cut_chunk(bytes: &[u8]) -> Option<usize> {
    let mut at = 12;
    loop {
        let (name, length) = (bytes.get(at..at + 4)?, number(bytes, at + 4)?);
        let end = at.checked_add(8 + length)?;
        if end > bytes.len() {
            return name.starts_with(b"VP8").then_some(at + 4);
        }
        at = end + length % 2;
    }
}

/// `bytes` filled up to `length` with what no encoder writes.
fn filled(bytes: &[u8], length: usize, seed: u64) -> Vec<u8> {
    let mut file = bytes.to_vec();
    let mut length = length;
    // Such data take more bytes than a picture does: without room the decoder would run out.
    if let Some(at) = cut_chunk(bytes) {
        let more = length & !1;
        for at in [4, at] {
            let size = number(bytes, at).unwrap_or(0).saturating_add(more);
            file[at..at + 4].copy_from_slice(&(size as u32).to_le_bytes());
        }
        length += more;
    }
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    file.resize_with(length, || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(seed);
        (state >> 56) as u8
    });
    file
}
