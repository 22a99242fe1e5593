//! The little of tar that shards use: regular files with short names, fixed owner and time.
//!
//! Written so that any tar reader accepts it; read so strictly that a hostile archive has
//! nothing to work with: no links, no folders, no extensions, no sizes past the end.

/// Tar counts in blocks of this many bytes.
pub(crate) const BLOCK: usize = 512;
/// Longest name that fits the header.
pub(crate) const MAX_NAME: usize = 100;

/// Appends one file to `out`: header, contents, padding to a whole block.
///
/// `name` must be 1..=100 bytes of the characters that `name_is_plain` allows.
pub(crate) fn append(out: &mut Vec<u8>, name: &str, contents: &[u8]) {
    debug_assert!(name_is_plain(name));
    let mut header = [0u8; BLOCK];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..108].copy_from_slice(b"0000644\0");
    header[108..116].copy_from_slice(b"0000000\0");
    header[116..124].copy_from_slice(b"0000000\0");
    header[124..136].copy_from_slice(format!("{:011o}\0", contents.len()).as_bytes());
    header[136..148].copy_from_slice(b"00000000000\0");
    header[148..156].fill(b' ');
    header[156] = b'0';
    header[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = header.iter().map(|&b| u32::from(b)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    out.extend_from_slice(&header);
    out.extend_from_slice(contents);
    out.resize(out.len().next_multiple_of(BLOCK), 0);
}

/// Whether a member's name is short, flat and of harmless characters.
pub(crate) fn name_is_plain(name: &str) -> bool {
    let harmless = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    (1..=MAX_NAME).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(harmless)
}

/// Lists the files of a run of tar blocks, without copying.
///
/// Errors with the place and the reason at the first thing that `append` would not have written.
pub(crate) fn members(bytes: &[u8]) -> Result<Vec<(&str, &[u8])>, String> {
    let mut members = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let header = bytes.get(at..at + BLOCK).ok_or_else(|| {
            format!(
                "a tar header at byte {at} needs {BLOCK} bytes; {} are left",
                bytes.len() - at
            )
        })?;
        let (name, size) = header_fields(header).map_err(|r| format!("tar, byte {at}: {r}"))?;
        let start = at + BLOCK;
        let left = bytes.len() - start;
        if size > left || size.next_multiple_of(BLOCK) > left {
            return Err(format!(
                "tar, byte {at}: {name} claims {size} bytes; {left} are left"
            ));
        }
        members.push((name, &bytes[start..start + size]));
        at = start + size.next_multiple_of(BLOCK);
    }
    Ok(members)
}

/// Size of the file that begins a run of tar blocks.
pub(crate) fn first_size(bytes: &[u8]) -> Result<usize, String> {
    let header = bytes.get(..BLOCK).ok_or("a tar header is cut short")?;
    header_fields(header).map(|(_, size)| size)
}

fn header_fields(header: &[u8]) -> Result<(&str, usize), String> {
    let stored = octal(&header[148..156]).ok_or("its checksum is not a number")?;
    let sum: usize = header
        .iter()
        .enumerate()
        .map(|(i, &b)| {
            if (148..156).contains(&i) {
                32
            } else {
                usize::from(b)
            }
        })
        .sum();
    if stored != sum {
        return Err(format!("checksum is {stored}, the header adds up to {sum}"));
    }
    if !matches!(header[156], b'0' | 0) {
        return Err(format!(
            "entry type {:?} is not a regular file",
            char::from(header[156])
        ));
    }
    let end = header[..MAX_NAME]
        .iter()
        .position(|&b| b == 0)
        .unwrap_or(MAX_NAME);
    let name = std::str::from_utf8(&header[..end]).map_err(|_| "its name is not text")?;
    if !name_is_plain(name) || header[345] != 0 {
        return Err(format!("{name:?} is not a plain file name"));
    }
    let size = octal(&header[124..136]).ok_or("its size is not a number")?;
    Ok((name, size))
}

fn octal(field: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(field).ok()?.trim_matches(['\0', ' ']);
    usize::from_str_radix(text, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::Index;
    use std::io::Read;

    fn small_archive() -> Vec<u8> {
        let mut bytes = Vec::new();
        append(&mut bytes, "a.json", b"{}");
        append(&mut bytes, "a.0.png", &[7; 1000]);
        append(&mut bytes, "b.json", b"");
        bytes
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            files in vec(("[a-zA-Z0-9_-][a-zA-Z0-9._-]{0,99}", vec(any::<u8>(), 0..2000)), 0..6),
            (at, bit) in (any::<Index>(), 0..8),
        ) {
            let mut bytes = Vec::new();
            files.iter().for_each(|(name, contents)| append(&mut bytes, name, contents));
            let read = members(&bytes).unwrap();
            prop_assert_eq!(read.len(), files.len());
            for ((name, contents), read) in files.iter().zip(read) {
                prop_assert_eq!((&**name, &**contents), read);
            }
            // A header with a changed bit is refused, or says what it said.
            if !files.is_empty() {
                bytes[at.index(BLOCK)] ^= 1u8 << bit;
                if let Ok(read) = members(&bytes) {
                    prop_assert_eq!(read[0], (&*files[0].0, &*files[0].1));
                }
            }
        }
    }

    #[test]
    fn any_tar_reader_accepts_it() {
        let mut bytes = small_archive();
        bytes.resize(bytes.len() + 2 * BLOCK, 0);
        let mut archive = tar::Archive::new(&bytes[..]);
        let mut seen = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut contents = Vec::new();
            entry.read_to_end(&mut contents).unwrap();
            assert_eq!(entry.header().mtime().unwrap(), 0);
            seen.push((entry.path().unwrap().display().to_string(), contents.len()));
        }
        assert_eq!(
            seen,
            [
                ("a.json".into(), 2),
                ("a.0.png".into(), 1000),
                ("b.json".into(), 0)
            ]
        );
    }

    #[test]
    fn links_folders_escapes_and_overlong_sizes_are_refused() {
        let header = |kind: tar::EntryType, name: &[u8], size: u64| {
            let mut header = tar::Header::new_ustar();
            header.as_mut_bytes()[..name.len()].copy_from_slice(name);
            header.set_size(size);
            header.set_entry_type(kind);
            header.set_cksum();
            header.as_bytes().to_vec()
        };
        for (bytes, word) in [
            (header(tar::EntryType::Symlink, b"a", 0), "regular"),
            (header(tar::EntryType::Directory, b"a", 0), "regular"),
            (header(tar::EntryType::XHeader, b"a", 0), "regular"),
            (header(tar::EntryType::Regular, b"../a", 0), "plain"),
            (header(tar::EntryType::Regular, b"/etc/passwd", 0), "plain"),
            (header(tar::EntryType::Regular, b"", 0), "plain"),
            (header(tar::EntryType::Regular, b"a", 1), "claims 1"),
            (header(tar::EntryType::Regular, b"a", 8 << 30), "size"),
            (vec![0; BLOCK], "checksum"),
            (vec![0; 100], "100 are left"),
        ] {
            let error = members(&bytes).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }
}
