//! The `tojson` filter as transformers overrides it: Python's `json.dumps`, nothing escaped for
//! HTML, letters beyond ASCII kept.

use std::io::{self, Write};

use minijinja::value::Kwargs;
use minijinja::{Error, ErrorKind, Value};
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};

/// Widest indent asked for.
const MAX_INDENT: usize = 16;

/// `json.dumps(value, ensure_ascii=False, indent=indent)`.
///
/// Errors if the value is no JSON, or for other arguments, which no public template uses.
pub(super) fn tojson(value: Value, options: Kwargs) -> Result<Value, Error> {
    let indent: Option<usize> = options.get("indent")?;
    let ensure_ascii: Option<bool> = options.get("ensure_ascii")?;
    options.assert_all_used()?;
    let refuse = |reason: &str| Err(Error::new(ErrorKind::InvalidOperation, reason.to_owned()));
    if ensure_ascii == Some(true) {
        return refuse("tojson: ensure_ascii is not supported");
    }
    let mut bytes = Vec::new();
    let written = match indent {
        None => {
            let mut json = serde_json::Serializer::with_formatter(&mut bytes, Python);
            value.serialize(&mut json)
        }
        Some(width @ 0..=MAX_INDENT) => {
            let spaces = " ".repeat(width);
            let formatter = PrettyFormatter::with_indent(spaces.as_bytes());
            let mut json = serde_json::Serializer::with_formatter(&mut bytes, formatter);
            value.serialize(&mut json)
        }
        Some(_) => return refuse("tojson: indent is too wide"),
    };
    let text = written.ok().and_then(|()| String::from_utf8(bytes).ok());
    match text {
        Some(text) => Ok(Value::from(text)),
        None => refuse("tojson: the value is no JSON"),
    }
}

/// Python's separators: `", "` and `": "`.
struct Python;

impl Formatter for Python {
    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        match first {
            true => Ok(()),
            false => out.write_all(b", "),
        }
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.begin_array_value(out, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }

    fn write_f64<W: ?Sized + Write>(&mut self, out: &mut W, value: f64) -> io::Result<()> {
        CompactFormatter.write_f64(out, value)
    }
}
