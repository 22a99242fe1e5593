//! A first look at a TIFF's directory, before the decoder believes it.
//!
//! The decoder reserves memory for every entry by the count the entry claims; here an entry that
//! claims more than the file holds is refused first.

/// Walks the first directory of a TIFF or BigTIFF.
///
/// Errors if it, or the values of an entry, would lie past the end of the file.
pub(super) fn check_directory(bytes: &[u8]) -> Result<(), String> {
    let little = bytes.starts_with(b"II");
    let number = |at: u64, length: u64| -> Result<u64, String> {
        let end = at
            .checked_add(length)
            .filter(|&end| end <= bytes.len() as u64);
        let end = end.ok_or_else(|| format!("it refers to byte {at} of {}", bytes.len()))?;
        let digits = &bytes[at as usize..end as usize];
        let join = |value: u64, &byte: &u8| value << 8 | u64::from(byte);
        Ok(match little {
            true => digits.iter().rev().fold(0, join),
            false => digits.iter().fold(0, join),
        })
    };
    let big = number(2, 2)? == 43;
    // Bytes of an offset, of the number of entries, of an entry.
    let (word, counter, entry) = if big { (8, 8, 20) } else { (4, 2, 12) };
    let start = number(word, word)?;
    let entries = number(start, counter)?;
    let first = start + counter;
    for index in 0..entries {
        let at = index
            .checked_mul(entry)
            .and_then(|skip| first.checked_add(skip));
        let at = at.ok_or_else(|| format!("its directory has {entries} entries"))?;
        let (tag, kind, count) = (number(at, 2)?, number(at + 2, 2)?, number(at + 4, word)?);
        let size = match kind {
            3 | 8 => 2,
            4 | 9 | 11 | 13 => 4,
            5 | 10 | 12 | 16 | 17 | 18 => 8,
            _ => 1,
        };
        let length = count.saturating_mul(size);
        if length > bytes.len() as u64 {
            return Err(format!(
                "entry {tag} claims {length} bytes; the file has {}",
                bytes.len()
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiff(entries: &[[u8; 12]]) -> Vec<u8> {
        let mut file = b"II*\0\x08\0\0\0".to_vec();
        file.extend((entries.len() as u16).to_le_bytes());
        file.extend(entries.concat());
        file.extend([0; 4]);
        file
    }

    #[test]
    fn an_honest_directory_passes() {
        assert_eq!(
            check_directory(&tiff(&[[0x12, 1, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0]])),
            Ok(())
        );
        assert_eq!(check_directory(&tiff(&[])), Ok(()));
    }

    #[test]
    fn a_count_beyond_the_file_is_refused_with_both_numbers() {
        let file = tiff(&[[0x11, 1, 4, 0, 0, 0, 0, 8, 0, 0, 0, 0]]);
        let error = check_directory(&file).unwrap_err();
        assert!(
            error.contains("536870912") && error.contains("26"),
            "{error}"
        );
        assert!(check_directory(b"II*\0\xff\xff\xff\xff").is_err());
        assert!(check_directory(b"MM\0\x2b\0\x08\0\0\xff\xff\xff\xff\xff\xff\xff\xff").is_err());
        assert!(check_directory(b"II").is_err());
    }
}
