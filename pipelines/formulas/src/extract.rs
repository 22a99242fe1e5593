//! Formulas in files: between `$`, `$$`, `\(` `\)`, `\[` `\]` and in the environments for
//! displayed math, with the macros that the file defines. What stands in code, in comments and
//! in definitions is none.

use std::collections::HashMap;

use crate::macros::Math;
use crate::tokens::{Source, Token, print};

mod code;
mod found;
mod markdown;

use found::{End, Finder};
pub use found::{Formulas, Found};

/// Environments whose content is a formula.
const BARE: [&str; 6] = [
    "equation",
    "equation*",
    "displaymath",
    "math",
    "dmath",
    "dmath*",
];
/// Environments that are a formula themselves.
const WHOLE: [&str; 20] = [
    "align",
    "align*",
    "gather",
    "gather*",
    "multline",
    "multline*",
    "alignat",
    "alignat*",
    "xalignat",
    "xalignat*",
    "xxalignat",
    "flalign",
    "flalign*",
    "eqnarray",
    "eqnarray*",
    "IEEEeqnarray",
    "IEEEeqnarray*",
    "numcases",
    "subnumcases",
    "empheq",
];
/// A formula in a line of text is not looked for further than these tokens.
const MOST_INLINE: usize = 2000;
/// Nor a displayed one.
const MOST_DISPLAY: usize = 20_000;
/// What the macros of running text may add to a file, in tokens, and at one place of it.
const MOST_ADDED: usize = 1 << 20;
const MOST_ADDED_AT_ONCE: usize = 8 << 10;

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

/// Whether an environment displays a formula.
pub fn is_display(environment: &str) -> bool {
    BARE.contains(&environment) || WHOLE.contains(&environment)
}

/// Looks for the formulas of a text.
pub fn find(text: &str, markup: Markup) -> Formulas {
    let masked;
    let source = match markup {
        Markup::Tex => Source::latex(text),
        Markup::Plain => Source::prose(text),
        Markup::Markdown => {
            masked = markdown::without_code(text);
            Source::prose(&masked)
        }
    };
    let mut finder = Finder {
        source,
        is_prose: markup != Markup::Tex,
        out: Formulas::default(),
        open_until: HashMap::new(),
        short_verbs: Vec::new(),
        left: MOST_ADDED,
        added: (0, 0),
        before: None,
    };
    while let Some(token) = finder.source.token() {
        let last = token.clone();
        if !finder.step(token) {
            break;
        }
        finder.before = Some(last);
    }
    finder.out
}

/// Why a formula's end was not found.
enum Missing {
    /// There is none; what was read, and where one that stands in braces would be.
    End(Vec<Token>, Option<usize>),
    /// It is longer than formulas are.
    TooLong(Vec<Token>),
}

