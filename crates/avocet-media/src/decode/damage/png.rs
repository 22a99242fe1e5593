//! A PNG that its decoder refuses is written anew from what is right in it.
//!
//! Chunks are taken up to the first that is cut off, wrong checksums or not; the pixels are
//! inflated as far as that goes and filled up with black. The new file then goes the way of all
//! PNGs.

use std::io::Write;

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc, Decompress, FlushDecompress, Status};

use super::mended::Mended;
use crate::Limits;

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
/// Chunks beside the pixels that change how they are shown.
const KEPT: [&[u8; 4]; 3] = [b"PLTE", b"tRNS", b"eXIf"];
/// Zeros at the end of a file are room that a download never filled.
const ROOM: usize = 64;
/// Filters of a row are numbered below.
const FILTERS: u8 = 5;
/// Of each pass of an interlaced picture: first column and row, steps across and down.
const PASSES: [[usize; 4]; 7] = [
    [0, 0, 8, 8],
    [4, 0, 8, 8],
    [0, 4, 4, 8],
    [2, 0, 4, 4],
    [0, 2, 2, 4],
    [1, 0, 2, 2],
    [0, 1, 1, 2],
];

/// What the chunks hold.
#[derive(Default)]
struct Chunks<'a> {
    header: &'a [u8],
    kept: Vec<(&'a [u8; 4], &'a [u8])>,
    data: Vec<u8>,
    /// A chunk of pixels that is whole fails its checksum.
    wrong_data: bool,
    /// A palette or the like fails its checksum.
    wrong_beside: bool,
}

/// One run of rows: the picture, or a pass of it.
struct Pass {
    rows: usize,
    pixels: usize,
    /// Bytes of a row, with its filter.
    row_bytes: usize,
}

/// The file written anew; none if not even its header is there, or it is over a limit.
pub(super) fn mend(bytes: &[u8], limits: &Limits) -> Option<Mended> {
    let zeros = bytes.iter().rev().take_while(|byte| **byte == 0).count();
    let there = bytes.len() - if zeros >= ROOM { zeros } else { 0 };
    let chunks = chunks(bytes[..there].strip_prefix(SIGNATURE)?)?;
    let passes = passes(chunks.header)?;
    let total = passes.iter().map(|pass| pass.rows * pass.row_bytes).sum();
    let (width, height) = size(chunks.header)?;
    let size = (width as u32, height as u32);
    limits.check(bytes.len() as u64, size, total as u64).ok()?;
    let (mut rows, is_checked) = inflate(&chunks.data, total)?;

    let (mut missing, mut at) = (0, 0);
    for pass in passes {
        for _ in 0..pass.rows {
            let is_there = rows.len() >= at + pass.row_bytes && rows[at] < FILTERS;
            if !is_there {
                // Behind a row that makes no sense none does.
                rows.truncate(at);
                missing += pass.pixels;
            }
            at += pass.row_bytes;
        }
    }
    rows.resize(total, 0);
    let mut file = SIGNATURE.to_vec();
    push(&mut file, b"IHDR", chunks.header);
    for (name, data) in chunks.kept {
        push(&mut file, name, data);
    }
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(&rows).ok()?;
    push(&mut file, b"IDAT", &encoder.finish().ok()?);
    push(&mut file, b"IEND", b"");
    Some(Mended {
        file,
        missing: missing as f64 / (width * height) as f64,
        // Where either checksum of the pixels is right, they are.
        doubtful: chunks.wrong_beside || chunks.wrong_data && !is_checked,
    })
}

fn chunks(mut rest: &[u8]) -> Option<Chunks<'_>> {
    let mut found = Chunks::default();
    while let Some((length, behind)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        let Some((name, behind)) = behind.split_first_chunk::<4>() else {
            break;
        };
        let data = &behind[..length.min(behind.len())];
        let checksum = behind
            .get(data.len()..)
            .and_then(|rest| rest.first_chunk::<4>());
        let is_wrong = checksum.is_some_and(|sum| u32::from_be_bytes(*sum) != crc(name, data));
        match name {
            _ if found.header.is_empty() => {
                // A wrong checksum of the header shows in pixels that do not fit it.
                found.header = (name == b"IHDR").then_some(data)?;
            }
            b"IDAT" => {
                found.wrong_data |= is_wrong;
                found.data.extend(data);
            }
            b"IEND" => break,
            _ if KEPT.contains(&name) && checksum.is_some() => {
                found.wrong_beside |= is_wrong && name != b"eXIf";
                found.kept.push((name, data));
            }
            // Not even a name: nobody knows where the next one begins.
            _ if !name.iter().all(u8::is_ascii_alphabetic) => break,
            _ => {}
        }
        rest = behind.get(data.len() + 4..).unwrap_or_default();
    }
    Some(found)
}

fn size(header: &[u8]) -> Option<(usize, usize)> {
    let number = |at: usize| Some(u32::from_be_bytes(*header.get(at..)?.first_chunk::<4>()?));
    let (width, height) = (number(0)? as usize, number(4)? as usize);
    let fits = width > 0 && height > 0 && width.checked_mul(height)? <= u32::MAX as usize;
    fits.then_some((width, height))
}

fn passes(header: &[u8]) -> Option<Vec<Pass>> {
    let (width, height) = size(header)?;
    let &[depth, colour, _, _, interlaced] = header.get(8..13)? else {
        return None;
    };
    let channels = match colour {
        0 | 3 => 1,
        4 => 2,
        2 => 3,
        6 => 4,
        _ => return None,
    };
    let pass = |across: usize, rows: usize| Pass {
        rows: if across == 0 { 0 } else { rows },
        pixels: across,
        row_bytes: 1 + (across * channels * usize::from(depth)).div_ceil(8),
    };
    Some(match interlaced {
        0 => vec![pass(width, height)],
        _ => PASSES
            .map(|[column, row, across, down]| {
                let count = |side: usize, first: usize, step: usize| {
                    side.saturating_sub(first).div_ceil(step)
                };
                pass(count(width, column, across), count(height, row, down))
            })
            .into(),
    })
}

/// At most `total` bytes of what inflating gives, and whether its own checksum was there and right.
fn inflate(data: &[u8], total: usize) -> Option<(Vec<u8>, bool)> {
    let mut inflater = Decompress::new(true);
    // One more than needed: the checksum is only looked at behind the last byte.
    let mut out = vec![0; total + 1];
    loop {
        let (taken, given) = (inflater.total_in() as usize, inflater.total_out() as usize);
        if given > total {
            break;
        }
        let status = inflater.decompress(&data[taken..], &mut out[given..], FlushDecompress::None);
        let moved = inflater.total_in() as usize > taken || inflater.total_out() as usize > given;
        match status {
            Ok(Status::StreamEnd) => {
                let given = inflater.total_out() as usize;
                out.truncate(given.min(total));
                return Some((out, given == total));
            }
            Ok(_) if moved => {}
            _ => break,
        }
    }
    out.truncate((inflater.total_out() as usize).min(total));
    Some((out, false))
}

fn crc(name: &[u8], data: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(name);
    crc.update(data);
    crc.sum()
}

fn push(file: &mut Vec<u8>, name: &[u8; 4], data: &[u8]) {
    file.extend((data.len() as u32).to_be_bytes());
    file.extend(name);
    file.extend(data);
    file.extend(crc(name, data).to_be_bytes());
}
