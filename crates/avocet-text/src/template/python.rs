//! What Python's strings and lists do, and Jinja2's filters and operators, where minijinja lacks it.
//!
//! Widths are bounded: one may ask for any amount of memory at once, which no budget of steps stops.

use minijinja::value::{Kwargs, Rest, ValueKind, from_args};
use minijinja::{Environment, Error, ErrorKind, State, Value, context};

use super::source::PERCENT;
use super::{tojson, width};

/// Widest field asked for.
const MAX_WIDTH: usize = 999;

/// Adds the filters, functions and methods.
pub(super) fn add_to(environment: &mut Environment<'_>) {
    environment.set_unknown_method_callback(method);
    environment.add_filter("tojson", tojson::tojson);
    environment.add_filter("wordcount", wordcount);
    environment.add_filter("center", center);
    environment.add_filter("truncate", truncate);
    environment.add_filter("striptags", minijinja_contrib::filters::striptags);
    environment.add_filter("filesizeformat", minijinja_contrib::filters::filesizeformat);
    environment.add_function("cycler", |items: Rest<Value>| {
        minijinja_contrib::globals::cycler(items.to_vec())
    });
    environment.add_function("joiner", minijinja_contrib::globals::joiner);
    environment.add_function(PERCENT, percent);
    environment.add_function("raise_exception", raise_exception);
}

fn refused(reason: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, reason.into())
}

fn raise_exception(message: &str) -> Result<Value, Error> {
    Err(refused(message))
}

/// Runs of letters, digits and underscores.
fn wordcount(text: &str) -> usize {
    let is_gap = |letter: char| !letter.is_alphanumeric() && letter != '_';
    text.split(is_gap).filter(|word| !word.is_empty()).count()
}

/// Cuts a text that is longer than `length` and some letters of leeway, between words unless
/// `killwords`.
fn truncate(
    text: &str,
    length: Option<usize>,
    killwords: Option<bool>,
    end: Option<&str>,
    named: Kwargs,
) -> Result<String, Error> {
    let length = named
        .get::<Option<usize>>("length")?
        .or(length)
        .unwrap_or(255);
    let killwords = named.get::<Option<bool>>("killwords")?.or(killwords);
    let end = named.get::<Option<&str>>("end")?.or(end).unwrap_or("...");
    let leeway = named.get::<Option<usize>>("leeway")?.unwrap_or(5);
    named.assert_all_used()?;
    if text.chars().count() <= length.saturating_add(leeway) {
        return Ok(text.to_owned());
    }
    let kept = length.checked_sub(end.chars().count());
    let kept = kept.ok_or_else(|| refused("truncate: the end is longer than the text may be"))?;
    let cut: String = text.chars().take(kept).collect();
    let words = match killwords {
        Some(true) => &cut[..],
        _ => cut.rsplit_once(' ').map_or(&cut[..], |(words, _)| words),
    };
    Ok(format!("{words}{end}"))
}

fn center(text: &str, width: Option<usize>) -> Result<String, Error> {
    centered(text, width.unwrap_or(80), ' ')
}

/// `left % right`: a text is a pattern that the values are put into, numbers are divided.
///
/// `is_tuple` says that `right` was written as one; a list by another name is one where the
/// pattern takes more or less than one value.
fn percent(
    state: &mut State,
    left: Value,
    right: Value,
    is_tuple: Option<bool>,
) -> Result<Value, Error> {
    let Some(pattern) = left.as_str() else {
        let remainder = state.env().compile_expression("left % right")?;
        return remainder.eval(context! { left, right });
    };
    let (pattern, shown) = without_repr(pattern);
    let conversions = shown.len();
    let is_list = right.kind() == ValueKind::Seq && conversions != 1;
    let mut values = vec![Value::from(pattern)];
    match is_tuple == Some(true) || is_list {
        true => values.extend(right.try_iter()?),
        false => values.push(right),
    }
    let is_named = values
        .get(1)
        .is_some_and(|value| value.kind() == ValueKind::Map);
    if !is_named && values.len() - 1 > conversions {
        return Err(refused("not all values were put into the pattern of `%`"));
    }
    for (value, _) in values[1..]
        .iter_mut()
        .zip(shown)
        .filter(|(_, shown)| *shown)
    {
        let list = Value::from(vec![value.clone()]).to_string();
        *value = Value::from(&list[1..list.len() - 1]);
    }
    state.apply_filter("format", &values)
}

