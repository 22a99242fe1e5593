//! Formulas in files: between `$`, `$$`, `\(` `\)`, `\[` `\]` and in the environments for
//! displayed math, with the macros that the file defines.

use std::ops::Range;

use crate::macros::Macros;

/// Environments whose content is a formula.
const BARE: [&str; 4] = ["equation", "equation*", "displaymath", "math"];
/// Environments that are a formula themselves.
const WHOLE: [&str; 10] = [
    "align",
    "align*",
    "gather",
    "gather*",
    "multline",
    "multline*",
    "alignat",
    "alignat*",
    "eqnarray",
    "eqnarray*",
];
/// A formula in a line of text is not looked for further than this.
const MOST_INLINE: usize = 1000;

/// What the file is written in, by its ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Markup {
    /// LaTeX: `%` begins a comment.
    Tex,
    /// Markdown: code holds no formulas.
    Markdown,
    /// Plain text.
    Plain,
}

/// A formula in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where its source stands.
    pub range: Range<u32>,
    /// Whether it stands in a line of text.
    pub inline: bool,
}

/// All formulas of a text in their order, and the macros it defines.
pub fn find(text: &str, markup: Markup) -> (Vec<Found>, Macros) {
    let macros = Macros::read(text);
    let mut finder = Finder {
        text,
        at: 0,
        found: Vec::new(),
    };
    while finder.at < text.len() {
        finder.step(markup);
    }
    (finder.found, macros)
}

struct Finder<'a> {
    text: &'a str,
    at: usize,
    found: Vec<Found>,
}

impl<'a> Finder<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Looks at what stands at `at` and moves on.
    fn step(&mut self, markup: Markup) {
        let rest = self.rest();
        let signs = ['$', '\\', '%', '`'];
        let Some(next) = rest.find(signs) else {
            self.at = self.text.len();
            return;
        };
        self.at += next;
        let rest = self.rest();
        if rest.starts_with('%') {
            let line = rest.find('\n').unwrap_or(rest.len());
            self.at += if markup == Markup::Tex { line } else { 1 };
        } else if rest.starts_with('`') {
            self.at += if markup == Markup::Markdown {
                code(rest)
            } else {
                1
            };
        } else if let Some(inner) = rest.strip_prefix("$$") {
            self.until(2, inner.find("$$"), 2, false, inner);
        } else if let Some(inner) = rest.strip_prefix('$') {
            let end = inline_end(inner, markup);
            self.until(1, end, 1, true, inner);
        } else if let Some(inner) = rest.strip_prefix("\\[") {
            self.until(2, inner.find("\\]"), 2, false, inner);
        } else if let Some(inner) = rest.strip_prefix("\\(") {
            self.until(2, inner.find("\\)"), 2, true, inner);
        } else if let Some(inner) = rest.strip_prefix("\\begin{") {
            self.environment(inner);
        } else {
            // A command or an escaped sign.
            self.at += 1;
            self.at += self.rest().chars().next().map_or(0, char::len_utf8);
        }
    }

    /// Takes what stands between an opening and its end, or passes the opening by.
    fn until(&mut self, open: usize, end: Option<usize>, close: usize, inline: bool, inner: &str) {
        let Some(end) = end else {
            self.at += open;
            return;
        };
        let start = self.at + open;
        let broken = inner[..end].contains("\n\n");
        if !broken {
            self.take(start..start + end, inline);
            self.at = start + end + close;
        } else {
            self.at += open;
        }
    }

    fn environment(&mut self, inner: &str) {
        let begin = "\\begin{".len();
        let Some((name, body)) = inner.split_once('}') else {
            self.at += begin;
            return;
        };
        let (bare, whole) = (BARE.contains(&name), WHOLE.contains(&name));
        let end = format!("\\end{{{name}}}");
        let length = body.find(&end).filter(|_| bare || whole);
        let Some(length) = length else {
            self.at += begin;
            return;
        };
        let body_at = self.at + begin + name.len() + 1;
        let range = if bare {
            body_at..body_at + length
        } else {
            self.at..body_at + length + end.len()
        };
        self.take(range, false);
        self.at = body_at + length + end.len();
    }

    fn take(&mut self, range: Range<usize>, inline: bool) {
        if self.text[range.clone()].trim().is_empty() {
            return;
        }
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        self.found.push(Found {
            range: place(range.start)..place(range.end),
            inline,
        });
    }
}

/// The length of a piece of code in Markdown that `text` begins with.
fn code(text: &str) -> usize {
    let fence = text.len() - text.trim_start_matches('`').len();
    let mark = &text[..fence];
    match text[fence..].find(mark) {
        Some(end) => end + 2 * fence,
        None => fence,
    }
}

/// Where the formula in a line of text ends that `inner` begins with.
fn inline_end(inner: &str, markup: Markup) -> Option<usize> {
    let prose = markup != Markup::Tex;
    if prose && inner.starts_with(char::is_whitespace) {
        return None;
    }
    let mut escaped = false;
    for (at, letter) in inner.char_indices() {
        if at > MOST_INLINE {
            return None;
        }
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '$' if at > 0 => {
                // "costs $5 or $6" holds no formula.
                let digit = inner[at + 1..].starts_with(|c: char| c.is_ascii_digit());
                let space = inner[..at].ends_with(char::is_whitespace);
                return (!prose || !(digit || space)).then_some(at);
            }
            '$' => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str, markup: Markup) -> Vec<(&str, bool)> {
        let (found, _) = find(text, markup);
        let piece = |f: &Found| {
            let (start, end) = (f.range.start as usize, f.range.end as usize);
            let inline = f.inline;
            (start, end, inline)
        };
        found
            .iter()
            .map(piece)
            .map(|(start, end, inline)| (&text[start..end], inline))
            .collect()
    }

    #[test]
    fn every_way_of_writing_a_formula_is_found() {
        let text = "a $x+1$ b $$y^2$$ c \\(z\\) d \\[w\\] \\begin{equation}E\\end{equation} \
                    \\begin{align*}a&=b\\end{align*} \\$5 and \\$6 \\begin{itemize}\\item $i$\\end{itemize}";
        let wanted = [
            ("x+1", true),
            ("y^2", false),
            ("z", true),
            ("w", false),
            ("E", false),
            ("\\begin{align*}a&=b\\end{align*}", false),
            ("i", true),
        ];
        assert_eq!(all(text, Markup::Tex), wanted);
    }

    #[test]
    fn prices_code_and_comments_hold_no_formulas() {
        assert!(all("it costs $5 or $6 today", Markup::Markdown).is_empty());
        assert!(all("`$x$` and\n```\n$$y$$\n```\n", Markup::Markdown).is_empty());
        assert!(all("% $x$\n", Markup::Tex).is_empty());
        assert_eq!(all("50% of $x$\n", Markup::Plain), [("x", true)]);
        assert!(all("$a\n\nb$", Markup::Plain).is_empty());
    }

    #[test]
    fn a_text_cut_anywhere_is_read_without_fault() {
        let text =
            "é $x$ $$y$$ \\(z\\) \\begin{align}a\\end{align} ``` ` % \\newcommand{\\R}[1]{é#1}";
        for end in (0..=text.len()).filter(|&end| text.is_char_boundary(end)) {
            for markup in [Markup::Tex, Markup::Markdown, Markup::Plain] {
                find(&text[..end], markup);
                find(&text[end..], markup);
            }
        }
    }
}
