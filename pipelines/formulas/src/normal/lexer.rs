//! A formula's source as tokens.

use super::names;

/// What a source is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// Any single character that is none of the below.
    Char(char),
    /// A command with its backslash.
    Command(String),
    /// A command whose arguments are not math, printed as it stands.
    Raw(String),
    /// The beginning of an environment, its name, and its argument in braces or nothing.
    Begin(String, String),
    /// The end of an environment.
    End(String),
    /// `{`
    Open,
    /// `}`
    Close,
}

/// Cuts a source into tokens; what is incomplete at its end stays as characters.
pub(super) fn tokens(latex: &str) -> Vec<Token> {
    let mut out = Vec::new();
    let mut rest = latex;
    while let Some(letter) = rest.chars().next() {
        let after = &rest[letter.len_utf8()..];
        match letter {
            '{' => out.push(Token::Open),
            '}' => out.push(Token::Close),
            '\\' => {
                rest = command(after, &mut out);
                continue;
            }
            '%' => {
                rest = after.split_once('\n').map_or("", |(_, next)| next);
                continue;
            }
            letter if letter.is_whitespace() || letter == '~' => {}
            '−' => out.push(Token::Char('-')),
            letter => out.push(Token::Char(letter)),
        }
        rest = after;
    }
    out
}

/// Reads what follows a backslash and returns what is left.
fn command<'a>(text: &'a str, out: &mut Vec<Token>) -> &'a str {
    let letters = text
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(text.len());
    if letters == 0 {
        let Some(sign) = text.chars().next() else {
            return "";
        };
        let rest = &text[sign.len_utf8()..];
        if !names::INVISIBLE_SIGNS.contains(&sign) && !sign.is_whitespace() {
            out.push(Token::Command(format!("\\{sign}")));
        }
        // A distance may follow the end of a row.
        let distance = rest.trim_start().strip_prefix('[');
        if sign == '\\'
            && let Some((inner, after)) = distance.and_then(|d| d.split_once(']'))
        {
            let measure = inner
                .trim_start_matches('-')
                .starts_with(|c: char| c.is_ascii_digit() || c == '.');
            if measure && inner.len() < 12 {
                return after;
            }
        }
        return rest;
    }
    let (name, rest) = text.split_at(letters);
    match name {
        "begin" | "end" => {
            let Some((environment, mut rest)) = braced(rest) else {
                out.push(Token::Command(format!("\\{name}")));
                return rest;
            };
            let environment = names::environment(environment.trim()).to_owned();
            if name == "end" {
                out.push(Token::End(environment));
                return rest;
            }
            if let Some(optional) = rest.trim_start().strip_prefix('[')
                && let Some((place, after)) = optional.split_once(']')
                && place.len() == 1
            {
                rest = after;
            }
            let mut argument = String::new();
            if (environment == "array" || environment == "alignedat")
                && let Some((columns, after)) = braced(rest)
            {
                argument = columns.split_whitespace().collect();
                rest = after;
            }
            out.push(Token::Begin(environment, argument));
            rest
        }
        "operatorname" => {
            let (star, rest) = match rest.strip_prefix('*') {
                Some(after) => ("*", after),
                None => ("", rest),
            };
            let Some((operator, after)) = braced(rest) else {
                out.push(Token::Command("\\operatorname".into()));
                return rest;
            };
            let mut operator: String = operator.split_whitespace().collect();
            for sign in names::INVISIBLE_SIGNS {
                operator = operator.replace(&format!("\\{sign}"), "");
            }
            if names::FUNCTIONS.contains(&operator.as_str()) {
                out.push(Token::Command(format!("\\{operator}")));
            } else {
                out.push(Token::Raw(format!("\\operatorname{star}{{{operator}}}")));
            }
            after
        }
        _ => {
            if let Some(kind) = names::raw(name) {
                return raw(name, kind, rest, out);
            }
            if !names::INVISIBLE.contains(&name) {
                out.extend(names::synonym(name));
            }
            rest
        }
    }
}

/// A command with text, colours or lengths for arguments.
fn raw<'a>(name: &str, kind: names::Raw, rest: &'a str, out: &mut Vec<Token>) -> &'a str {
    let Some((argument, after)) = braced(rest) else {
        out.push(Token::Command(format!("\\{name}")));
        return rest;
    };
    match kind {
        names::Raw::Dropped => {}
        names::Raw::Kept(name) => {
            // Only the ends of a text may hold a space that the reader sees.
            let words: Vec<&str> = argument.split_whitespace().collect();
            let space = |at_end: bool| if at_end && !words.is_empty() { " " } else { "" };
            let (before, behind) = (
                space(argument.starts_with(char::is_whitespace)),
                space(argument.ends_with(char::is_whitespace)),
            );
            let text = format!("\\{name}{{{before}{}{behind}}}", words.join(" "));
            out.push(Token::Raw(text));
        }
    }
    after
}

/// What stands in the braces that `text` begins with, and what follows them.
fn braced(text: &str) -> Option<(&str, &str)> {
    let inner = text.trim_start().strip_prefix('{')?;
    let (mut depth, mut escaped) = (1usize, false);
    for (at, letter) in inner.char_indices() {
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
