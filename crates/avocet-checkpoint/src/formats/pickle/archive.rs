//! Where the members of a zip archive lie. `torch.save` stores them as they are, so that each is a
//! range of the file.
//!
//! Our own reader, as ranges are all that is wanted, and nothing may be allocated by a count that
//! the file only claims. Source: PKWARE's APPNOTE.TXT, 4.3 to 4.5. Checksums are not verified.

use super::PickleError;
use std::collections::BTreeMap;
use std::ops::Range;

const END: u32 = 0x0605_4b50;
const END64: u32 = 0x0606_4b50;
const LOCATOR64: u32 = 0x0706_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const LOCAL: u32 = 0x0403_4b50;
const END_LEN: usize = 22;
const LOCATOR64_LEN: usize = 20;
const CENTRAL_LEN: usize = 46;
const LOCAL_LEN: usize = 30;
const ENCRYPTED: u16 = 1;
const ZIP64: u16 = 1;

/// Every member's range of the file, by name.
pub(super) fn members(file: &[u8]) -> Result<BTreeMap<&str, Range<usize>>, PickleError> {
    let (count, directory) = directory(file)?;
    let mut members = BTreeMap::new();
    let mut at = directory.start;
    for _ in 0..count {
        if directory.end - at < CENTRAL_LEN {
            return Err(fail(at, "the directory ends within a member"));
        }
        expect(file, at, CENTRAL, "no entry of the directory")?;
        let lengths = [28, 30, 32].map(|place| usize::from(u16_at(file, at + place)));
        let end = at + CENTRAL_LEN + lengths.iter().sum::<usize>();
        if end > directory.end {
            return Err(fail(at, "an entry ends beyond the directory"));
        }
        let name = &file[at + CENTRAL_LEN..][..lengths[0]];
        let extra = &file[at + CENTRAL_LEN + lengths[0]..][..lengths[1]];
        let text = std::str::from_utf8(name).map_err(|_| fail(at, "a name is not UTF-8"))?;
        let range = member(file, at, name, extra, directory.start)?;
        if members.insert(text, range).is_some() {
            return Err(fail(at, &format!("member {text:?} appears twice")));
        }
        at = end;
    }
    let mut by_place: Vec<_> = members.iter().filter(|m| !m.1.is_empty()).collect();
    by_place.sort_by_key(|(_, range)| range.start);
    for pair in by_place.windows(2) {
        if pair[1].1.start < pair[0].1.end {
            let problem = format!("members {:?} and {:?} share bytes", pair[0].0, pair[1].0);
            return Err(fail(pair[1].1.start, &problem));
        }
    }
    Ok(members)
}

/// How many members there are, and where the directory of them lies.
fn directory(file: &[u8]) -> Result<(u64, Range<usize>), PickleError> {
    let last = file.len().checked_sub(END_LEN);
    let last = last.ok_or_else(|| fail(0, "too short for a zip archive"))?;
    let is_end = |at: &usize| {
        let comment = usize::from(u16_at(file, at + 20));
        u32_at(file, *at) == END && at + END_LEN + comment == file.len()
    };
    let first = last.saturating_sub(usize::from(u16::MAX));
    let end = (first..=last).rev().find(is_end);
    let end = end.ok_or_else(|| fail(last, "no end of a zip archive"))?;
    let mut limit = end;
    let mut count = u64::from(u16_at(file, end + 10));
    let mut length = u64::from(u32_at(file, end + 12));
    let mut start = u64::from(u32_at(file, end + 16));
    let locator = end.checked_sub(LOCATOR64_LEN);
    if let Some(locator) = locator.filter(|&at| u32_at(file, at) == LOCATOR64) {
        let at = usize::try_from(u64_at(file, locator + 8)).ok();
        let at = at.filter(|&at| at.checked_add(56).is_some_and(|end| end <= locator));
        let at = at.ok_or_else(|| fail(locator, "the zip64 record lies outside the file"))?;
        expect(file, at, END64, "no zip64 record")?;
        count = u64_at(file, at + 32);
        length = u64_at(file, at + 40);
        start = u64_at(file, at + 48);
        limit = at;
    }
    let inside = start.checked_add(length).is_some_and(|e| e <= limit as u64);
    if !inside || count > length / CENTRAL_LEN as u64 {
        let problem =
            format!("a directory of {count} members in {length} bytes from {start} on cannot be");
        return Err(fail(end, &problem));
    }
    // Both lie within the file.
    let (start, length) = (start as usize, length as usize);
    Ok((count, start..start + length))
}

/// The range of the member whose entry of the directory stands at `at`.
fn member(
    file: &[u8],
    at: usize,
    name: &[u8],
    extra: &[u8],
    limit: usize,
) -> Result<Range<usize>, PickleError> {
    let (flags, method) = (u16_at(file, at + 8), u16_at(file, at + 10));
    if method != 0 || flags & ENCRYPTED != 0 {
        let name = String::from_utf8_lossy(name);
        let problem = format!("member {name:?} is compressed or encrypted, not stored");
        return Err(fail(at, &problem));
    }
    let mut wide = zip64(extra);
    let mut field = |place: usize| match u32_at(file, at + place) {
        u32::MAX => wide.next(),
        narrow => Some(u64::from(narrow)),
    };
    // Their order in the zip64 field: length, length stored, place.
    let (length, stored, local) = (field(24), field(20), field(42));
    let (Some(length), Some(stored), Some(local)) = (length, stored, local) else {
        return Err(fail(at, "a zip64 field is missing"));
    };
    if length != stored {
        return Err(fail(at, "a stored member has two lengths"));
    }
    let outside = || fail(at, "a member lies outside the file");
    let local = usize::try_from(local).map_err(|_| outside())?;
    if local.checked_add(LOCAL_LEN).is_none_or(|end| end > limit) {
        return Err(outside());
    }
    expect(file, local, LOCAL, "no member")?;
    let lengths = [26, 28].map(|place| usize::from(u16_at(file, local + place)));
    let start = local + LOCAL_LEN + lengths[0] + lengths[1];
    let end = usize::try_from(length)
        .ok()
        .and_then(|l| start.checked_add(l));
    let range = end.filter(|&end| end <= limit).map(|end| start..end);
    let range = range.ok_or_else(outside)?;
    if &file[local + LOCAL_LEN..][..lengths[0]] != name {
        return Err(fail(local, "a member and its entry have different names"));
    }
    Ok(range)
}

/// The numbers of the zip64 field among the extra fields, if there is one.
fn zip64(mut extra: &[u8]) -> impl Iterator<Item = u64> {
    let mut found: &[u8] = &[];
    while extra.len() >= 4 {
        let length = usize::from(u16_at(extra, 2));
        let Some(content) = extra[4..].get(..length) else {
            break;
        };
        if u16_at(extra, 0) == ZIP64 {
            found = content;
            break;
        }
        extra = &extra[4 + length..];
    }
    found
        .as_chunks::<8>()
        .0
        .iter()
        .map(|b| u64::from_le_bytes(*b))
}

fn expect(file: &[u8], at: usize, signature: u32, problem: &str) -> Result<(), PickleError> {
    if u32_at(file, at) == signature {
        Ok(())
    } else {
        Err(fail(at, problem))
    }
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[at..at + N]);
    array
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array_at(bytes, at))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, at))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array_at(bytes, at))
}

fn fail(offset: usize, problem: &str) -> PickleError {
    let problem = problem.to_owned();
    PickleError::Archive { offset, problem }
}
