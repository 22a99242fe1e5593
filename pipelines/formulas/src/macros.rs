//! The macros that a file defines, and formulas with them spelled out.

use std::collections::HashMap;

/// A formula spelled out may not be longer than this.
const MOST_BYTES: usize = 16 << 10;
/// Nor may macros stand in one another deeper than this.
const MOST_ROUNDS: usize = 24;
/// Definitions longer than this are none of a formula's.
const MOST_BODY: usize = 2048;

/// Macros by name, without the backslash.
#[derive(Debug, Clone, Default)]
pub struct Macros {
    known: HashMap<String, Macro>,
}

#[derive(Debug, Clone)]
struct Macro {
    arguments: usize,
    /// None if it takes an optional argument, which is not followed.
    body: Option<String>,
}

impl Macros {
    /// The definitions in a text; where there are several of a name, the last.
    pub fn read(text: &str) -> Self {
        let mut macros = Self::default();
        let mut rest = text;
        while let Some(at) = rest.find('\\') {
            rest = &rest[at + 1..];
            let name_length = rest.find(|c: char| !c.is_ascii_alphabetic());
            let (command, after) = rest.split_at(name_length.unwrap_or(rest.len()));
            let defined = match command {
                "newcommand" | "renewcommand" | "providecommand" => new_command(after),
                "def" => plain_definition(after),
                "DeclareMathOperator" => operator(after),
                _ => None,
            };
            if let Some((name, definition)) = defined {
                macros.known.insert(name, definition);
            }
        }
        macros
    }

    /// `latex` with every macro replaced by what it stands for.
    ///
    /// Errors with what is wrong if a macro lacks an argument, takes an optional one, or never
    /// comes to an end.
    pub fn expand(&self, latex: &str) -> Result<String, String> {
        if self.known.is_empty() {
            return Ok(latex.to_owned());
        }
        let mut text = latex.to_owned();
        for _ in 0..MOST_ROUNDS {
            let (next, changed) = self.round(&text)?;
            if !changed {
                return Ok(next);
            }
            if next.len() > MOST_BYTES {
                break;
            }
            text = next;
        }
        Err(format!(
            "still not spelled out after {MOST_ROUNDS} rounds or {MOST_BYTES} bytes"
        ))
    }

    /// Replaces what stands in `text` once.
    fn round(&self, text: &str) -> Result<(String, bool), String> {
        let (mut out, mut changed) = (String::with_capacity(text.len()), false);
        let mut rest = text;
        while let Some(at) = rest.find('\\') {
            out.push_str(&rest[..at]);
            let after = &rest[at + 1..];
            let end = after
                .find(|c: char| !c.is_ascii_alphabetic())
                .unwrap_or(after.len());
            if end == 0 {
                let length = after.chars().next().map_or(0, char::len_utf8);
                out.push_str(&rest[at..at + 1 + length]);
                rest = &after[length..];
                continue;
            }
            let (name, mut tail) = after.split_at(end);
            let Some(known) = self.known.get(name) else {
                out.push('\\');
                out.push_str(name);
                rest = tail;
                continue;
            };
            let Some(body) = &known.body else {
                return Err(format!("\\{name} takes an optional argument"));
            };
            let mut arguments = Vec::with_capacity(known.arguments);
            for number in 1..=known.arguments {
                let (argument, after) = argument(tail)
                    .ok_or_else(|| format!("\\{name} lacks its argument {number}"))?;
                arguments.push(argument);
                tail = after;
            }
            changed = true;
            insert(body, &arguments, &mut out);
            if tail.starts_with(|c: char| c.is_ascii_alphabetic()) {
                out.push(' ');
            }
            if out.len() > MOST_BYTES {
                return Err(format!("\\{name} makes it longer than {MOST_BYTES} bytes"));
            }
            rest = tail;
        }
        out.push_str(rest);
        Ok((out, changed))
    }
}

