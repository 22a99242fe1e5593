//! The header of a safetensors file, with every field checked before a byte of data is touched.
//!
//! A file is: length of the header (8 bytes, little-endian), the header (JSON: name to dtype,
//! shape and data_offsets), the data. The tensors must fill the data without gap or overlap.

use super::error::HeaderError;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

/// Longest header read, as in the reference implementation.
const MAX_HEADER: usize = 100_000_000;
const METADATA: &str = "__metadata__";

/// A number type that tensors are stored in. Parameters are floating-point numbers; whole numbers
/// and truth values are what public files carry beside them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredType {
    /// IEEE double precision.
    F64,
    /// IEEE single precision.
    F32,
    /// IEEE half precision.
    F16,
    /// The upper half of a single.
    Bf16,
    /// Whole numbers of 8 bytes.
    I64,
    /// Whole numbers of 4 bytes.
    I32,
    /// Whole numbers of 2 bytes.
    I16,
    /// Whole numbers of a byte.
    I8,
    /// Whole numbers of a byte, from 0.
    U8,
    /// Truth values, a byte each.
    Bool,
}

impl StoredType {
    /// Bytes of one number.
    pub fn size(self) -> usize {
        match self {
            StoredType::F64 | StoredType::I64 => 8,
            StoredType::F32 | StoredType::I32 => 4,
            StoredType::F16 | StoredType::Bf16 | StoredType::I16 => 2,
            StoredType::I8 | StoredType::U8 | StoredType::Bool => 1,
        }
    }

    fn parse(name: &str) -> Option<Self> {
        match name {
            "F32" => Some(StoredType::F32),
            "F16" => Some(StoredType::F16),
            "BF16" => Some(StoredType::Bf16),
            "F64" => Some(StoredType::F64),
            "I64" => Some(StoredType::I64),
            "I32" => Some(StoredType::I32),
            "I16" => Some(StoredType::I16),
            "I8" => Some(StoredType::I8),
            "U8" => Some(StoredType::U8),
            "BOOL" => Some(StoredType::Bool),
            _ => None,
        }
    }
}

/// Where one tensor lies in the file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub dtype: StoredType,
    pub shape: Vec<usize>,
    /// Bytes from the start of the file.
    pub bytes: Range<usize>,
}

/// Every tensor of a file, by name.
pub(crate) type Entries = BTreeMap<String, Entry>;

/// Reads and checks the header of the safetensors file `file`.
pub(crate) fn parse(file: &[u8]) -> Result<Entries, HeaderError> {
    let (length, rest) = file
        .split_first_chunk::<8>()
        .ok_or(HeaderError::TooShort { bytes: file.len() })?;
    let length = u64::from_le_bytes(*length);
    let fits = |length: &usize| *length <= rest.len() && *length <= MAX_HEADER;
    let Some(split) = usize::try_from(length).ok().filter(fits) else {
        let (available, limit) = (rest.len(), MAX_HEADER);
        return Err(HeaderError::HeaderLength {
            header: length,
            available,
            limit,
        });
    };
    let (header, data) = rest.split_at(split);
    let fields: Fields =
        serde_json::from_slice(header).map_err(|error| HeaderError::Json(error.to_string()))?;
    let mut entries = Entries::new();
    for (name, field) in fields.0 {
        let entry = check(&name, field, data.len())?;
        if entries.insert(name.clone(), entry).is_some() {
            return Err(HeaderError::Duplicate { name });
        }
    }
    check_adjacent(&entries, data.len())?;
    let data_start = 8 + split;
    for entry in entries.values_mut() {
        entry.bytes = data_start + entry.bytes.start..data_start + entry.bytes.end;
    }
    Ok(entries)
}

