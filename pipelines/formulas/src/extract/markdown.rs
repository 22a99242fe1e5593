//! Markdown without its code, in which a dollar is none of a formula's.

use std::collections::HashMap;

/// What stands where code stood in a line.
pub(super) const CODE: char = '\u{fffc}';
/// Elements of HTML whose content is code or not shown.
const ELEMENTS: [(&str, &str); 5] = [
    ("<!--", "-->"),
    ("<pre", "</pre>"),
    ("<code", "</code>"),
    ("<script", "</script>"),
    ("<style", "</style>"),
];

/// A text of Markdown without its blocks of code and with [`CODE`] for code in lines; a block
/// of the language `math` is a displayed formula.
pub(super) fn without_code(text: &str) -> String {
    without_spans(&without_blocks(text))
}

/// A fence of at least three signs that a line begins with, and what follows it.
fn fence(line: &str) -> Option<(char, usize, &str)> {
    let sign = line.chars().next().filter(|c| ['`', '~'].contains(c))?;
    let rest = line.trim_start_matches(sign);
    let length = line.len() - rest.len();
    // What stands behind a fence of grave accents has none, or it is code in a line.
    let opens = length >= 3 && !(sign == '`' && rest.contains('`'));
    opens.then_some((sign, length, rest.trim()))
}

fn without_blocks(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut open: Option<(char, usize, bool)> = None;
    let (mut in_list, mut was_blank, mut was_code) = (false, true, false);
    for line in front_matter_passed(text).lines() {
        let line = unquoted(line);
        let bare = line.trim_start();
        let indent =
            line.len() - bare.len() + 3 * line[..line.len() - bare.len()].matches('\t').count();
        if let Some((sign, length, is_math)) = open {
            let closes =
                fence(bare).is_some_and(|(s, n, rest)| s == sign && n >= length && rest.is_empty());
            if closes {
                open = None;
                out.push_str(if is_math { "$$\n\n" } else { "\n" });
            } else if is_math {
                out.push_str(line);
                out.push('\n');
            }
            continue;
        }
        if let Some((sign, length, language)) = fence(bare) {
            let is_math = language == "math";
            open = Some((sign, length, is_math));
            out.push_str(if is_math { "\n\n$$" } else { "\n\n" });
            continue;
        }
        if bare.is_empty() {
            was_blank = true;
            out.push('\n');
            continue;
        }
        in_list = is_item(bare) && indent < 4 || in_list && (indent > 0 || !was_blank);
        was_code = indent >= 4 && !in_list && (was_blank || was_code);
        was_blank = false;
        if !was_code {
            out.push_str(line);
        }
        out.push('\n');
    }
    if open.is_some_and(|(_, _, is_math)| is_math) {
        out.push_str("$$\n");
    }
    out
}

/// The text behind the settings that some programs want at its beginning.
fn front_matter_passed(text: &str) -> &str {
    let inner = text.strip_prefix("---\n");
    let end = inner.and_then(|inner| inner.find("\n---\n").map(|end| &inner[end + 5..]));
    end.unwrap_or(text)
}

/// A line without the signs of quotations before it.
fn unquoted(line: &str) -> &str {
    let mut line = line;
    while let Some(rest) = line.trim_start().strip_prefix('>') {
        if line.len() - line.trim_start().len() > 3 {
            break;
        }
        line = rest.strip_prefix(' ').unwrap_or(rest);
    }
    line
}

/// Whether a line begins an item of a list.
fn is_item(line: &str) -> bool {
    let number = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let after = match number.len() < line.len() {
        true => number.strip_prefix(['.', ')']),
        false => line.strip_prefix(['-', '*', '+']),
    };
    after.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
}

fn without_spans(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut out = String::with_capacity(text.len());
    let (mut at, mut paragraph) = (0, 0);
    // Up to where code that opens with so many signs does not close, and which elements never.
    let mut open_until: HashMap<usize, usize> = HashMap::new();
    let mut never = [false; ELEMENTS.len()];
    while let Some(next) = text[at..].find(['`', '\\', '<']) {
        out.push_str(&text[at..at + next]);
        at += next;
        let rest = &text[at..];
        if let Some(after) = rest.strip_prefix('\\') {
            let length = 1 + after.chars().next().map_or(0, char::len_utf8);
            out.push_str(&rest[..length]);
            at += length;
        } else if rest.starts_with('`') {
            let length = rest.len() - rest.trim_start_matches('`').len();
            if at >= paragraph {
                paragraph = rest.find("\n\n").map_or(text.len(), |end| at + end);
            }
            let is_open = open_until.get(&length).is_some_and(|until| at < *until);
            let end = if is_open {
                None
            } else {
                span(&text[at..paragraph.max(at + length)], length)
            };
            // `$`x`$` is how some write a formula.
            let closes_math = |end: usize| out.ends_with('$') && rest[end..].starts_with('$');
            match end {
                Some(end) if closes_math(end) => out.push_str(&rest[length..end - length]),
                Some(_) => out.push(CODE),
                None => {
                    open_until.insert(length, paragraph);
                    out.push_str(&rest[..length]);
                }
            }
            at += end.unwrap_or(length);
        } else {
            let begins = |(open, _): &(&str, &str)| {
                let after = rest.as_bytes().get(open.len());
                let is_name = !after.is_some_and(u8::is_ascii_alphanumeric);
                lower[at..].starts_with(open) && (open.ends_with('-') || is_name)
            };
            let element = ELEMENTS.iter().position(begins);
            let end = element.filter(|i| !never[*i]).and_then(|i| {
                let close = ELEMENTS[i].1;
                let end = lower[at..].find(close).map(|end| end + close.len());
                never[i] = end.is_none();
                end
            });
            match end {
                Some(_) => out.push(CODE),
                None => out.push('<'),
            }
            at += end.unwrap_or(1);
        }
    }
    out.push_str(&text[at..]);
    out
}

/// The length of code in a line that opens with so many signs, both ends included.
fn span(paragraph: &str, length: usize) -> Option<usize> {
    let mut at = length;
    loop {
        let start = at + paragraph[at..].find('`')?;
        let rest = &paragraph[start..];
        let run = rest.len() - rest.trim_start_matches('`').len();
        at = start + run;
        if run == length {
            return Some(at);
        }
    }
}