/// A macro's body with its arguments in their places.
fn insert(body: &str, arguments: &[&str], out: &mut String) {
    let mut rest = body;
    while let Some(at) = rest.find('#') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let digit = rest.chars().next().and_then(|c| c.to_digit(10));
        if let Some(argument) = digit.and_then(|d| arguments.get((d as usize).checked_sub(1)?)) {
            out.push_str(argument);
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
}

/// One argument that `text` begins with, without braces, and what follows.
fn argument(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    if text.starts_with('{') {
        return braced(text);
    }
    let first = text.chars().next()?;
    let length = match first {
        '\\' => {
            let letters = text[1..].find(|c: char| !c.is_ascii_alphabetic());
            1 + letters.unwrap_or(text.len() - 1).max(1)
        }
        '}' => return None,
        other => other.len_utf8(),
    };
    text.is_char_boundary(length.min(text.len()))
        .then(|| text.split_at(length.min(text.len())))
}

/// What stands in the braces that `text` begins with, and what follows them.
fn braced(text: &str) -> Option<(&str, &str)> {
    let inner = text.trim_start().strip_prefix('{')?;
    let (mut depth, mut escaped) = (1usize, false);
    for (at, letter) in inner.char_indices() {
        if at > MOST_BODY {
            return None;
        }
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((&inner[..at], &inner[at + 1..]));
        }
    }
    None
}

/// A command's name, in braces or bare, and what follows.
fn name(text: &str) -> Option<(String, &str)> {
    let text = text.strip_prefix('*').unwrap_or(text);
    let (name, rest) = argument(text)?;
    let name = name.trim().strip_prefix('\\')?;
    let letters = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphabetic());
    letters.then(|| (name.to_owned(), rest))
}

/// `{\name}[n][default]{body}`
fn new_command(text: &str) -> Option<(String, Macro)> {
    let (name, mut rest) = name(text)?;
    let (mut arguments, mut optional) = (0, false);
    if let Some(inner) = rest.trim_start().strip_prefix('[') {
        let (number, after) = inner.split_once(']')?;
        arguments = number.trim().parse().ok().filter(|n| *n <= 9)?;
        rest = after;
        if let Some(inner) = rest.trim_start().strip_prefix('[') {
            optional = true;
            rest = inner.split_once(']')?.1;
        }
    }
    let (body, _) = braced(rest)?;
    let body = (!optional).then(|| body.to_owned());
    Some((name, Macro { arguments, body }))
}

/// `\name#1#2{body}`
fn plain_definition(text: &str) -> Option<(String, Macro)> {
    let (name, rest) = name(text)?;
    let parameters = rest.find('{')?;
    let list = rest[..parameters].trim();
    let arguments = list.matches('#').count();
    let expected: String = (1..=arguments).map(|n| format!("#{n}")).collect();
    if arguments > 9 || list != expected {
        return None;
    }
    let (body, _) = braced(&rest[parameters..])?;
    let body = Some(body.to_owned());
    Some((name, Macro { arguments, body }))
}

/// `{\name}{text}`
fn operator(text: &str) -> Option<(String, Macro)> {
    let star = if text.starts_with('*') { "*" } else { "" };
    let (name, rest) = name(text)?;
    let (body, _) = braced(rest)?;
    let body = Some(format!("\\operatorname{star}{{{body}}}"));
    Some((name, Macro { arguments: 0, body }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r"\newcommand{\R}{\mathbb{R}} \newcommand\norm[1]{\left\|#1\right\|}
        \def\pair#1#2{(#1, #2)} \DeclareMathOperator*{\argmin}{arg\,min}
        \newcommand{\maybe}[2][x]{#1 #2} \def\loop{\loop a} \newcommand{\two}{\R\times\R}";

    #[test]
    fn macros_are_spelled_out() {
        let macros = Macros::read(FILE);
        let same = [
            (r"\R^n", r"\mathbb{R}^n"),
            (
                r"\norm{x} + \norm y",
                r"\left\|x\right\| + \left\|y\right\|",
            ),
            (r"\pair{a}\R", r"(a, \mathbb{R})"),
            (r"\argmin_w f", r"\operatorname*{arg\,min}_w f"),
            (r"\two", r"\mathbb{R}\times\mathbb{R}"),
            (r"\Rx", r"\Rx"),
            (r"\\R", r"\\R"),
        ];
        for (source, wanted) in same {
            assert_eq!(macros.expand(source).as_deref(), Ok(wanted), "{source}");
        }
    }

    #[test]
    fn macros_that_cannot_be_spelled_out_say_why() {
        let macros = Macros::read(FILE);
        let refused = |source: &str| macros.expand(source).unwrap_err();
        assert!(refused(r"\maybe{a}").contains("optional"));
        assert!(refused(r"\norm").contains("argument 1"));
        assert!(refused(r"\loop").contains("rounds"));
        let doubling = Macros::read(r"\def\a{\b\b}\def\b{\c\c}\def\c{\a\a}");
        assert!(doubling.expand(r"\a").is_err());
    }
}
