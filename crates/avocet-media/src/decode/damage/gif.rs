//! A GIF whose first frame is cut off is written anew: the frame's codes are read as far as they
//! go and filled up with the ground.

use weezl::{BitOrder, LzwStatus};

use super::mended::Mended;
use crate::Limits;

/// Pixels that are written at once.
const PIECE: usize = 64 << 10;

/// A first frame, as far as it is there.
struct Frame<'a> {
    /// All before it.
    front: &'a [u8],
    /// Its place, its size and its own colours.
    descriptor: &'a [u8],
    code_bits: u8,
    codes: Vec<u8>,
    width: usize,
    height: usize,
}

/// The file with its first frame alone; none if that frame does not even begin.
pub(super) fn mend(bytes: &[u8], limits: &Limits) -> Option<Mended> {
    let frame = first_frame(bytes)?;
    let total = frame.width * frame.height;
    let size = (frame.width as u32, frame.height as u32);
    limits.check(bytes.len() as u64, size, total as u64).ok()?;
    if total == 0 || !(1..=8).contains(&frame.code_bits) {
        return None;
    }
    let mut pixels = Vec::new();
    let mut decoder = weezl::decode::Decoder::new(BitOrder::Lsb, frame.code_bits);
    let (mut codes, mut piece) = (&frame.codes[..], vec![0; PIECE]);
    while pixels.len() < total {
        let result = decoder.decode_bytes(codes, &mut piece);
        pixels.extend(&piece[..result.consumed_out]);
        codes = &codes[result.consumed_in..];
        let moved = result.consumed_in + result.consumed_out > 0;
        if !matches!(result.status, Ok(LzwStatus::Ok)) || !moved {
            break;
        }
    }
    pixels.truncate(total);
    let missing = 1.0 - pixels.len() as f64 / total as f64;
    let ground = bytes.get(11).copied().unwrap_or(0);
    let most = (1_u16 << frame.code_bits) - 1;
    pixels.resize(total, ground.min(most as u8));
    let codes = weezl::encode::Encoder::new(BitOrder::Lsb, frame.code_bits);
    let codes = { codes }.encode(&pixels).ok()?;
    let mut file = frame.front.to_vec();
    file.extend(frame.descriptor);
    file.push(frame.code_bits);
    for block in codes.chunks(255) {
        file.push(block.len() as u8);
        file.extend(block);
    }
    file.extend([0, 0x3b]);
    Some(Mended {
        file,
        missing,
        doubtful: false,
    })
}

fn first_frame(bytes: &[u8]) -> Option<Frame<'_>> {
    let mut at = 13 + colours(*bytes.get(10)?);
    while *bytes.get(at)? != 0x2c {
        if bytes[at] != 0x21 {
            return None;
        }
        at += 2;
        while *bytes.get(at)? != 0 {
            at += usize::from(bytes[at]) + 1;
        }
        at += 1;
    }
    let front = &bytes[..at];
    let side = |at: usize| {
        Some(usize::from(u16::from_le_bytes(
            *bytes.get(at..)?.first_chunk()?,
        )))
    };
    let (width, height) = (side(at + 5)?, side(at + 7)?);
    let end = at + 10 + colours(*bytes.get(at + 9)?);
    let descriptor = bytes.get(at..end)?;
    let code_bits = *bytes.get(end)?;
    let (mut at, mut codes) = (end + 1, Vec::new());
    while let Some(&length) = bytes.get(at).filter(|length| **length > 0) {
        let end = (at + 1 + usize::from(length)).min(bytes.len());
        codes.extend(&bytes[at + 1..end]);
        at = end;
    }
    Some(Frame {
        front,
        descriptor,
        code_bits,
        codes,
        width,
        height,
    })
}

/// Bytes of the table of colours that flags announce.
fn colours(flags: u8) -> usize {
    match flags & 0x80 {
        0 => 0,
        _ => 3 << ((flags & 7) + 1),
    }
}
