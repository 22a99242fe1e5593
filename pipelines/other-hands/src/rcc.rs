//! Files out of Qt's compiled resources (`.rcc`), as `rcc` of Qt 5 and 6 writes them.
//!
//! Qt's `qresource.cpp` and `rcc.cpp`: a header of offsets; a tree of nodes of 14 bytes, from
//! version 2 on of 22; names in UTF-16; contents, each behind its length, plain or by zlib behind
//! its own length. Numbers are big-endian. Nothing of a file is believed before it is checked, and
//! no memory is taken for what it only claims.

use std::io::Read;
use std::ops::Range;

use flate2::read::ZlibDecoder;

const MAGIC: &[u8] = b"qres";
/// Most bytes that one file may unpack to.
const MAX_FILE: u64 = 32 << 20;
/// Nodes that are visited, far more than any program has.
const MAX_NODES: usize = 100_000;
/// Bytes of one path, and of all together: names of a file may lie over one another, so that they
/// are not bounded by it.
const MAX_PATH: usize = 4096;
const MAX_PATHS: usize = 16 << 20;
/// Folders within folders.
const MAX_DEPTH: usize = 32;
const COMPRESSED: u16 = 1;
const FOLDER: u16 = 2;
const ZSTANDARD: u16 = 4;

/// Why resources cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RccError {
    #[error("no Qt resources: it begins with other bytes")]
    Magic,
    #[error("version {0}, where 1 to 3 are known")]
    Version(u32),
    #[error("{what} at byte {at} lies beyond the end, which is {end}")]
    Beyond {
        what: &'static str,
        at: usize,
        end: usize,
    },
    #[error("node {0} is reached twice")]
    Twice(usize),
    #[error("more than {MAX_NODES} nodes")]
    Nodes,
    #[error(
        "the path of node {0} has more than {MAX_PATH} bytes, or all have more than {MAX_PATHS}"
    )]
    Path(usize),
    #[error("folders within folders are deeper than {MAX_DEPTH}")]
    Deep,
    #[error("node {0} has no name that a path can hold")]
    Name(usize),
    #[error("{path} is compressed in a way that is not read")]
    Compression { path: String },
    #[error("{path} does not unpack: {reason}")]
    Contents { path: String, reason: String },
}

/// A file of the resources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its path, without a slash in front.
    pub path: String,
    flags: u16,
    contents: Range<usize>,
}

/// Resources in memory, with their files listed.
#[derive(Debug)]
pub(crate) struct Resources {
    bytes: Vec<u8>,
    /// In the order of the tree.
    pub entries: Vec<Entry>,
}

/// Where the parts begin, and how long a node is.
struct Layout {
    tree: usize,
    data: usize,
    names: usize,
    node: usize,
}

impl Resources {
    /// Lists the files.
    ///
    /// Errors if anything points beyond the end or in a circle.
    pub fn read(bytes: Vec<u8>) -> Result<Self, RccError> {
        if !bytes.starts_with(MAGIC) {
            return Err(RccError::Magic);
        }
        let version = u32_at(&bytes, 4, "the version")?;
        if !(1..=3).contains(&version) {
            return Err(RccError::Version(version));
        }
        let layout = Layout {
            tree: place(&bytes, 8, "the tree")?,
            data: place(&bytes, 12, "the contents")?,
            names: place(&bytes, 16, "the names")?,
            node: if version == 1 { 14 } else { 22 },
        };
        let mut reader = Tree {
            bytes: &bytes,
            seen: vec![false; (bytes.len() - layout.tree) / layout.node],
            layout,
            nodes_left: MAX_NODES,
            paths_left: MAX_PATHS,
            entries: Vec::new(),
        };
        reader.visit(0, String::new(), 0)?;
        let entries = reader.entries;
        Ok(Self { bytes, entries })
    }

    /// The contents of a file.
    ///
    /// Errors if they do not unpack, or to more than a picture ever has.
    pub fn contents(&self, entry: &Entry) -> Result<Vec<u8>, RccError> {
        let stored = &self.bytes[entry.contents.clone()];
        let path = || entry.path.clone();
        if entry.flags & ZSTANDARD != 0 {
            return Err(RccError::Compression { path: path() });
        }
        if entry.flags & COMPRESSED == 0 {
            return Ok(stored.to_vec());
        }
        let wrong = |reason: String| RccError::Contents {
            path: path(),
            reason,
        };
        // The length in front is a claim; the limit holds whatever it says.
        let packed = stored.get(4..).ok_or_else(|| wrong("too short".into()))?;
        let mut contents = Vec::new();
        ZlibDecoder::new(packed)
            .take(MAX_FILE + 1)
            .read_to_end(&mut contents)
            .map_err(|error| wrong(error.to_string()))?;
        if contents.len() as u64 > MAX_FILE {
            return Err(wrong(format!("to more than {MAX_FILE} bytes")));
        }
        Ok(contents)
    }
}

