//! A template's source as minijinja reads it: the few forms of Jinja2 that it lacks, rewritten.
//!
//! `{% generation %}` marks what a trainer learns, which changes no text: it becomes a block that
//! is always taken, so that the marks trim white space as they do in transformers. `a % b`, which
//! in Python formats a string, becomes a call of [`PERCENT`].

/// The function that stands for the operator `%`.
pub(super) const PERCENT: &str = "__percent";

/// Words that end what an operator applies to.
const KEYWORDS: [&str; 12] = [
    "and",
    "or",
    "not",
    "in",
    "is",
    "if",
    "else",
    "elif",
    "for",
    "set",
    "recursive",
    "filter",
];

/// Rewrites every tag of a template.
pub(super) fn adapted(source: &str) -> String {
    let mut text = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = ["{{", "{%", "{#"]
        .iter()
        .filter_map(|tag| rest.find(tag))
        .min()
    {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = match &rest[..2] {
            "{#" => rest.find("#}").map(|end| end + 2),
            "{%" => end_of_tag(rest, "%}"),
            _ => end_of_tag(rest, "}}"),
        };
        // What never ends is minijinja's to refuse.
        let Some(length) = length else {
            break;
        };
        let (tag, behind) = rest.split_at(length);
        rest = behind;
        match tag.starts_with("{#") {
            true => text.push_str(tag),
            false => text.push_str(&adapted_tag(tag)),
        }
        if word_of(tag) == "raw" {
            let end = rest.match_indices("{%").find(|(at, _)| {
                let end = end_of_tag(&rest[*at..], "%}");
                end.is_some_and(|end| word_of(&rest[*at..*at + end]) == "endraw")
            });
            let (raw, behind) = rest.split_at(end.map_or(rest.len(), |(at, _)| at));
            text.push_str(raw);
            rest = behind;
        }
    }
    text.push_str(rest);
    text
}