/// A pattern with `%s` for each `%r`, and for each conversion whether it was one, which shows a
/// value as it would be written in a program.
fn without_repr(pattern: &str) -> (String, Vec<bool>) {
    let (mut text, mut shown) = (String::with_capacity(pattern.len()), Vec::new());
    let mut rest = pattern;
    while let Some(at) = rest.find('%') {
        let spec = &rest[at + 1..];
        let end = spec.find(|letter: char| letter.is_ascii_alphabetic() || letter == '%');
        // A name in brackets holds letters that are no conversion.
        let end = match spec.starts_with('(') {
            true => spec.find(')').and_then(|close| {
                let behind = spec[close..].find(|letter: char| letter.is_ascii_alphabetic());
                behind.map(|letter| close + letter)
            }),
            false => end,
        };
        let Some(end) = end else {
            break;
        };
        let (head, tail) = rest.split_at(at + 1 + end);
        text.push_str(head);
        text.push_str(match &tail[..1] {
            "r" | "a" => "s",
            letter => letter,
        });
        if !tail.starts_with('%') {
            shown.push(tail.starts_with(['r', 'a']));
        }
        rest = &tail[1..];
    }
    text.push_str(rest);
    (text, shown)
}

/// The methods of Python's strings, lists and dictionaries.
fn method(
    state: &mut State,
    value: &Value,
    name: &str,
    arguments: &[Value],
) -> Result<Value, Error> {
    let found = match value.as_str() {
        Some(text) => string_method(text, name, arguments)?,
        None if value.kind() == ValueKind::Seq => list_method(value, name, arguments)?,
        None if (name, value.kind()) == ("copy", ValueKind::Map) => Some(value.clone()),
        None => None,
    };
    match found {
        Some(found) => Ok(found),
        None => minijinja_contrib::pycompat::unknown_method_callback(state, value, name, arguments),
    }
}

fn list_method(value: &Value, name: &str, arguments: &[Value]) -> Result<Option<Value>, Error> {
    Ok(Some(match name {
        "copy" => value.clone(),
        "index" => {
            let (wanted,): (&Value,) = from_args(arguments)?;
            let place = value.try_iter()?.position(|item| item == *wanted);
            Value::from(place.ok_or_else(|| refused("index: is not in the list"))?)
        }
        _ => return Ok(None),
    }))
}

/// A method of strings that minijinja's own do not have, or do otherwise.
fn string_method(text: &str, name: &str, arguments: &[Value]) -> Result<Option<Value>, Error> {
    let fill = || -> Result<(usize, char), Error> {
        let (width, fill): (usize, Option<&str>) = from_args(arguments)?;
        let mut letters = fill.unwrap_or(" ").chars();
        match (letters.next(), letters.next()) {
            (Some(letter), None) => Ok((width, letter)),
            _ => Err(refused(format!("{name}: fills with one letter"))),
        }
    };
    Ok(Some(match name {
        "format" => {
            width::check(text)?;
            return Ok(None);
        }
        "split" | "rsplit" => {
            let (separator, most) = split_arguments(arguments)?;
            Value::from(split(text, separator.as_deref(), most, name == "rsplit")?)
        }
        "partition" => {
            let separator = one(arguments)?;
            let (before, after) = text.split_once(separator).unwrap_or((text, ""));
            let found = if text.contains(separator) {
                separator
            } else {
                ""
            };
            [before, found, after]
                .map(Value::from)
                .into_iter()
                .collect()
        }
        "rpartition" => {
            let separator = one(arguments)?;
            let (before, after) = text.rsplit_once(separator).unwrap_or(("", text));
            let found = if text.contains(separator) {
                separator
            } else {
                ""
            };
            [before, found, after]
                .map(Value::from)
                .into_iter()
                .collect()
        }
        "removeprefix" => Value::from(text.strip_prefix(one(arguments)?).unwrap_or(text)),
        "removesuffix" => Value::from(text.strip_suffix(one(arguments)?).unwrap_or(text)),
        "index" | "rindex" => {
            let wanted = one(arguments)?;
            let at = match name {
                "index" => text.find(wanted),
                _ => text.rfind(wanted),
            };
            let at = at.ok_or_else(|| refused(format!("{name}: {wanted:?} is not in the text")))?;
            Value::from(text[..at].chars().count())
        }
        "zfill" => {
            let (width,): (usize,) = from_args(arguments)?;
            let (sign, digits) = match text.strip_prefix(['-', '+']) {
                Some(digits) => text.split_at(text.len() - digits.len()),
                None => ("", text),
            };
            let gap = gap(text, width)?;
            Value::from(format!("{sign}{}{digits}", "0".repeat(gap)))
        }
        "ljust" | "rjust" | "center" => {
            let (width, letter) = fill()?;
            Value::from(match name {
                "center" => centered(text, width, letter)?,
                "ljust" => format!("{text}{}", padding(text, width, letter)?),
                _ => format!("{}{text}", padding(text, width, letter)?),
            })
        }
        "casefold" => Value::from(text.to_lowercase().replace('ß', "ss")),
        "swapcase" => {
            let swap = |letter: char| match letter.is_uppercase() {
                true => letter.to_lowercase().to_string(),
                false => letter.to_uppercase().to_string(),
            };
            Value::from(text.chars().map(swap).collect::<String>())
        }
        "isdecimal" => Value::from(!text.is_empty() && text.chars().all(|c| c.is_ascii_digit())),
        "title" => Value::from(titled(text)),
        "istitle" => Value::from(titled(text) == text && text.chars().any(char::is_alphabetic)),
        _ => return Ok(None),
    }))
}

