//! The `model.bin` of a faster-whisper folder, CTranslate2's format: named variables, one after
//! another.

use std::collections::BTreeMap;

use super::error::WhisperModelError;
use super::joined::{Cursor, Joined};

type Result<T> = std::result::Result<T, WhisperModelError>;

/// Versions of the format whose variables say their type, as read here.
const VERSIONS: std::ops::RangeInclusive<u32> = 4..=6;
const SPECIFICATION: &str = "WhisperSpec";
const MAX_VARIABLES: u32 = 1 << 16;
const MAX_RANK: u8 = 4;

/// How the numbers of a variable are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NumberType {
    F32,
    I8,
    I16,
    I32,
    F16,
    Bf16,
}

impl NumberType {
    fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => Self::F32,
            1 => Self::I8,
            2 => Self::I16,
            3 => Self::I32,
            4 => Self::F16,
            5 => Self::Bf16,
            _ => return None,
        })
    }

    pub fn bytes(self) -> u64 {
        match self {
            Self::I8 => 1,
            Self::I16 | Self::F16 | Self::Bf16 => 2,
            Self::F32 | Self::I32 => 4,
        }
    }
}

/// Where a variable stands in the file, and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Variable {
    pub shape: Vec<u32>,
    pub kind: NumberType,
    pub position: u64,
    pub bytes: u64,
}

/// The variables of a model file.
#[derive(Debug)]
pub(super) struct Ct2 {
    pub file: Joined,
    variables: BTreeMap<String, Variable>,
}

impl Ct2 {
    /// Reads where everything is; the numbers stay in the file.
    ///
    /// Errors, naming the variable, if the file is not of this format, or its sizes disagree.
    pub fn open(file: Joined) -> Result<Self> {
        let wrong =
            |part: &str, reason: String| WhisperModelError::model(file.path(), part, reason);
        let mut cursor = Cursor::new(&file, 0);
        let version = cursor.u32()?;
        if !VERSIONS.contains(&version) {
            let reason = format!("is {version}; {VERSIONS:?} of CTranslate2's format are read");
            return Err(wrong("the version", reason));
        }
        let specification = name(&mut cursor)?;
        if specification != SPECIFICATION {
            let reason = format!("is {specification:?}, not {SPECIFICATION:?}");
            return Err(wrong("the specification", reason));
        }
        let _revision = cursor.u32()?;
        let count = cursor.u32()?;
        if count > MAX_VARIABLES {
            return Err(wrong("the number of variables", format!("is {count}")));
        }
        let mut variables = BTreeMap::new();
        for _ in 0..count {
            let name = name(&mut cursor)?;
            let variable = variable(&mut cursor, &name)?;
            if variables.insert(name.clone(), variable).is_some() {
                return Err(wrong(&name, "is there twice".into()));
            }
        }
        Ok(Self { file, variables })
    }

    /// The variable of that name, if there is one.
    pub fn find(&self, name: &str) -> Option<&Variable> {
        self.variables.get(name)
    }

    /// The variable of that name.
    ///
    /// Errors if there is none.
    pub fn get(&self, name: &str) -> Result<&Variable> {
        self.find(name)
            .ok_or_else(|| self.wrong(name, "is missing".into()))
    }

    /// The whole number in a variable without axes.
    pub fn number(&self, name: &str) -> Result<Option<u32>> {
        let Some(variable) = self.find(name) else {
            return Ok(None);
        };
        let bytes = self.read(variable, 0, variable.bytes.min(4))?;
        let number = match (variable.kind, bytes[..].try_into(), bytes[..].try_into()) {
            (NumberType::I16, Ok(two), _) => i64::from(i16::from_le_bytes(two)),
            (NumberType::I32, _, Ok(four)) => i64::from(i32::from_le_bytes(four)),
            _ => return Err(self.wrong(name, format!("is {:?}, not one number", variable.kind))),
        };
        u32::try_from(number)
            .map(Some)
            .map_err(|_| self.wrong(name, format!("is {number}")))
    }

    /// `count` bytes of a variable from `start` on.
    pub fn read(&self, variable: &Variable, start: u64, count: u64) -> Result<Vec<u8>> {
        Cursor::new(&self.file, variable.position + start).bytes(count)
    }

    pub fn wrong(&self, part: &str, reason: String) -> WhisperModelError {
        WhisperModelError::model(self.file.path(), part, reason)
    }

    /// How many layers are called `prefix` with a number.
    pub fn layers(&self, prefix: &str) -> u32 {
        let number = |name: &String| -> Option<u32> {
            name.strip_prefix(prefix)?.split('/').next()?.parse().ok()
        };
        let last = self.variables.keys().filter_map(number).max();
        last.map_or(0, |last| last.saturating_add(1))
    }
}

/// A length, and that many bytes of text that end with a zero.
fn name(cursor: &mut Cursor<'_>) -> Result<String> {
    let (file, part) = (cursor.file, format!("the name at {}", cursor.position));
    let wrong = |reason: &str| WhisperModelError::model(file.path(), &part, reason);
    let length = cursor.u16()?;
    let mut bytes = cursor.bytes(u64::from(length))?;
    if bytes.pop() != Some(0) {
        return Err(wrong("does not end with a zero"));
    }
    String::from_utf8(bytes).map_err(|_| wrong("is no text"))
}

fn variable(cursor: &mut Cursor<'_>, name: &str) -> Result<Variable> {
    let file = cursor.file;
    let wrong = |reason: String| WhisperModelError::model(file.path(), name, reason);
    let rank = cursor.u8()?;
    if rank > MAX_RANK {
        return Err(wrong(format!("has {rank} axes")));
    }
    let shape: Vec<u32> = (0..rank).map(|_| cursor.u32()).collect::<Result<_>>()?;
    let code = cursor.u8()?;
    let kind =
        NumberType::from_code(code).ok_or_else(|| wrong(format!("has the unknown type {code}")))?;
    let bytes = u64::from(cursor.u32()?);
    let numbers = shape
        .iter()
        .try_fold(1u64, |product, &size| product.checked_mul(u64::from(size)));
    if numbers.and_then(|numbers| numbers.checked_mul(kind.bytes())) != Some(bytes) {
        let reason = format!("has {bytes} bytes, but the shape {shape:?} of {kind:?}");
        return Err(wrong(reason));
    }
    let position = cursor.position;
    cursor.skip(bytes).map_err(|_| {
        let length = file.length();
        wrong(format!(
            "needs {bytes} bytes at {position}, but the file has {length}"
        ))
    })?;
    Ok(Variable {
        shape,
        kind,
        position,
        bytes,
    })
}
