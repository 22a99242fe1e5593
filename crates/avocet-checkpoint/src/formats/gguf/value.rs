//! Metadata of a GGUF file: numbers, truth values, strings and arrays of them.

use super::cursor::{Cursor, fail};
use super::error::{GgufError, Problem};

/// Arrays within arrays beyond this are refused.
const MAX_DEPTH: usize = 4;
/// Bytes of the length of a string, and of the type and length of an array.
const LEAST_STRING: usize = 8;
const LEAST_ARRAY: usize = 12;

/// One value of the metadata.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the variants are the format's own types")]
pub enum Value {
    U8(u8),
    I8(i8),
    U16(u16),
    I16(i16),
    U32(u32),
    I32(i32),
    F32(f32),
    Bool(bool),
    String(String),
    Array(Array),
    U64(u64),
    I64(i64),
    F64(f64),
}

/// Values of one type; they take about as much memory as they take in the file.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the variants are the format's own types")]
pub enum Array {
    U8(Vec<u8>),
    I8(Vec<i8>),
    U16(Vec<u16>),
    I16(Vec<i16>),
    U32(Vec<u32>),
    I32(Vec<i32>),
    F32(Vec<f32>),
    Bool(Vec<bool>),
    String(Vec<String>),
    Array(Vec<Array>),
    U64(Vec<u64>),
    I64(Vec<i64>),
    F64(Vec<f64>),
}

impl Value {
    /// Reads the type and the value.
    pub(super) fn read(cursor: &mut Cursor, field: &str) -> Result<Self, GgufError> {
        let start = cursor.offset();
        Ok(match cursor.u32(field)? {
            0 => Value::U8(u8::from_le_bytes(cursor.array(field)?)),
            1 => Value::I8(i8::from_le_bytes(cursor.array(field)?)),
            2 => Value::U16(u16::from_le_bytes(cursor.array(field)?)),
            3 => Value::I16(i16::from_le_bytes(cursor.array(field)?)),
            4 => Value::U32(cursor.u32(field)?),
            5 => Value::I32(i32::from_le_bytes(cursor.array(field)?)),
            6 => Value::F32(f32::from_le_bytes(cursor.array(field)?)),
            7 => {
                let start = cursor.offset();
                Value::Bool(truth(cursor.array::<1>(field)?[0], start, field)?)
            }
            8 => Value::String(cursor.text(u64::MAX, field)?.to_owned()),
            9 => Value::Array(Array::read(cursor, field, 1)?),
            10 => Value::U64(cursor.u64(field)?),
            11 => Value::I64(i64::from_le_bytes(cursor.array(field)?)),
            12 => Value::F64(f64::from_le_bytes(cursor.array(field)?)),
            other => return Err(fail(field, start, Problem::ValueType(other))),
        })
    }
}

impl Value {
    /// The value as a whole number from 0 on, if it is one.
    pub fn as_u64(&self) -> Option<u64> {
        match *self {
            Value::U8(n) => Some(n.into()),
            Value::U16(n) => Some(n.into()),
            Value::U32(n) => Some(n.into()),
            Value::U64(n) => Some(n),
            Value::I8(n) => n.try_into().ok(),
            Value::I16(n) => n.try_into().ok(),
            Value::I32(n) => n.try_into().ok(),
            Value::I64(n) => n.try_into().ok(),
            _ => None,
        }
    }

    /// The value as a number, if it is one.
    pub fn as_f64(&self) -> Option<f64> {
        match *self {
            Value::F32(n) => Some(n.into()),
            Value::F64(n) => Some(n),
            _ => self.as_u64().map(|n| n as f64),
        }
    }

    /// The value as a text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The value as a truth value, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match *self {
            Value::Bool(truth) => Some(truth),
            _ => None,
        }
    }

    /// The value as a list of texts, if it is one.
    pub fn as_texts(&self) -> Option<&[String]> {
        match self {
            Value::Array(Array::String(texts)) => Some(texts),
            _ => None,
        }
    }

    /// The value as a list of numbers, if it is one.
    pub fn as_numbers(&self) -> Option<Vec<f64>> {
        let Value::Array(array) = self else {
            return None;
        };
        match array {
            Array::F32(numbers) => Some(numbers.iter().map(|&n| n.into()).collect()),
            Array::F64(numbers) => Some(numbers.clone()),
            Array::I32(numbers) => Some(numbers.iter().map(|&n| n.into()).collect()),
            Array::U32(numbers) => Some(numbers.iter().map(|&n| n.into()).collect()),
            Array::I8(numbers) => Some(numbers.iter().map(|&n| n.into()).collect()),
            Array::U8(numbers) => Some(numbers.iter().map(|&n| n.into()).collect()),
            _ => None,
        }
    }
}

impl Array {
    fn read(cursor: &mut Cursor, field: &str, depth: usize) -> Result<Self, GgufError> {
        let start = cursor.offset();
        if depth > MAX_DEPTH {
            let (found, limit) = (depth as u64, MAX_DEPTH as u64);
            let field = format!("depth of {field}");
            return Err(fail(&field, start, Problem::TooMany { found, limit }));
        }
        Ok(match cursor.u32(field)? {
            0 => Array::U8(numbers(cursor, field, u8::from_le_bytes)?),
            1 => Array::I8(numbers(cursor, field, i8::from_le_bytes)?),
            2 => Array::U16(numbers(cursor, field, u16::from_le_bytes)?),
            3 => Array::I16(numbers(cursor, field, i16::from_le_bytes)?),
            4 => Array::U32(numbers(cursor, field, u32::from_le_bytes)?),
            5 => Array::I32(numbers(cursor, field, i32::from_le_bytes)?),
            6 => Array::F32(numbers(cursor, field, f32::from_le_bytes)?),
            7 => {
                let bytes = numbers(cursor, field, u8::from_le_bytes)?;
                let first = cursor.offset() - bytes.len();
                let bytes = bytes.into_iter().enumerate();
                let bools = bytes.map(|(index, byte)| truth(byte, first + index, field));
                Array::Bool(bools.collect::<Result<_, _>>()?)
            }
            8 => {
                let count = cursor.count(LEAST_STRING, field)?;
                let texts = (0..count).map(|_| Ok(cursor.text(u64::MAX, field)?.to_owned()));
                Array::String(texts.collect::<Result<_, GgufError>>()?)
            }
            9 => {
                let count = cursor.count(LEAST_ARRAY, field)?;
                let arrays = (0..count).map(|_| Array::read(cursor, field, depth + 1));
                Array::Array(arrays.collect::<Result<_, _>>()?)
            }
            10 => Array::U64(numbers(cursor, field, u64::from_le_bytes)?),
            11 => Array::I64(numbers(cursor, field, i64::from_le_bytes)?),
            12 => Array::F64(numbers(cursor, field, f64::from_le_bytes)?),
            other => return Err(fail(field, start, Problem::ValueType(other))),
        })
    }
}

fn numbers<T, const N: usize>(
    cursor: &mut Cursor,
    field: &str,
    number: impl Fn([u8; N]) -> T,
) -> Result<Vec<T>, GgufError> {
    let count = cursor.count(N, field)?;
    let bytes = cursor.bytes((count * N) as u64, field)?;
    let (numbers, _) = bytes.as_chunks::<N>();
    Ok(numbers.iter().map(|bytes| number(*bytes)).collect())
}

fn truth(byte: u8, offset: usize, field: &str) -> Result<bool, GgufError> {
    match byte {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(fail(field, offset, Problem::Bool(other))),
    }
}