/// Each run of letters with its first in upper case, as Python's `title` has it.
fn titled(text: &str) -> String {
    let mut titled = String::with_capacity(text.len());
    let mut in_word = false;
    for letter in text.chars() {
        match in_word {
            true => titled.extend(letter.to_lowercase()),
            false => titled.extend(letter.to_uppercase()),
        }
        in_word = letter.is_alphabetic();
    }
    titled
}

fn one(arguments: &[Value]) -> Result<&str, Error> {
    let (text,): (&str,) = from_args(arguments)?;
    Ok(text)
}

/// How many letters `text` lacks to be `width` wide.
fn gap(text: &str, width: usize) -> Result<usize, Error> {
    if width > MAX_WIDTH {
        return Err(refused(format!("a width of {width}, at most {MAX_WIDTH}")));
    }
    Ok(width.saturating_sub(text.chars().count()))
}

fn padding(text: &str, width: usize, letter: char) -> Result<String, Error> {
    Ok(letter.to_string().repeat(gap(text, width)?))
}

/// As Python centres: of an odd gap the larger half is left where the width is odd.
fn centered(text: &str, width: usize, letter: char) -> Result<String, Error> {
    let gap = gap(text, width)?;
    let left = gap / 2 + (gap & width & 1);
    let fill = |count: usize| letter.to_string().repeat(count);
    Ok(format!("{}{text}{}", fill(left), fill(gap - left)))
}

/// The separator and the most splits, by place or by name.
fn split_arguments(arguments: &[Value]) -> Result<(Option<String>, Option<usize>), Error> {
    let (mut separator, mut most, named): (Option<Value>, Option<Value>, Kwargs) =
        from_args(arguments)?;
    if named.has("sep") {
        separator = named.get("sep")?;
    }
    if named.has("maxsplit") {
        most = named.get("maxsplit")?;
    }
    named.assert_all_used()?;
    let separator = separator.filter(|value| !value.is_none() && !value.is_undefined());
    let separator = separator.map(|value| match value.as_str() {
        Some("") => Err(refused("split: the separator is empty")),
        Some(text) => Ok(text.to_owned()),
        None => Err(refused("split: the separator is no text")),
    });
    let most = most.filter(|value| !value.is_none() && !value.is_undefined());
    let most = most.map(i64::try_from).transpose()?;
    Ok((
        separator.transpose()?,
        most.and_then(|most| most.try_into().ok()),
    ))
}

/// Python's `split` and `rsplit`; without a separator runs of white space part words.
fn split(
    text: &str,
    separator: Option<&str>,
    most: Option<usize>,
    from_end: bool,
) -> Result<Vec<String>, Error> {
    let most = most.unwrap_or(usize::MAX - 1);
    let mut parts: Vec<String> = match (separator, from_end) {
        (Some(separator), false) => text
            .splitn(most + 1, separator)
            .map(str::to_owned)
            .collect(),
        (Some(separator), true) => text
            .rsplitn(most + 1, separator)
            .map(str::to_owned)
            .collect(),
        (None, _) => words(text, most, from_end),
    };
    if from_end {
        parts.reverse();
    }
    Ok(parts)
}

/// Words, at most `most` of them parted off; what is left is the last, and trimmed on the side
/// that is worked from.
fn words(text: &str, most: usize, from_end: bool) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        rest = match from_end {
            true => rest.trim_end(),
            false => rest.trim_start(),
        };
        if rest.is_empty() {
            return parts;
        }
        let is_space = |(_, letter): &(usize, char)| letter.is_whitespace();
        let edge = match from_end {
            true => rest.char_indices().rfind(is_space),
            false => rest.char_indices().find(is_space),
        };
        let Some((at, letter)) = edge.filter(|_| parts.len() < most) else {
            parts.push(rest.to_owned());
            return parts;
        };
        let (word, left) = match from_end {
            true => (&rest[at + letter.len_utf8()..], &rest[..at]),
            false => (&rest[..at], &rest[at..]),
        };
        parts.push(word.to_owned());
        rest = left;
    }
}