fn check(name: &str, field: Field, available: usize) -> Result<Entry, HeaderError> {
    let name = || name.to_owned();
    let Field {
        dtype,
        shape,
        data_offsets: (start, end),
    } = field;
    let Some(dtype) = StoredType::parse(&dtype) else {
        return Err(HeaderError::Dtype {
            name: name(),
            dtype,
        });
    };
    let sizes: Option<Vec<usize>> = shape.iter().map(|&size| size.try_into().ok()).collect();
    let Some((sizes, wanted)) = sizes.and_then(|sizes| {
        // Zeros are left out so that a shape such as [2^40, 2^40, 0] is refused as well.
        let nonzero = sizes.iter().copied().filter(|&size| size > 0);
        let most = nonzero
            .chain([dtype.size()])
            .try_fold(1usize, usize::checked_mul);
        let wanted = if sizes.contains(&0) { 0 } else { most? };
        most.map(|_| (sizes, wanted))
    }) else {
        return Err(HeaderError::Overflow {
            name: name(),
            shape,
        });
    };
    let bytes = match (usize::try_from(start), usize::try_from(end)) {
        (Ok(start), Ok(end)) if start <= end && end <= available => start..end,
        _ => {
            return Err(HeaderError::Range {
                name: name(),
                start,
                end,
                available,
            });
        }
    };
    if bytes.len() != wanted {
        return Err(HeaderError::Size {
            name: name(),
            wanted,
            start,
            end,
        });
    }
    Ok(Entry {
        dtype,
        shape: sizes,
        bytes,
    })
}

fn check_adjacent(entries: &Entries, available: usize) -> Result<(), HeaderError> {
    let mut by_place: Vec<_> = entries.iter().collect();
    by_place.sort_by_key(|(_, entry)| (entry.bytes.start, entry.bytes.end));
    let mut end = 0;
    for (name, entry) in by_place {
        if entry.bytes.start != end {
            let (name, start) = (name.clone(), entry.bytes.start);
            return Err(HeaderError::NotAdjacent {
                name,
                start,
                expected: end,
            });
        }
        end = entry.bytes.end;
    }
    if end == available {
        Ok(())
    } else {
        Err(HeaderError::Leftover { end, available })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Field {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

/// The header's entries in their order, names that appear twice included.
struct Fields(Vec<(String, Field)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str("a map from tensor names to dtype, shape and data_offsets")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            if name == METADATA {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let field = map
                .next_value()
                .map_err(|error| serde::de::Error::custom(format!("tensor {name:?}: {error}")))?;
            fields.push((name, field));
        }
        Ok(Fields(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, data: usize) -> Vec<u8> {
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend(header.as_bytes());
        file.resize(file.len() + data, 0);
        file
    }

    fn refused(header: &str, data: usize) -> String {
        parse(&file(header, data)).unwrap_err().to_string()
    }

    #[test]
    fn a_whole_file_is_accepted() {
        let header = r#"{"__metadata__":{"format":"pt"},
            "b":{"dtype":"BF16","shape":[2,3],"data_offsets":[4,16]},
            "a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}"#;
        let entries = parse(&file(header, 16)).unwrap();
        assert_eq!(entries["b"].shape, [2, 3]);
        assert_eq!(entries["b"].bytes.len(), 12);
        assert_eq!(entries["a"].bytes.end, entries["b"].bytes.start);
    }

    #[test]
    fn every_lie_is_refused_by_name() {
        let cases = [
            (
                r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#,
                4,
                "8 bytes, but data_offsets 0..4",
            ),
            (
                r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#,
                4,
                "but there are 4 bytes",
            ),
            (
                r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#,
                4,
                "data_offsets 4..0",
            ),
            (
                r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
                5,
                "ends at 4, but there are 5",
            ),
            (
                r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
                8,
                "begins at 4, but the one before it ends at 0",
            ),
            (
                r#"{"a":{"dtype":"F32","shape":[1099511627776,1099511627776],"data_offsets":[0,0]}}"#,
                0,
                "overflows",
            ),
            (
                r#"{"a":{"dtype":"F32","shape":[1099511627776,1099511627776,0],"data_offsets":[0,0]}}"#,
                0,
                "overflows",
            ),
            (
                r#"{"a":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,0]}}"#,
                0,
                "overflows",
            ),
            (
                r#"{"a":{"dtype":"C64","shape":[1],"data_offsets":[0,8]}}"#,
                8,
                "\"C64\" is not supported",
            ),
            (
                r#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#,
                4,
                "tensor \"a\"",
            ),
            (
                r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}}"#,
                4,
                "unknown field `x`",
            ),
            (
                r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
                8,
                "\"a\" appears twice",
            ),
            (
                r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
                8,
                "\"b\": begins at 4",
            ),
            ("[]", 0, "header: "),
        ];
        for (header, data, wanted) in cases {
            let message = refused(header, data);
            assert!(message.contains(wanted), "{wanted:?} is not in {message:?}");
        }
        assert!(parse(b"short").unwrap_err().to_string().contains("5 bytes"));
        let long = [255; 20];
        assert!(parse(&long).unwrap_err().to_string().contains("12 follow"));
    }
}
