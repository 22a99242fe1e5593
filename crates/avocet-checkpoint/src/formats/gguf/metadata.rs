//! Metadata of a GGUF file, read by key as the types that they should have.

use super::value::Value;
use crate::error::{CheckpointError, Result};
use std::collections::BTreeMap;
use std::path::Path;

/// Metadata of a file, read by key.
pub(crate) struct Metadata<'a> {
    path: &'a Path,
    values: &'a BTreeMap<String, Value>,
}

impl<'a> Metadata<'a> {
    pub fn new(path: &'a Path, values: &'a BTreeMap<String, Value>) -> Self {
        Self { path, values }
    }

    pub fn refuse(&self, key: &str, reason: impl std::fmt::Display) -> CheckpointError {
        CheckpointError::Family {
            path: self.path.to_owned(),
            reason: format!("{key}: {reason}"),
        }
    }

    fn one<T>(
        &self,
        key: &str,
        read: impl Fn(&Value) -> Option<T>,
        kind: &str,
    ) -> Result<Option<T>> {
        match self.values.get(key) {
            None => Ok(None),
            Some(value) => match read(value) {
                Some(read) => Ok(Some(read)),
                None => Err(self.refuse(key, format!("is not {kind}"))),
            },
        }
    }

    pub fn size(&self, key: &str) -> Result<Option<usize>> {
        self.one(key, |v| usize::try_from(v.as_u64()?).ok(), "a whole number")
    }

    pub fn need(&self, key: &str) -> Result<usize> {
        self.size(key)?
            .ok_or_else(|| self.refuse(key, "is missing"))
    }

    pub fn number(&self, key: &str) -> Result<Option<f64>> {
        self.one(key, Value::as_f64, "a number")
    }

    pub fn text(&self, key: &str) -> Result<Option<String>> {
        self.one(key, |v| v.as_str().map(str::to_owned), "a text")
    }

    pub fn flag(&self, key: &str) -> Result<Option<bool>> {
        self.one(key, Value::as_bool, "true or false")
    }

    pub fn texts(&self, key: &str) -> Result<Vec<String>> {
        let texts = self.one(
            key,
            |v| v.as_texts().map(<[String]>::to_vec),
            "a list of texts",
        )?;
        Ok(texts.unwrap_or_default())
    }

    pub fn numbers(&self, key: &str) -> Result<Vec<f64>> {
        let numbers = self.one(key, Value::as_numbers, "a list of numbers")?;
        Ok(numbers.unwrap_or_default())
    }

    /// The id of a token, if it is given.
    pub fn id(&self, key: &str) -> Result<Option<u32>> {
        self.one(
            key,
            |v| u32::try_from(v.as_u64()?).ok(),
            "the id of a token",
        )
    }
}
