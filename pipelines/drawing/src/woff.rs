//! WOFF files (<https://www.w3.org/TR/WOFF/>): an OpenType font whose tables are packed one by
//! one. Sizes in the file are a stranger's word and are checked.

use std::io::Read;

use flate2::read::ZlibDecoder;

/// Bytes of the file's header, and of a row of its table of tables.
const HEADER: usize = 44;
const ROW: usize = 20;
/// The largest font taken, unpacked: fonts of Chinese have 20 MiB.
const MOST: usize = 32 << 20;

/// Whether the bytes are a WOFF file.
pub(crate) fn is_packed(bytes: &[u8]) -> bool {
    bytes.starts_with(b"wOFF")
}

/// The OpenType font in a WOFF file.
///
/// Errors with what is wrong with the file.
pub(crate) fn unpacked(bytes: &[u8]) -> Result<Vec<u8>, &'static str> {
    const SHORT: &str = "a WOFF file that ends too early";
    let word = |at: usize| -> Result<[u8; 4], &'static str> {
        let bytes = bytes.get(at..at + 4).ok_or(SHORT)?;
        bytes.try_into().map_err(|_| SHORT)
    };
    let number = |at: usize| Ok::<usize, &'static str>(u32::from_be_bytes(word(at)?) as usize);
    let count = u16::from_be_bytes(
        bytes
            .get(12..14)
            .and_then(|two| two.try_into().ok())
            .ok_or(SHORT)?,
    );
    let tables = usize::from(count);
    // Readers search the table by halving: the fields after the count tell how.
    let power = count.checked_ilog2().ok_or("a WOFF file of no tables")?;
    let range = 16u16
        .checked_shl(power)
        .filter(|_| power < 12)
        .ok_or("a WOFF file of too many tables")?;
    let mut font = word(4)?.to_vec();
    for field in [count, range, power as u16, (count * 16).wrapping_sub(range)] {
        font.extend(field.to_be_bytes());
    }
    let mut data = Vec::new();
    for table in 0..tables {
        let row = HEADER + table * ROW;
        let (start, packed, length) = (number(row + 4)?, number(row + 8)?, number(row + 12)?);
        let end = start.checked_add(packed).ok_or(SHORT)?;
        let packed_bytes = bytes.get(start..end).ok_or(SHORT)?;
        if length > MOST || data.len() + length > MOST {
            return Err("a WOFF file of a font that is too large");
        }
        let offset = 12 + tables * 16 + data.len();
        font.extend(word(row)?);
        font.extend(word(row + 16)?);
        font.extend((offset as u32).to_be_bytes());
        font.extend((length as u32).to_be_bytes());
        let before = data.len();
        if packed == length {
            data.extend_from_slice(packed_bytes);
        } else {
            ZlibDecoder::new(packed_bytes)
                .take(length as u64 + 1)
                .read_to_end(&mut data)
                .map_err(|_| "a WOFF file with a table that does not unpack")?;
        }
        if data.len() - before != length {
            return Err("a WOFF file with a table of another length than it says");
        }
        data.resize(data.len().next_multiple_of(4), 0);
    }
    font.append(&mut data);
    Ok(font)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ab_glyph::{Font, FontVec};
    use flate2::Compression;
    use flate2::write::ZlibEncoder;
    use std::io::Write;

    const FONT: &[u8] = include_bytes!("../../../tests/golden/ComicNeue-Regular.otf");

    /// Packs an OpenType font, as the programs do that make WOFF files.
    fn packed(font: &[u8]) -> Vec<u8> {
        let number = |at: usize| u32::from_be_bytes(font[at..at + 4].try_into().unwrap()) as usize;
        let tables = usize::from(u16::from_be_bytes([font[4], font[5]]));
        let mut head = b"wOFF".to_vec();
        head.extend(&font[..4]);
        head.extend([0; 4]);
        head.extend(&font[4..6]);
        head.resize(HEADER, 0);
        let mut data = Vec::new();
        for table in 0..tables {
            let row = 12 + table * 16;
            let (start, length) = (number(row + 8), number(row + 12));
            let plain = &font[start..start + length];
            let mut zip = ZlibEncoder::new(Vec::new(), Compression::best());
            zip.write_all(plain).unwrap();
            let small = zip.finish().unwrap();
            let kept = if small.len() < length { &small } else { plain };
            let place = HEADER + tables * ROW + data.len();
            head.extend(&font[row..row + 4]);
            for field in [place, kept.len(), length] {
                head.extend((field as u32).to_be_bytes());
            }
            head.extend(&font[row + 4..row + 8]);
            data.extend_from_slice(kept);
        }
        head.extend(data);
        head
    }

    #[test]
    fn a_packed_font_has_the_outlines_of_the_font() {
        let packed = packed(FONT);
        assert!(is_packed(&packed) && !is_packed(FONT));
        let again = FontVec::try_from_vec(unpacked(&packed).unwrap()).unwrap();
        let font = FontVec::try_from_vec(FONT.to_vec()).unwrap();
        for c in ['a', 'Q', '7'] {
            let outline = |font: &FontVec| font.outline(font.glyph_id(c)).unwrap().curves.len();
            assert_eq!(outline(&again), outline(&font), "{c}");
        }
    }

    #[test]
    fn a_file_cut_or_lying_about_its_sizes_is_refused() {
        let packed = packed(FONT);
        for length in [5, 13, 43, 50, 300, packed.len() - 1] {
            assert!(unpacked(&packed[..length]).is_err(), "{length}");
        }
        let mut lying = packed.clone();
        lying[HEADER + 12..HEADER + 16].copy_from_slice(&u32::MAX.to_be_bytes());
        assert_eq!(
            unpacked(&lying),
            Err("a WOFF file of a font that is too large")
        );
        lying = packed;
        lying[12..14].copy_from_slice(&u16::MAX.to_be_bytes());
        assert!(unpacked(&lying).is_err());
    }
}