struct Tree<'a> {
    bytes: &'a [u8],
    layout: Layout,
    seen: Vec<bool>,
    nodes_left: usize,
    paths_left: usize,
    entries: Vec<Entry>,
}

impl Tree<'_> {
    fn visit(&mut self, node: usize, path: String, depth: usize) -> Result<(), RccError> {
        let end = self.bytes.len();
        let at = self.layout.tree + node * self.layout.node;
        let what = "a node";
        match self.seen.get_mut(node) {
            None => return Err(RccError::Beyond { what, at, end }),
            Some(true) => return Err(RccError::Twice(node)),
            Some(seen) => *seen = true,
        }
        if depth > MAX_DEPTH {
            return Err(RccError::Deep);
        }
        self.nodes_left = self.nodes_left.checked_sub(1).ok_or(RccError::Nodes)?;
        // The first node is the root, which has no name.
        let path = match (node, path.as_str()) {
            (0, _) => path,
            (_, "") => self.name(node, at)?,
            (_, folder) => format!("{folder}/{}", self.name(node, at)?),
        };
        let left = self.paths_left.checked_sub(path.len());
        let left = left.filter(|_| path.len() <= MAX_PATH);
        self.paths_left = left.ok_or(RccError::Path(node))?;
        let flags = u16_at(self.bytes, at + 4, what)?;
        if flags & FOLDER != 0 {
            let count = u32_at(self.bytes, at + 6, what)? as usize;
            let first = u32_at(self.bytes, at + 10, what)? as usize;
            // Each step ends at the first node beyond the tree, however many are claimed.
            for child in first..first.saturating_add(count) {
                self.visit(child, path.clone(), depth + 1)?;
            }
            return Ok(());
        }
        let data = self.layout.data + u32_at(self.bytes, at + 10, what)? as usize;
        let start = data + 4;
        let length = u32_at(self.bytes, data, "a file")? as usize;
        if length > end - start {
            let what = "the end of a file";
            return Err(RccError::Beyond {
                what,
                at: start + length,
                end,
            });
        }
        self.entries.push(Entry {
            path,
            flags,
            contents: start..start + length,
        });
        Ok(())
    }

    fn name(&self, node: usize, at: usize) -> Result<String, RccError> {
        let what = "a name";
        let at = self.layout.names + u32_at(self.bytes, at, what)? as usize;
        let length = usize::from(u16_at(self.bytes, at, what)?);
        // Behind the length stands a hash for lookups.
        let (start, end) = (at + 6, self.bytes.len());
        let letters = self.bytes.get(start..start + 2 * length);
        let letters = letters.ok_or(RccError::Beyond {
            what,
            at: start + 2 * length,
            end,
        })?;
        let letters: Vec<u16> = letters
            .chunks_exact(2)
            .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
            .collect();
        let name = String::from_utf16(&letters).map_err(|_| RccError::Name(node))?;
        let fits = !matches!(name.as_str(), "" | "." | "..") && !name.contains(['/', '\\', '\0']);
        fits.then_some(name).ok_or(RccError::Name(node))
    }
}

/// An offset of the header, which lies inside.
fn place(bytes: &[u8], at: usize, what: &'static str) -> Result<usize, RccError> {
    let (place, end) = (u32_at(bytes, at, what)? as usize, bytes.len());
    if place > end {
        return Err(RccError::Beyond {
            what,
            at: place,
            end,
        });
    }
    Ok(place)
}

fn u32_at(bytes: &[u8], at: usize, what: &'static str) -> Result<u32, RccError> {
    let end = bytes.len();
    match bytes.get(at..at.saturating_add(4)) {
        Some(&[a, b, c, d]) => Ok(u32::from_be_bytes([a, b, c, d])),
        _ => Err(RccError::Beyond { what, at, end }),
    }
}