impl Finder<'_> {
    /// Looks at a token of running text; false at the end of the document.
    fn step(&mut self, token: Token) -> bool {
        match token {
            Token::Char('$') if self.source.take(&Token::Char('$')) => {
                self.formula(End::Dollars);
            }
            Token::Char('$') if !self.is_prose || self.may_open() => self.formula(End::Dollar),
            Token::Char(sign) if self.short_verbs.contains(&sign) => {
                self.pass_short_verb(sign);
            }
            Token::Command(name) => return self.command(name),
            _ => {}
        }
        true
    }

    /// Whether a `$` of prose may begin a formula: "US$5" does not.
    fn may_open(&mut self) -> bool {
        let joined = matches!(self.before, Some(Token::Char(c)) if c.is_alphanumeric());
        !joined && !self.source.peek().is_none_or(Token::is_blank)
    }

    fn command(&mut self, name: String) -> bool {
        match name.as_str() {
            "(" => self.formula(End::Round),
            "[" => self.formula(End::Square),
            "begin" => self.begin(),
            "ensuremath" => {
                if let Some(tokens) = self.source.group(MOST_INLINE) {
                    self.take(tokens, true);
                }
            }
            "endinput" => return false,
            "end" => {
                let name = self.source.group(60).map(|name| print(&name));
                match name {
                    Some(name) if name == "document" => return false,
                    Some(name) => self.use_macro(&format!("end{{{name}}}")),
                    None => {}
                }
            }
            _ if self.pass_code(&name) => {}
            _ if self.out.macros.define(&name, &mut self.source) => {}
            _ => self.use_macro(&name),
        }
        true
    }

    fn begin(&mut self) {
        let Some(group) = self.source.group(60) else {
            return;
        };
        let name = print(&group);
        if self.pass_verbatim(&name) {
            return;
        }
        if is_display(&name) {
            self.formula(End::Environment(name));
        } else {
            self.pass_columns(&name);
            self.use_macro(&format!("begin{{{name}}}"));
        }
    }

    /// Puts a macro's body in its place, if there is anything of a formula in it.
    fn use_macro(&mut self, name: &str) {
        let at = self.source.at();
        if self.out.macros.math(name, at) == Math::No || self.left == 0 {
            return;
        }
        let body = self.out.macros.body(name, at, &mut self.source);
        let Some(Ok(body)) = body else { return };
        if self.added.0 != at {
            self.added = (at, 0);
        }
        self.added.1 += body.len() + 1;
        self.left = self.left.saturating_sub(body.len() + 1);
        if self.added.1 > MOST_ADDED_AT_ONCE {
            // It has no end; in the ledger it stands with what is wrong.
            self.left = 0;
            self.take(vec![Token::command(name)], true);
        } else {
            self.source.put_back(body);
        }
    }

    /// Takes what stands up to `end`, or passes the opening by.
    fn formula(&mut self, end: End) {
        let at = self.source.at();
        if self.open_until.get(&end).is_some_and(|until| at <= *until) {
            return;
        }
        let inline = matches!(end, End::Dollar | End::Round);
        match self.up_to(&end) {
            Ok(tokens) if end == End::Dollar && self.is_prose && !self.is_formula(&tokens) => {
                self.source.put_back([Token::Char('$')]);
                self.source.put_back(tokens);
            }
            Ok(tokens) => self.take(tokens, inline),
            // Its braces do not match, which the ledger tells.
            Err(Missing::End(mut read, Some(inner))) if !self.is_prose => {
                let signs = if end == End::Dollars { 2 } else { 1 };
                let rest = read.split_off(inner);
                self.source
                    .put_back(rest.into_iter().skip(signs).collect::<Vec<_>>());
                self.take(read, inline);
            }
            Err(missing) => {
                self.open_until.insert(end, self.source.at());
                let read = match missing {
                    Missing::End(read, _) => read,
                    Missing::TooLong(read) => {
                        self.take(read.clone(), inline);
                        read
                    }
                };
                self.source.put_back(read);
            }
        }
    }

    /// Whether what stands between two `$` of prose is a formula: "$5 and $6" is none.
    fn is_formula(&mut self, tokens: &[Token]) -> bool {
        let joins = matches!(self.source.peek(), Some(Token::Char(c)) if c.is_alphanumeric());
        // "10 to 20" is no formula, for there is a word in it.
        let is_sum = matches!(tokens.first(), Some(Token::Char(c)) if c.is_ascii_digit());
        let (mut words, mut most_words) = (0, 0);
        let (mut letters, mut depth, mut spaced) = (0, 0usize, true);
        for token in tokens.iter().chain([&Token::Space]) {
            match token {
                Token::Open => depth += 1,
                Token::Close => depth = depth.saturating_sub(1),
                Token::Char(letter) if letter.is_alphabetic() && depth == 0 => {
                    letters += 1;
                    continue;
                }
                Token::Space if spaced && (letters > 2 || is_sum && letters > 1) => words += 1,
                Token::Space if letters > 0 => {}
                _ => words = 0,
            }
            spaced = *token == Token::Space;
            most_words = most_words.max(words);
            letters = 0;
        }
        let most = if is_sum { 0 } else { 1 };
        let code = tokens.contains(&Token::Char(markdown::CODE));
        !code && !joins && most_words <= most && !tokens.last().is_none_or(Token::is_blank)
    }

    /// Everything up to `end`, which is read as well; definitions in it are kept apart.
    fn up_to(&mut self, end: &End) -> Result<Vec<Token>, Missing> {
        let (mut read, mut inner) = (Vec::new(), None);
        let (mut depth, mut nested) = (0isize, 0usize);
        let most = match end {
            End::Dollar | End::Round => MOST_INLINE,
            _ => MOST_DISPLAY,
        };
        loop {
            if read.len() > most {
                return Err(match end {
                    End::Dollar | End::Round => Missing::End(read, None),
                    _ => Missing::TooLong(read),
                });
            }
            let Some(token) = self.source.token() else {
                return Err(Missing::End(read, inner));
            };
            let closes = match (&token, end) {
                (Token::Char('$'), End::Dollar) => true,
                (Token::Char('$'), End::Dollars) => self.source.peek() == Some(&Token::Char('$')),
                (Token::Command(name), End::Round) => name == ")",
                (Token::Command(name), End::Square) => name == "]",
                _ => false,
            };
            if closes && (depth <= 0 || *end == End::Square) {
                if *end == End::Dollars {
                    self.source.token();
                }
                return Ok(read);
            }
            if closes {
                inner = inner.or(Some(read.len()));
            }
            match token {
                Token::Paragraph if !matches!(end, End::Environment(_)) => {
                    read.push(token);
                    return Err(Missing::End(read, inner));
                }
                Token::Open => depth += 1,
                Token::Close => depth -= 1,
                Token::Command(name) => {
                    if code::is_code(&name) {
                        self.source.put_back([Token::Command(name)]);
                        return Err(Missing::End(read, inner));
                    }
                    match self.inside(name, end, &mut nested, &mut read) {
                        Inside::On => continue,
                        Inside::Done => return Ok(read),
                        Inside::Code => return Err(Missing::End(read, inner)),
                    }
                }
                _ => {}
            }
            read.push(token);
        }
    }

    /// A command within a formula.
    fn inside(
        &mut self,
        name: String,
        end: &End,
        nested: &mut usize,
        read: &mut Vec<Token>,
    ) -> Inside {
        let at = self.source.at();
        if name == "begin" || name == "end" {
            let Some(group) = self.source.group(60) else {
                read.push(Token::Command(name));
                return Inside::On;
            };
            let environment = print(&group);
            let mut written = vec![Token::command(&name), Token::Open];
            written.extend(group);
            written.push(Token::Close);
            if name == "begin" && self.is_verbatim(&environment) || environment == "document" {
                self.source.put_back(written);
                return Inside::Code;
            }
            if self
                .out
                .macros
                .math(&format!("{name}{{{environment}}}"), at)
                == Math::Part
            {
                self.use_macro(&format!("{name}{{{environment}}}"));
                return Inside::On;
            }
            if *end == End::Environment(environment.clone()) {
                match (name.as_str(), *nested) {
                    ("begin", _) => *nested += 1,
                    (_, 0) => {
                        if WHOLE.contains(&environment.as_str()) {
                            read.extend(written);
                            let begin = [Token::command("begin"), Token::Open];
                            let name = environment.chars().map(Token::Char);
                            read.splice(0..0, begin.into_iter().chain(name).chain([Token::Close]));
                        }
                        return Inside::Done;
                    }
                    _ => *nested -= 1,
                }
            }
            read.extend(written);
            return Inside::On;
        }
        if self.out.macros.define(&name, &mut self.source) {
            return Inside::On;
        }
        if self.out.macros.math(&name, at) == Math::Part && self.left > 0 {
            self.use_macro(&name);
        } else {
            read.push(Token::Command(name));
        }
        Inside::On
    }

    fn take(&mut self, tokens: Vec<Token>, inline: bool) {
        // Where a macro's argument goes there is a definition, of whatever kind.
        let is_template = !self.is_prose && tokens.contains(&Token::Char('#'));
        let is_date = self.is_prose && code::is_date(&tokens);
        if is_template || is_date || code::is_keyword(&tokens) || tokens.iter().all(Token::is_blank)
        {
            return;
        }
        // In prose a percent sign is one, which LaTeX writes with a backslash.
        let sign = |token: Token| match token {
            Token::Char('%') => Token::command("%"),
            token => token,
        };
        let tokens: Vec<Token> = tokens.into_iter().map(sign).collect();
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let start = self.out.text.len();
        self.out.text.push_str(&print(&tokens));
        self.out.found.push(Found {
            range: place(start)..place(self.out.text.len()),
            at: place(self.source.at()),
            inline,
        });
    }
}

/// What a command within a formula is to it.
enum Inside {
    /// A part.
    On,
    /// Its end.
    Done,
    /// Code, which no formula holds.
    Code,
}

#[cfg(test)]
mod tests;
