//! The boxes of a HEIC or AVIF file (ISO/IEC 14496-12 and 23008-12): what items there are, where
//! their bytes lie, and what belongs to them.

use std::collections::BTreeMap;

/// Items, and extents of one, that are believed.
const MAX_ENTRIES: usize = 1 << 16;

/// The items of a file.
#[derive(Debug, Default)]
pub(super) struct Items {
    /// The item that the file shows.
    pub primary: u32,
    /// Kind of each item, such as `hvc1` or `grid`.
    pub kinds: BTreeMap<u32, [u8; 4]>,
    /// Properties of each item, in the order in which they apply.
    pub properties: BTreeMap<u32, Vec<Property>>,
    /// References: what kind, from which item, to which.
    pub references: Vec<([u8; 4], u32, Vec<u32>)>,
    places: BTreeMap<u32, Place>,
    /// Bytes that lie beside the items.
    inner: Vec<u8>,
}

/// One property of an item: the box with its name.
#[derive(Debug, Clone)]
pub(super) struct Property {
    pub name: [u8; 4],
    pub body: Vec<u8>,
}

/// Where an item's bytes lie: beside the items or in the file, and at which extents.
#[derive(Debug, Clone, Default)]
struct Place {
    is_inner: bool,
    extents: Vec<(u64, u64)>,
}

/// Reads big-endian numbers from the front.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self, length: usize) -> Option<u64> {
        let digits = self.take(length)?;
        Some(
            digits
                .iter()
                .fold(0, |value, &byte| value << 8 | u64::from(byte)),
        )
    }

    fn name(&mut self) -> Option<[u8; 4]> {
        self.take(4)?.try_into().ok()
    }

    /// A box's version and flags.
    fn version(&mut self) -> Option<(u64, u64)> {
        Some((self.number(1)?, self.number(3)?))
    }

    /// The next box; one that is cut off has what there is.
    fn next_box(&mut self) -> Option<([u8; 4], Cursor<'a>)> {
        let whole = self.0.len();
        let (length, name) = (self.number(4)?, self.name()?);
        let length = match length {
            0 => whole as u64,
            1 => self.number(8)?,
            length => length,
        };
        let head = (whole - self.0.len()) as u64;
        let length = length.checked_sub(head)?.min(self.0.len() as u64);
        Some((name, Cursor(self.take(length as usize)?)))
    }

    fn boxes(mut self) -> impl Iterator<Item = ([u8; 4], Cursor<'a>)> {
        std::iter::from_fn(move || self.next_box()).take(MAX_ENTRIES)
    }
}

impl Items {
    /// Reads the items of a file; none if it has none, or what describes them is broken.
    pub fn read(file: &[u8]) -> Option<Self> {
        let (_, mut meta) = Cursor(file).boxes().find(|(name, _)| name == b"meta")?;
        meta.version()?;
        let mut items = Self::default();
        for (name, mut body) in meta.boxes() {
            match &name {
                b"pitm" => items.primary = identity(&mut body)?,
                b"iinf" => items.read_kinds(body)?,
                b"iloc" => items.read_places(body)?,
                b"iprp" => items.read_properties(body)?,
                b"iref" => items.read_references(body)?,
                b"idat" => items.inner = body.0.to_vec(),
                _ => {}
            }
        }
        items.kinds.contains_key(&items.primary).then_some(items)
    }

    /// Bytes of an item; none if any of them are missing.
    pub fn bytes(&self, file: &[u8], item: u32) -> Option<Vec<u8>> {
        let place = self.places.get(&item)?;
        let source = if place.is_inner { &self.inner } else { file };
        let mut bytes = Vec::new();
        for &(start, length) in &place.extents {
            let start = usize::try_from(start).ok()?;
            // A length of zero means all that follows.
            let end = match length {
                0 => source.len(),
                length => start.checked_add(usize::try_from(length).ok()?)?,
            };
            bytes.extend(source.get(start..end)?);
            if bytes.len() > file.len() {
                return None;
            }
        }
        Some(bytes)
    }

    /// The first property of an item with that name.
    pub fn property(&self, item: u32, name: &[u8; 4]) -> Option<&[u8]> {
        let mut properties = self.properties.get(&item)?.iter();
        properties
            .find(|known| &known.name == name)
            .map(|known| &known.body[..])
    }

    /// The items that an item refers to in that way.
    pub fn referred(&self, kind: &[u8; 4], from: u32) -> &[u32] {
        let mut references = self.references.iter();
        references
            .find(|(name, item, _)| name == kind && *item == from)
            .map_or(&[], |(.., to)| to)
    }

    fn read_kinds(&mut self, mut body: Cursor) -> Option<()> {
        let (version, _) = body.version()?;
        body.number(if version == 0 { 2 } else { 4 })?;
        for (name, mut entry) in body.boxes() {
            let (version, _) = entry.version()?;
            if &name != b"infe" || version < 2 {
                continue;
            }
            let item = entry.number(if version == 2 { 2 } else { 4 })? as u32;
            entry.number(2)?;
            self.kinds.insert(item, entry.name()?);
        }
        Some(())
    }