/// Bytes of the tag that `text` begins with, its `end` included; strings and brackets may hold the
/// end's letters.
fn end_of_tag(text: &str, end: &str) -> Option<usize> {
    let (mut at, mut depth) = (2, 0_usize);
    while at < text.len() {
        let rest = &text[at..];
        if depth == 0 && rest.starts_with(end) {
            return Some(at + end.len());
        }
        let token = token(rest);
        match token {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += token.len();
    }
    None
}

/// The first word of a `{% %}` tag; empty for others.
fn word_of(tag: &str) -> &str {
    match tag
        .strip_prefix("{%")
        .and_then(|tag| tag.strip_suffix("%}"))
    {
        Some(inner) => inner.trim_matches(['-', '+']).trim(),
        None => "",
    }
}

fn adapted_tag(tag: &str) -> String {
    match word_of(tag) {
        "generation" => return tag.replacen("generation", "if true", 1),
        "endgeneration" => return tag.replacen("endgeneration", "endif", 1),
        _ => {}
    }
    let (open, inner) = tag.split_at(2);
    let (inner, close) = inner.split_at(inner.len() - 2);
    let marks = ['-', '+'];
    let begins = inner.len() - inner.strip_prefix(marks).unwrap_or(inner).len();
    let (before, inner) = inner.split_at(begins);
    let ends = inner.strip_suffix(marks).unwrap_or(inner).len();
    let (inner, behind) = inner.split_at(ends);
    format!("{open}{before}{}{behind}{close}", calls(inner))
}

/// The token that a part of an expression begins with: a string, a word or number, white space, or
/// an operator.
fn token(text: &str) -> &str {
    let mut letters = text.char_indices();
    let Some((_, first)) = letters.next() else {
        return text;
    };
    let run = |is: fn(char) -> bool| {
        let end = text.find(|letter| !is(letter));
        &text[..end.unwrap_or(text.len())]
    };
    match first {
        '"' | '\'' => {
            let mut escaped = false;
            for (at, letter) in letters {
                match letter {
                    _ if escaped => escaped = false,
                    '\\' => escaped = true,
                    _ if letter == first => return &text[..=at],
                    _ => {}
                }
            }
            text
        }
        _ if first.is_alphanumeric() || first == '_' => {
            run(|letter| letter.is_alphanumeric() || letter == '_')
        }
        _ if first.is_whitespace() => run(char::is_whitespace),
        _ if text.starts_with("**") || text.starts_with("//") => &text[..2],
        _ => &text[..first.len_utf8()],
    }
}

/// One level of brackets while an expression is rewritten.
#[derive(Default)]
struct Level {
    /// Where the operands of `*`, `/` and `%` begin in what is written, once they do.
    chain: Option<usize>,
    /// Where the operand behind a `%` begins, while it lasts.
    right: Option<usize>,
    /// Whether there was a comma.
    listed: bool,
}

impl Level {
    /// Ends the operand behind a `%`; `tuple` is where a bracket with a comma in it lies.
    fn close(&mut self, text: &mut String, tuple: (usize, usize)) {
        let Some(right) = self.right.take() else {
            return;
        };
        let end = text.trim_end().len();
        let start = end - text[right..end].trim_start().len();
        let call = if tuple == (start, end) {
            ", true)"
        } else {
            ")"
        };
        text.insert_str(end, call);
    }
}

/// An expression with calls instead of `%`.
fn calls(expression: &str) -> String {
    let mut text = String::with_capacity(expression.len());
    let mut levels = vec![Level::default()];
    let mut opened = Vec::new();
    let (mut rest, mut tuple, mut before) = (expression, (0, 0), "");
    while !rest.is_empty() {
        let token = token(rest);
        rest = &rest[token.len()..];
        if token.starts_with(char::is_whitespace) {
            text.push_str(token);
            continue;
        }
        let Some(level) = levels.last_mut() else {
            break;
        };
        let is_word = is_value(token) && (before == "." || !KEYWORDS.contains(&token));
        let is_sign = ["-", "+"].contains(&token) && !is_operand(before);
        match token {
            "%" => {
                level.close(&mut text, tuple);
                let chain = *level.chain.get_or_insert(text.len());
                text.insert_str(chain, &format!("{PERCENT}("));
                text.push(',');
                level.right = Some(text.len());
            }
            "*" | "/" | "//" => {
                level.close(&mut text, tuple);
                text.push_str(token);
            }
            "(" | "[" | "{" => {
                level.chain.get_or_insert(text.len());
                opened.push((token, text.len()));
                text.push_str(token);
                levels.push(Level::default());
            }
            ")" | "]" | "}" => {
                level.close(&mut text, tuple);
                let listed = level.listed;
                text.push_str(token);
                if let Some(("(", start)) = opened.pop().filter(|_| listed) {
                    tuple = (start, text.len());
                }
                if levels.len() > 1 {
                    levels.pop();
                }
            }
            "**" | "|" | "." => text.push_str(token),
            _ if is_word || is_sign => {
                level.chain.get_or_insert(text.len());
                text.push_str(token);
            }
            _ => {
                level.close(&mut text, tuple);
                level.listed |= token == ",";
                text.push_str(token);
                level.chain = None;
            }
        }
        before = token;
    }
    if let Some(level) = levels.last_mut() {
        level.close(&mut text, tuple);
    }
    text
}

/// Whether `token` ends an operand, so that a sign behind it is an operator.
fn is_operand(token: &str) -> bool {
    (is_value(token) && !KEYWORDS.contains(&token)) || [")", "]", "}"].contains(&token)
}

/// Whether `token` is a word, a number or a string.
fn is_value(token: &str) -> bool {
    token.starts_with(|first: char| first.is_alphanumeric() || ['_', '"', '\''].contains(&first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percent_sign_becomes_a_call() {
        for (source, wanted) in [
            ("{{ '%s' % x }}", "{{ __percent('%s' , x) }}"),
            ("{{- a % 2 == 0 -}}", "{{- __percent(a , 2) == 0 -}}"),
            (
                "{% if loop.index0 % 2 %}",
                "{% if __percent(loop.index0 , 2) %}",
            ),
            (
                "{% set a = '%s%s' % (x, y) ~ z %}",
                "{% set a = __percent('%s%s' , (x, y), true) ~ z %}",
            ),
            ("{{ '%s' % (x) }}", "{{ __percent('%s' , (x)) }}"),
            (
                "{{ 1 + -a * b % c|int % d - 1 }}",
                "{{ 1 + __percent(__percent(-a * b , c|int) , d) - 1 }}",
            ),
            ("{{ f(a % b)['x'] }}", "{{ f(__percent(a , b))['x'] }}"),
            ("{{ '%}' ~ {'a': {}} }}%", "{{ '%}' ~ {'a': {}} }}%"),
            (
                "{# a % b #}{% raw %}{{ a % b }}{% endraw %}",
                "{# a % b #}{% raw %}{{ a % b }}{% endraw %}",
            ),
            ("100 % {{ a", "100 % {{ a"),
        ] {
            assert_eq!(adapted(source), wanted);
        }
    }

    #[test]
    fn what_does_not_end_is_left_as_it_is() {
        for source in [
            "{% a % b",
            "{{ 'x",
            "{#",
            "{% raw %} {{ a % b }}",
            "{{ ) }}",
            "{{ ]]% }}",
        ] {
            assert!(adapted(source).len() >= source.len(), "{source}");
        }
    }
}