fn u16_at(bytes: &[u8], at: usize, what: &'static str) -> Result<u16, RccError> {
    let end = bytes.len();
    match bytes.get(at..at.saturating_add(2)) {
        Some(&[a, b]) => Ok(u16::from_be_bytes([a, b])),
        _ => Err(RccError::Beyond { what, at, end }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{qt_resources, zlib};

    const FILES: [(&str, &[u8]); 3] = [
        ("animals/README", b"License: CC0-1.0\nFiles:\ncat.webp\n"),
        ("animals/cat.webp", b"RIFF"),
        ("top.txt", b""),
    ];

    #[test]
    fn files_come_back_plain_and_unpacked_in_every_version() {
        for version in 1..=3 {
            let resources = Resources::read(qt_resources(version, &FILES)).unwrap();
            let found = resources.entries.iter();
            let found: Vec<_> = found
                .map(|one| (one.path.clone(), resources.contents(one).unwrap()))
                .collect();
            let expected = FILES.map(|(path, bytes)| (path.to_owned(), bytes.to_vec()));
            assert_eq!(found, expected, "version {version}");
        }
    }

    #[test]
    fn every_cut_is_an_error_or_harmless() {
        let whole = qt_resources(3, &FILES);
        for length in 0..whole.len() {
            if let Ok(resources) = Resources::read(whole[..length].to_vec()) {
                for entry in &resources.entries {
                    let _ = resources.contents(entry);
                }
            }
        }
        assert_eq!(
            Resources::read(b"qre".to_vec()).unwrap_err(),
            RccError::Magic
        );
    }

    #[test]
    fn ten_thousand_mutated_resources_never_panic_nor_go_in_circles() {
        let whole = qt_resources(3, &FILES);
        let mut state = 5u64;
        let mut draw = |limit: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) as usize % limit
        };
        for _ in 0..10_000 {
            let mut mutated = whole.clone();
            for _ in 0..=draw(4) {
                let at = draw(mutated.len());
                mutated[at] = [0, 1, 2, 255, 127][draw(5)];
            }
            if let Ok(resources) = Resources::read(mutated) {
                for entry in &resources.entries {
                    let _ = resources.contents(entry);
                }
            }
        }
    }

    #[test]
    fn what_points_at_itself_or_beyond_is_refused() {
        let whole = qt_resources(2, &FILES);
        let tree = u32_at(&whole, 8, "").unwrap() as usize;
        let with = |at: usize, value: u32| {
            let mut changed = whole.clone();
            changed[at..at + 4].copy_from_slice(&value.to_be_bytes());
            Resources::read(changed).unwrap_err()
        };
        // The root's children begin at the root.
        assert_eq!(with(tree + 10, 0), RccError::Twice(0));
        // A thousand million of them.
        assert!(matches!(
            with(tree + 6, 1 << 30),
            RccError::Beyond { .. } | RccError::Twice(_)
        ));
        assert_eq!(with(4, 4), RccError::Version(4));
        assert!(matches!(with(8, u32::MAX), RccError::Beyond { .. }));
    }

    #[test]
    fn paths_and_nodes_have_an_end() {
        let long = "n".repeat(MAX_PATH);
        assert!(Resources::read(qt_resources(3, &[(long.as_str(), b"")])).is_ok());
        let inside = format!("{}/{}", &long[2048..], &long[2047..]);
        let error = Resources::read(qt_resources(3, &[(inside.as_str(), b"")])).unwrap_err();
        assert_eq!(error, RccError::Path(2));

        // A root with files that all have the same name and contents: a few bytes for each.
        let crowd = |files: usize, name: usize| {
            let mut parts = vec![0; 4];
            parts.extend((name as u16).to_be_bytes());
            parts.extend([0; 4]);
            parts.extend(b"\0n".repeat(name));
            let tree = 20 + parts.len();
            let mut bytes = MAGIC.to_vec();
            for number in [1, tree, 20, 24] {
                bytes.extend((number as u32).to_be_bytes());
            }
            bytes.extend(parts);
            bytes.extend([0, 0, 0, 0, 0, FOLDER as u8]);
            bytes.extend((files as u32).to_be_bytes());
            bytes.extend(1u32.to_be_bytes());
            bytes.extend(vec![0; 14 * files]);
            Resources::read(bytes)
        };
        assert_eq!(crowd(9, 3).unwrap().entries.len(), 9);
        assert_eq!(crowd(MAX_NODES, 1).unwrap_err(), RccError::Nodes);
        let many = MAX_PATHS / MAX_PATH;
        assert_eq!(crowd(many, MAX_PATH).unwrap().entries.len(), many);
        let error = crowd(many + 1, MAX_PATH).unwrap_err();
        assert_eq!(error, RccError::Path(many + 1));
    }

    #[test]
    fn a_file_that_unpacks_without_end_is_refused() {
        let bomb = zlib(&vec![0; MAX_FILE as usize + 2]);
        let stored = [&[0, 0, 0, 4][..], &bomb].concat();
        let bytes_end = stored.len();
        let resources = Resources {
            bytes: stored,
            entries: Vec::new(),
        };
        let entry = Entry {
            path: "bomb".into(),
            flags: COMPRESSED,
            contents: 0..bytes_end,
        };
        let error = resources.contents(&entry).unwrap_err().to_string();
        assert!(
            error.contains("bomb") && error.contains("33554432"),
            "{error}"
        );
    }
}