    fn read_places(&mut self, mut body: Cursor) -> Option<()> {
        let (version, _) = body.version()?;
        let sizes = body.number(2)?;
        let size = |shift: u32| (sizes >> shift & 15) as usize;
        let (offset, length, base) = (size(12), size(8), size(4));
        let index = if version == 0 { 0 } else { size(0) };
        let count = body.number(if version < 2 { 2 } else { 4 })?;
        for _ in 0..count.min(MAX_ENTRIES as u64) {
            let item = body.number(if version < 2 { 2 } else { 4 })? as u32;
            let method = if version == 0 {
                0
            } else {
                body.number(2)? & 15
            };
            // Data in another file are none that we have.
            let elsewhere = body.number(2)? != 0;
            let base = body.number(base)?;
            let mut place = Place {
                is_inner: method == 1,
                extents: Vec::new(),
            };
            for _ in 0..body.number(2)? {
                body.number(index)?;
                let start = base.checked_add(body.number(offset)?)?;
                place.extents.push((start, body.number(length)?));
            }
            if method < 2 && !elsewhere {
                self.places.insert(item, place);
            }
        }
        Some(())
    }

    fn read_properties(&mut self, body: Cursor) -> Option<()> {
        let mut known = Vec::new();
        for (name, mut body) in body.boxes() {
            if &name == b"ipco" {
                known.extend(body.boxes().map(|(name, body)| Property {
                    name,
                    body: body.0.to_vec(),
                }));
                continue;
            }
            if &name != b"ipma" {
                continue;
            }
            let (version, flags) = body.version()?;
            for _ in 0..body.number(4)?.min(MAX_ENTRIES as u64) {
                let item = body.number(if version == 0 { 2 } else { 4 })? as u32;
                let mut own = Vec::new();
                for _ in 0..body.number(1)? {
                    let place = match flags & 1 {
                        0 => body.number(1)? & 0x7f,
                        _ => body.number(2)? & 0x7fff,
                    };
                    own.extend(
                        place
                            .checked_sub(1)
                            .and_then(|at| known.get(at as usize))
                            .cloned(),
                    );
                }
                self.properties.entry(item).or_insert(own);
            }
        }
        Some(())
    }

    fn read_references(&mut self, mut body: Cursor) -> Option<()> {
        let (version, _) = body.version()?;
        let size = if version == 0 { 2 } else { 4 };
        for (name, mut body) in body.boxes() {
            let from = body.number(size)? as u32;
            let count = body.number(2)?;
            let to = (0..count).map(|_| body.number(size).map(|item| item as u32));
            let to = to.collect::<Option<Vec<_>>>()?;
            self.references.push((name, from, to));
        }
        Some(())
    }
}

fn identity(body: &mut Cursor) -> Option<u32> {
    let (version, _) = body.version()?;
    Some(body.number(if version == 0 { 2 } else { 4 })? as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxed(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let length = (body.len() as u32 + 8).to_be_bytes();
        [&length[..], name, body].concat()
    }

    /// A file of one item of kind `av01`, whose bytes are `data` at the end of the file.
    fn file(data: &[u8]) -> Vec<u8> {
        let infe = boxed(b"infe", b"\x02\0\0\0\0\x01\0\0av01\0");
        let ispe = boxed(b"ispe", b"\0\0\0\0\0\0\0\x05\0\0\0\x07");
        let ipma = boxed(b"ipma", b"\0\0\0\0\0\0\0\x01\0\x01\x01\x81");
        let meta = |start: u32| {
            let length = (data.len() as u32).to_be_bytes();
            let iloc = [
                b"\0\0\0\0\x44\0\0\x01\0\x01\0\0\0\x01",
                &start.to_be_bytes()[..],
                &length,
            ];
            let parts = [
                b"\0\0\0\0".to_vec(),
                boxed(b"pitm", b"\0\0\0\0\0\x01"),
                boxed(b"iinf", &[b"\0\0\0\0\0\x01", &infe[..]].concat()),
                boxed(b"iloc", &iloc.concat()),
                boxed(b"iprp", &[boxed(b"ipco", &ispe), ipma.clone()].concat()),
            ];
            [
                boxed(b"ftyp", b"avif\0\0\0\0avif"),
                boxed(b"meta", &parts.concat()),
            ]
            .concat()
        };
        let start = meta(0).len() as u32;
        [&meta(start)[..], data].concat()
    }

    #[test]
    fn an_item_is_found_with_its_bytes_and_properties() {
        let file = file(b"pixels");
        let items = Items::read(&file).unwrap();
        assert_eq!((items.primary, &items.kinds[&1]), (1, b"av01"));
        assert_eq!(items.bytes(&file, 1).unwrap(), b"pixels");
        assert_eq!(items.property(1, b"ispe").unwrap()[7], 5);
        assert_eq!(items.bytes(&file[..file.len() - 1], 1), None, "cut off");
    }

    #[test]
    fn no_cut_and_no_changed_byte_panics() {
        let file = file(b"pixels");
        for at in 0..file.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut file = file.clone();
                file[at] = value;
                let read = |file: &[u8]| Items::read(file).and_then(|items| items.bytes(file, 1));
                let bytes = read(&file).unwrap_or_default();
                assert!(bytes.len() <= file.len());
                read(&file[..at]);
            }
        }
    }
}
