//! The `tojson` filter as transformers overrides it: Python's `json.dumps`, nothing escaped for
//! HTML, letters beyond ASCII kept unless `ensure_ascii` is asked for.

use std::io::{self, Write};

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Error, ErrorKind, Value};
use serde::Serialize;
use serde_json::ser::Formatter;

/// Widest indent asked for, in bytes.
const MAX_INDENT: usize = 16;
/// Longest separator.
const MAX_SEPARATOR: usize = 64;
/// Deepest value whose keys are sorted.
const MAX_DEPTH: usize = 64;

/// `json.dumps(value, ensure_ascii, indent, separators=.., sort_keys=..)`; the first two may be
/// given by name too.
///
/// Errors if the value is no JSON, or an option asks for what no layout needs.
pub(super) fn tojson(
    value: Value,
    ensure_ascii: Option<Value>,
    indent: Option<Value>,
    options: Kwargs,
) -> Result<Value, Error> {
    let option = |by_place: Option<Value>, name: &str| -> Result<Option<Value>, Error> {
        let by_name: Option<Value> = options.get(name)?;
        Ok(by_name.or(by_place).filter(|value| !value.is_none()))
    };
    let is_set = |value: Option<Value>| value.is_some_and(|value| value.is_true());
    let ensure_ascii = is_set(option(ensure_ascii, "ensure_ascii")?);
    let indent = option(indent, "indent")?.map(indented).transpose()?;
    let separators = option(None, "separators")?.map(parted).transpose()?;
    let sort_keys = is_set(option(None, "sort_keys")?);
    options.assert_all_used()?;
    let usual = if indent.is_some() { "," } else { ", " };
    let (item, key) = separators.unwrap_or_else(|| (usual.to_owned(), ": ".to_owned()));
    let value = match sort_keys {
        true => sorted(&value, 0)?,
        false => value,
    };
    let layout = Python {
        item,
        key,
        indent,
        ensure_ascii,
        depth: 0,
        is_empty: false,
    };
    let mut bytes = Vec::new();
    let written = value.serialize(&mut serde_json::Serializer::with_formatter(
        &mut bytes, layout,
    ));
    let text = written.ok().and_then(|()| String::from_utf8(bytes).ok());
    text.map(Value::from)
        .ok_or_else(|| refused("the value is no JSON"))
}

fn refused(reason: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, format!("tojson: {reason}"))
}

/// What one level is indented by: a number of spaces, or a text.
fn indented(value: Value) -> Result<String, Error> {
    let width = match value.as_str() {
        Some(text) if text.len() <= MAX_INDENT => return Ok(text.to_owned()),
        Some(_) => None,
        None => value.as_usize().filter(|width| *width <= MAX_INDENT),
    };
    let width = width.ok_or_else(|| refused("indent is too wide"))?;
    Ok(" ".repeat(width))
}

/// What stands between items, and behind a key.
fn parted(value: Value) -> Result<(String, String), Error> {
    let short = |value: &Value| {
        let text = value.as_str().filter(|text| text.len() <= MAX_SEPARATOR);
        text.map(str::to_owned)
    };
    let texts: Vec<Value> = value.try_iter()?.take(3).collect();
    match texts
        .iter()
        .map(short)
        .collect::<Option<Vec<_>>>()
        .as_deref()
    {
        Some([item, key]) => Ok((item.clone(), key.clone())),
        _ => Err(refused("separators are two short texts")),
    }
}

/// The value with the keys of all its dictionaries in order.
fn sorted(value: &Value, depth: usize) -> Result<Value, Error> {
    if depth > MAX_DEPTH {
        return Err(refused("the value is nested too deep to be sorted"));
    }
    match value.kind() {
        ValueKind::Map => {
            let mut keys: Vec<Value> = value.try_iter()?.collect();
            keys.sort();
            let pair = |key: Value| Ok((key.clone(), sorted(&value.get_item(&key)?, depth + 1)?));
            let pairs: Result<Vec<_>, Error> = keys.into_iter().map(pair).collect();
            Ok(Value::from_pairs(pairs?))
        }
        ValueKind::Seq => {
            let items = value.try_iter()?.map(|item| sorted(&item, depth + 1));
            Ok(Value::from(items.collect::<Result<Vec<_>, _>>()?))
        }
        _ => Ok(value.clone()),
    }
}

/// Python's layout.
struct Python {
    item: String,
    key: String,
    indent: Option<String>,
    ensure_ascii: bool,
    depth: usize,
    is_empty: bool,
}

impl Python {
    fn open<W: ?Sized + Write>(&mut self, out: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth += 1;
        self.is_empty = true;
        out.write_all(bracket)
    }

    fn close<W: ?Sized + Write>(&mut self, out: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth -= 1;
        if !self.is_empty {
            self.line(out)?;
        }
        self.is_empty = false;
        out.write_all(bracket)
    }

    fn next<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.is_empty = false;
        if !first {
            out.write_all(self.item.as_bytes())?;
        }
        self.line(out)
    }

    fn line<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        let Some(indent) = &self.indent else {
            return Ok(());
        };
        out.write_all(b"\n")?;
        (0..self.depth).try_for_each(|_| out.write_all(indent.as_bytes()))
    }
}

impl Formatter for Python {
    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.open(out, b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.close(out, b"]")
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.next(out, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.is_empty = false;
        Ok(())
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.open(out, b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.close(out, b"}")
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.next(out, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(self.key.as_bytes())
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.is_empty = false;
        Ok(())
    }

    /// Python's `repr`: the shortest digits, a sign and two digits at least in an exponent.
    fn write_f64<W: ?Sized + Write>(&mut self, out: &mut W, value: f64) -> io::Result<()> {
        let text = format!("{value:?}");
        match text.split_once('e') {
            Some((digits, exponent)) => match exponent.parse::<i32>() {
                Ok(exponent) => write!(out, "{digits}e{exponent:+03}"),
                Err(_) => out.write_all(text.as_bytes()),
            },
            None => out.write_all(text.as_bytes()),
        }
    }

    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if !self.ensure_ascii {
            return out.write_all(fragment.as_bytes());
        }
        let mut units = [0; 2];
        for letter in fragment.chars() {
            match letter {
                ' '..='~' => out.write_all(&[letter as u8])?,
                _ => {
                    for unit in letter.encode_utf16(&mut units) {
                        write!(out, "\\u{unit:04x}")?;
                    }
                }
            }
        }
        Ok(())
    }
}
