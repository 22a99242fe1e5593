//! Fields of a public `config.json`, read one by one: these files carry much that has no meaning
//! here, and leave out much that has a default.

use crate::error::{CheckpointError, Result};
use crate::io;
use crate::layout::MAX_PUBLIC_CONFIG;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// An object of a JSON file, with where it is for messages.
#[derive(Debug, Clone)]
pub(super) struct Fields {
    path: PathBuf,
    at: String,
    object: Map<String, Value>,
}

/// Most layers of a decoder; the network itself takes no more.
const MAX_LAYERS: usize = 4096;
/// Largest width; the network itself takes no more.
const MAX_WIDTH: usize = 1 << 24;

impl Fields {
    /// Reads the object that the file `path` holds.
    pub fn read(path: &Path) -> Result<Self> {
        let json = |reason: String| CheckpointError::Family {
            path: path.to_owned(),
            reason,
        };
        let bytes = io::read(path, MAX_PUBLIC_CONFIG)?;
        let value: Value = serde_json::from_slice(&bytes).map_err(|e| json(e.to_string()))?;
        match value {
            Value::Object(object) => Ok(Self {
                path: path.to_owned(),
                at: String::new(),
                object,
            }),
            _ => Err(json("is not a JSON object".into())),
        }
    }

    /// As [`Fields::read`]; `None` if there is no such file.
    pub fn read_if_there(path: &Path) -> Result<Option<Self>> {
        if path.is_file() {
            Self::read(path).map(Some)
        } else {
            Ok(None)
        }
    }

    /// An error about the field `name`.
    pub fn refuse(&self, name: &str, reason: impl std::fmt::Display) -> CheckpointError {
        CheckpointError::Family {
            path: self.path.clone(),
            reason: format!("{}{name}: {reason}", self.at),
        }
    }

    /// The value of a field that is there and not null.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    /// An object within, if it is there.
    pub fn inner(&self, name: &str) -> Result<Option<Self>> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Object(object)) => Ok(Some(Self {
                path: self.path.clone(),
                at: format!("{}{name}.", self.at),
                object: object.clone(),
            })),
            Some(_) => Err(self.refuse(name, "is not an object")),
        }
    }

    /// An object within.
    pub fn need_inner(&self, name: &str) -> Result<Self> {
        self.inner(name)?
            .ok_or_else(|| self.refuse(name, "is missing"))
    }

    pub fn size(&self, name: &str) -> Result<usize> {
        self.size_if_there(name)?
            .ok_or_else(|| self.refuse(name, "is missing"))
    }

    pub fn size_or(&self, name: &str, default: usize) -> Result<usize> {
        Ok(self.size_if_there(name)?.unwrap_or(default))
    }

    pub fn size_if_there(&self, name: &str) -> Result<Option<usize>> {
        self.one(name, as_size, "a whole number from 0 on")
    }

    /// A number of layers, which is also what lists of layers are made from: refused where it
    /// would make those too long.
    pub fn layers(&self, name: &str) -> Result<usize> {
        let layers = self.size(name)?;
        if layers > MAX_LAYERS {
            return Err(self.refuse(name, format!("is {layers}, at most {MAX_LAYERS} are read")));
        }
        Ok(layers)
    }

    /// A size of which multiples are taken.
    pub fn width(&self, name: &str) -> Result<usize> {
        let width = self.size(name)?;
        self.check_width(name, width)
    }

    /// As [`Fields::width`].
    pub fn width_or(&self, name: &str, default: usize) -> Result<usize> {
        let width = self.size_or(name, default)?;
        self.check_width(name, width)
    }

    fn check_width(&self, name: &str, width: usize) -> Result<usize> {
        if width > MAX_WIDTH {
            return Err(self.refuse(name, format!("is {width}, at most {MAX_WIDTH} are read")));
        }
        Ok(width)
    }

    /// Whether the field is there, if only as null.
    pub fn is_there(&self, name: &str) -> bool {
        self.object.contains_key(name)
    }

    pub fn number_or(&self, name: &str, default: f64) -> Result<f64> {
        Ok(self.number_if_there(name)?.unwrap_or(default))
    }

    pub fn number_if_there(&self, name: &str) -> Result<Option<f64>> {
        self.one(name, Value::as_f64, "a number")
    }

    pub fn flag_or(&self, name: &str, default: bool) -> Result<bool> {
        let flag = self.one(name, Value::as_bool, "true or false")?;
        Ok(flag.unwrap_or(default))
    }

    pub fn text_if_there(&self, name: &str) -> Result<Option<String>> {
        self.one(name, |value| value.as_str().map(str::to_owned), "a text")
    }

    pub fn text_or(&self, name: &str, default: &str) -> Result<String> {
        let text = self.text_if_there(name)?;
        Ok(text.unwrap_or_else(|| default.to_owned()))
    }

    /// A list of whole numbers; empty if it is not there.
    pub fn sizes(&self, name: &str) -> Result<Vec<usize>> {
        self.list(name, as_size)
    }

    /// A list of numbers; empty if it is not there.
    pub fn numbers(&self, name: &str) -> Result<Vec<f64>> {
        self.list(name, Value::as_f64)
    }

    /// Pairs of whole numbers; empty if they are not there.
    pub fn pairs(&self, name: &str) -> Result<Vec<(usize, usize)>> {
        self.list(name, |value| match value.as_array()?.as_slice() {
            [a, b] => Some((as_size(a)?, as_size(b)?)),
            _ => None,
        })
    }

    /// One whole number or a list of them, such as the ids of tokens that end an answer.
    pub fn ids(&self, name: &str) -> Result<Vec<u32>> {
        let id = |value: &Value| value.as_u64().and_then(|n| u32::try_from(n).ok());
        match self.get(name) {
            Some(value) if !value.is_array() => {
                let one = self.one(name, id, "the id of a token")?;
                Ok(one.into_iter().collect())
            }
            _ => self.list(name, id),
        }
    }

    fn one<T>(
        &self,
        name: &str,
        read: impl Fn(&Value) -> Option<T>,
        kind: &str,
    ) -> Result<Option<T>> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        match read(value) {
            Some(read) => Ok(Some(read)),
            None => Err(self.refuse(name, format!("is not {kind}"))),
        }
    }

    fn list<T>(&self, name: &str, item: impl Fn(&Value) -> Option<T>) -> Result<Vec<T>> {
        let read = |value: &Value| value.as_array()?.iter().map(&item).collect();
        Ok(self
            .one(name, read, "a list of the right kind")?
            .unwrap_or_default())
    }
}

fn as_size(value: &Value) -> Option<usize> {
    usize::try_from(value.as_u64()?).ok()
}
