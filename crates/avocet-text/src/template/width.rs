//! Python's `str.format` under a bound: a width in it may ask for any amount of memory at once, which
//! no budget of steps stops.

use minijinja::{Error, ErrorKind};

/// Most digits of a width or precision.
const MAX_DIGITS: usize = 3;

/// Errors if a width has more digits than any layout, or comes from an argument.
pub(super) fn check(text: &str) -> Result<(), Error> {
    let digits = text
        .split(|letter: char| !letter.is_ascii_digit())
        .map(str::len);
    let (mut nested, mut open) = (false, false);
    for letter in text.replace("{{", "").replace("}}", "").chars() {
        nested |= open && letter == '{';
        open = (open || letter == '{') && letter != '}';
    }
    if digits.max() > Some(MAX_DIGITS) || nested {
        let reason = format!("format: {text:?} asks for a width that is not written out, or huge");
        return Err(Error::new(ErrorKind::InvalidOperation, reason));
    }
    Ok(())
}
