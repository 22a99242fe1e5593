//! A BMP that is cut off is filled up: with black rows, or with the mark that ends a packed one.

use super::mended::Mended;
use crate::Limits;

/// What the header says about where the pixels lie.
struct Layout {
    start: usize,
    width: usize,
    height: usize,
    bits: usize,
    /// 1 and 2 are runs of pixels of eight and four bits.
    packing: u32,
}

/// The file filled up; none if its header is not whole, or nothing is missing that could be named.
pub(super) fn mend(bytes: &[u8], limits: &Limits) -> Option<Mended> {
    let layout = layout(bytes)?;
    let size = (layout.width as u32, layout.height as u32);
    let mut file = bytes.to_vec();
    let missing = match layout.packing {
        0 | 3 | 6 => {
            let row = (layout.width * layout.bits).div_ceil(32) * 4;
            let total = row.checked_mul(layout.height)?;
            limits.check(bytes.len() as u64, size, total as u64).ok()?;
            let there = bytes.len().saturating_sub(layout.start) / row.max(1);
            file.resize(layout.start + total, 0);
            1.0 - there.min(layout.height) as f64 / layout.height as f64
        }
        1 | 2 => {
            let total = layout.width.checked_mul(layout.height)?;
            limits.check(bytes.len() as u64, size, total as u64).ok()?;
            let (pixels, end) = runs(bytes, &layout)?;
            file.truncate(end);
            file.extend([0, 1]);
            1.0 - pixels.min(total) as f64 / total as f64
        }
        _ => return None,
    };
    Some(Mended {
        file,
        missing,
        doubtful: false,
    })
}

fn layout(bytes: &[u8]) -> Option<Layout> {
    let long = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let short = |at: usize| Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let start = long(10)? as usize;
    let found = match long(14)? {
        12 => Layout {
            start,
            width: short(18)?.into(),
            height: short(20)?.into(),
            bits: short(24)?.into(),
            packing: 0,
        },
        _ => Layout {
            start,
            width: usize::try_from(long(18)? as i32).ok()?,
            height: (long(22)? as i32).unsigned_abs() as usize,
            bits: short(28)?.into(),
            packing: long(30)?,
        },
    };
    (found.width > 0 && found.height > 0 && start < bytes.len()).then_some(found)
}

/// How many pixels the runs get to, and where the last whole one ends.
fn runs(bytes: &[u8], layout: &Layout) -> Option<(usize, usize)> {
    let (mut x, mut y, mut at) = (0, 0, layout.start);
    while let Some(&[count, value]) = bytes.get(at..at + 2) {
        let mut length = 2;
        match (count, value) {
            (0, 0) => (x, y) = (0, y + 1),
            // The end: what is not written is meant not to be.
            (0, 1) => return Some((layout.width * layout.height, at)),
            (0, 2) => {
                let Some(&[right, up]) = bytes.get(at + 2..at + 4) else {
                    break;
                };
                (x, y) = (x + usize::from(right), y + usize::from(up));
                length = 4;
            }
            (0, _) => {
                let pixels = usize::from(value);
                let packed = if layout.packing == 1 {
                    pixels
                } else {
                    pixels.div_ceil(2)
                };
                length += packed.next_multiple_of(2);
                if at + length > bytes.len() {
                    break;
                }
                x += pixels;
            }
            _ => x += usize::from(count),
        }
        at += length;
    }
    Some((y * layout.width + x.min(layout.width), at))
}
