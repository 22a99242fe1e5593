//! The first directory of a TIFF file or of an EXIF block, which has the same form.

use image::metadata::Orientation;

const ORIENTATION: u16 = 274;

/// A first directory, entry by entry; nothing in it is believed that lies past the end.
pub(super) struct Directory<'a> {
    bytes: &'a [u8],
    little: bool,
    /// Bytes of an offset or a count: 8 in a BigTIFF.
    word: u64,
    first: u64,
    entries: u64,
}

/// One entry of a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// Where it begins in the file.
    pub at: u64,
    pub tag: u16,
    pub kind: u16,
    pub count: u64,
}

impl Entry {
    /// Bytes of one value.
    pub fn value_bytes(&self) -> u64 {
        match self.kind {
            3 | 8 => 2,
            4 | 9 | 11 | 13 => 4,
            5 | 10 | 12 | 16 | 17 | 18 => 8,
            _ => 1,
        }
    }
}

impl<'a> Directory<'a> {
    /// Errors if the directory would lie past the end.
    pub fn open(bytes: &'a [u8]) -> Result<Self, String> {
        let mut found = Self {
            bytes,
            little: bytes.starts_with(b"II"),
            word: 4,
            first: 0,
            entries: 0,
        };
        if found.number(2, 2)? == 43 {
            found.word = 8;
        }
        let counter = if found.word == 8 { 8 } else { 2 };
        let start = found.number(found.word, found.word)?;
        found.entries = found.number(start, counter)?;
        found.first = start + counter;
        Ok(found)
    }

    /// Bytes of an offset, and of a value that stands in its entry.
    pub fn word(&self) -> u64 {
        self.word
    }

    /// The entries in order; an error if one lies past the end.
    pub fn entries(&self) -> impl Iterator<Item = Result<Entry, String>> + '_ {
        (0..self.entries).map(|index| {
            let at = index.checked_mul(self.word * 2 + 4);
            let at = at.and_then(|skip| self.first.checked_add(skip));
            let at = at.ok_or_else(|| format!("its directory has {} entries", self.entries))?;
            Ok(Entry {
                at,
                tag: self.number(at, 2)? as u16,
                kind: self.number(at + 2, 2)? as u16,
                count: self.number(at + 4, self.word)?,
            })
        })
    }

    /// The entry of a tag.
    pub fn find(&self, tag: u16) -> Option<Entry> {
        let mut entries = self.entries().map_while(Result::ok);
        entries.find(|entry| entry.tag == tag)
    }

    /// The whole number that is an entry's value at `index`.
    pub fn value(&self, entry: &Entry, index: u64) -> Option<u64> {
        if !matches!(entry.kind, 1 | 3 | 4 | 8 | 9 | 13 | 16 | 17 | 18) || index >= entry.count {
            return None;
        }
        let size = entry.value_bytes();
        let inside = entry.at + 4 + self.word;
        let start = match entry.count.checked_mul(size)? <= self.word {
            true => inside,
            false => self.number(inside, self.word).ok()?,
        };
        self.number(start.checked_add(index * size)?, size).ok()
    }

    /// Writes `value` over the bytes at `at` of `file`, which has the same order of bytes.
    pub fn put(&self, file: &mut [u8], at: u64, length: u64, value: u64) -> Option<()> {
        let place = file.get_mut(at as usize..(at + length) as usize)?;
        let length = length as usize;
        match self.little {
            true => place.copy_from_slice(&value.to_le_bytes()[..length]),
            false => place.copy_from_slice(&value.to_be_bytes()[8 - length..]),
        }
        Some(())
    }

    fn number(&self, at: u64, length: u64) -> Result<u64, String> {
        let end = at
            .checked_add(length)
            .filter(|&end| end <= self.bytes.len() as u64);
        let end = end.ok_or_else(|| format!("it refers to byte {at} of {}", self.bytes.len()))?;
        let digits = &self.bytes[at as usize..end as usize];
        let join = |value: u64, &byte: &u8| value << 8 | u64::from(byte);
        Ok(match self.little {
            true => digits.iter().rev().fold(0, join),
            false => digits.iter().fold(0, join),
        })
    }
}

/// The camera's turn as an EXIF block or a TIFF file gives it, whatever kind of whole number it is
/// written as; none where it says nothing or nonsense.
pub(super) fn orientation(block: &[u8]) -> Orientation {
    // Some writers put the marker of JPEG's segment before the block in PNG and WebP too.
    let block = block.strip_prefix(b"Exif\0\0").unwrap_or(block);
    let known = block.starts_with(b"II") || block.starts_with(b"MM");
    let directory = Directory::open(block).ok().filter(|_| known);
    let turn = directory.and_then(|directory| {
        let entry = directory.find(ORIENTATION)?;
        Orientation::from_exif(u8::try_from(directory.value(&entry, 0)?).ok()?)
    });
    turn.unwrap_or(Orientation::NoTransforms)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block with the turn as one value of `kind`, in either order of bytes.
    fn block(little: bool, kind: u16, size: usize, turn: u8) -> Vec<u8> {
        let word = |value: u32, bytes: usize| match little {
            true => value.to_le_bytes()[..bytes].to_vec(),
            false => value.to_be_bytes()[4 - bytes..].to_vec(),
        };
        let mut block = if little {
            b"II".to_vec()
        } else {
            b"MM".to_vec()
        };
        block.extend([word(42, 2), word(8, 4), word(1, 2)].concat());
        block.extend([word(274, 2), word(kind.into(), 2), word(1, 4)].concat());
        let mut value = word(turn.into(), size);
        value.resize(4, 0);
        block.extend(value);
        block
    }

    #[test]
    fn a_turn_is_read_as_any_kind_of_whole_number() {
        for little in [true, false] {
            for (kind, size) in [(1, 1), (3, 2), (4, 4), (9, 4)] {
                for turn in 1..=8 {
                    let block = block(little, kind, size, turn);
                    let marked = [b"Exif\0\0", &block[..]].concat();
                    assert_eq!(orientation(&block).to_exif(), turn, "{little} {kind}");
                    assert_eq!(orientation(&marked).to_exif(), turn, "{little} {kind}");
                }
            }
        }
    }

    #[test]
    fn nonsense_turns_nothing() {
        for turn in [0, 9, 255] {
            assert_eq!(orientation(&block(true, 4, 4, turn)).to_exif(), 1);
        }
        let cut = block(true, 4, 4, 6);
        for length in 0..cut.len() {
            assert_eq!(orientation(&cut[..length]).to_exif(), 1, "{length}");
        }
        assert_eq!(
            orientation(&block(true, 5, 4, 6)).to_exif(),
            1,
            "a fraction"
        );
    }
}
