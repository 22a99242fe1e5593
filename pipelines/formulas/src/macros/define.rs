//! Definitions of macros as files write them: LaTeX's, TeX's, those of amsmath, mathtools and
//! the newer ones with a list of arguments.

use super::{Argument, MOST_ARGUMENT, Macro, Macros, Math, NO_VALUE};
use crate::extract::is_display;
use crate::tokens::{Source, Token, print, read};

/// Longer definitions are none of a formula's.
const MOST_BODY: usize = 2048;
/// All definitions of a file together.
const MOST_TOKENS: usize = 1 << 20;

impl Macros {
    /// Reads the rest of a definition from `source`, if that is what the command begins.
    pub fn define(&mut self, command: &str, source: &mut Source<'_>) -> bool {
        let defined = match command {
            "newcommand" | "renewcommand" | "DeclareRobustCommand" => new_command(source),
            "providecommand" => new_command(source).filter(|(name, _)| !self.is_known(name)),
            "NewDocumentCommand" | "RenewDocumentCommand" | "DeclareDocumentCommand" => {
                document_command(source)
            }
            "ProvideDocumentCommand" => {
                document_command(source).filter(|(name, _)| !self.is_known(name))
            }
            "def" | "gdef" | "edef" | "xdef" => plain_definition(source),
            "let" => self.other_name(source),
            "DeclareMathOperator" => operator(source),
            "DeclarePairedDelimiter" => paired(source, false, false),
            "DeclarePairedDelimiterX" => paired(source, true, false),
            "DeclarePairedDelimiterXPP" => paired(source, true, true),
            "newenvironment" | "renewenvironment" => return self.new_environment(source),
            "lstnewenvironment"
            | "DefineVerbatimEnvironment"
            | "newtcblisting"
            | "NewTCBListing"
            | "DeclareTCBListing"
            | "excludecomment" => {
                source.brackets(MOST_BODY);
                let name = source.group(60).map(|name| print(&name));
                self.verbatim.extend(name);
                return true;
            }
            "newcolumntype" => {
                source.argument(60);
                source.brackets(60);
                source.group(MOST_BODY);
                return true;
            }
            _ => return false,
        };
        if let Some((name, known)) = defined {
            self.add(name, source.at(), known);
        }
        true
    }

    fn is_known(&self, name: &str) -> bool {
        self.known.contains_key(name)
    }

    fn add(&mut self, name: String, at: usize, mut known: Macro) {
        self.tokens += known.body.len() + 8;
        if known.body.len() > MOST_BODY || self.tokens > MOST_TOKENS {
            return;
        }
        known.math = self.math_in(&known.body, at);
        self.known.entry(name).or_default().push((at, known));
    }

    /// What a body has of a formula.
    fn math_in(&self, body: &[Token], at: usize) -> Math {
        let (mut open, mut any, mut part) = (0isize, false, false);
        let mut dollars = 0usize;
        let mut source = Source::of(body.to_vec());
        while let Some(token) = source.token() {
            match token {
                Token::Char('$') => dollars += 1,
                Token::Command(name) => match name.as_str() {
                    "(" | "[" => open += 1,
                    ")" | "]" => open -= 1,
                    "ensuremath" => {}
                    word @ ("begin" | "end") => {
                        let name = source.group(60).map(|name| print(&name));
                        let name = name.unwrap_or_default();
                        match self.math(&format!("{word}{{{name}}}"), at) {
                            Math::No if is_display(&name) => {}
                            Math::No => continue,
                            _ => {}
                        }
                        open += if word == "begin" { 1 } else { -1 };
                    }
                    name => match self.math(name, at) {
                        Math::No => continue,
                        Math::Whole => {}
                        Math::Part => part = true,
                    },
                },
                _ => continue,
            }
            any = true;
            part |= open < 0;
        }
        match any {
            false => Math::No,
            true if part || open != 0 || dollars % 2 == 1 => Math::Part,
            true => Math::Whole,
        }
    }

    /// `\let\name=\other`
    fn other_name(&self, source: &mut Source<'_>) -> Option<(String, Macro)> {
        let name = name(source)?;
        source.blanks();
        source.take(&Token::Char('='));
        source.blanks();
        let other = source.token()?;
        if let Token::Command(other) = &other
            && let Some(known) = self.get(other, source.at())
        {
            return Some((name, known.clone()));
        }
        let known = Macro {
            is_final: true,
            ..plain(Vec::new(), vec![other])
        };
        Some((name, known))
    }

    /// `{name}[n][default]{begin}{end}`
    fn new_environment(&mut self, source: &mut Source<'_>) -> bool {
        source.take(&Token::Char('*'));
        let Some(name) = source.group(60).map(|name| print(&name)) else {
            return true;
        };
        let arguments = numbered(source);
        let (begin, end) = (source.group(MOST_ARGUMENT), source.group(MOST_ARGUMENT));
        let (Some(begin), Some(end)) = (begin, end) else {
            return true;
        };
        let literal = [
            "verbatim",
            "Verbatim",
            "lstlisting",
            "alltt",
            "comment",
            "VerbatimEnvironment",
        ];
        if begin.iter().any(|t| literal.iter().any(|name| t.is(name))) {
            self.verbatim.insert(name);
            return true;
        }
        let at = source.at();
        self.add(
            format!("begin{{{name}}}"),
            at,
            plain(arguments.unwrap_or_default(), begin),
        );
        self.add(format!("end{{{name}}}"), at, plain(Vec::new(), end));
        true
    }
}

fn plain(arguments: Vec<Argument>, body: Vec<Token>) -> Macro {
    Macro {
        first: Vec::new(),
        arguments,
        body,
        is_final: false,
        math: Math::No,
    }
}

/// A command's name, in braces or bare.
fn name(source: &mut Source<'_>) -> Option<String> {
    source.take(&Token::Char('*'));
    let token = match source.group(4) {
        Some(group) => group.into_iter().find(|token| !token.is_blank()),
        None => {
            source.blanks();
            source.token()
        }
    };
    match token? {
        Token::Command(name) => Some(name),
        other => {
            source.put_back([other]);
            None
        }
    }
}

/// `[n][default]`
fn numbered(source: &mut Source<'_>) -> Option<Vec<Argument>> {
    let Some(number) = source.brackets(4) else {
        return Some(Vec::new());
    };
    let number: usize = print(&number).trim().parse().ok().filter(|n| *n <= 9)?;
    let mut arguments = vec![Argument::Required; number];
    if let Some(default) = source.brackets(MOST_BODY) {
        *arguments.first_mut()? = in_brackets(default);
    }
    Some(arguments)
}

fn in_brackets(default: Vec<Token>) -> Argument {
    Argument::Optional(Token::Char('['), Token::Char(']'), default)
}

/// `{\name}[n][default]{body}`
fn new_command(source: &mut Source<'_>) -> Option<(String, Macro)> {
    let name = name(source)?;
    let arguments = numbered(source);
    // A command may stand for another without braces.
    let body = source.argument(MOST_ARGUMENT)?;
    Some((name, plain(arguments?, body)))
}

/// `\name#1#2{body}`, with anything between the arguments.
fn plain_definition(source: &mut Source<'_>) -> Option<(String, Macro)> {
    let name = name(source)?;
    let (mut first, mut arguments) = (Vec::new(), Vec::<Vec<Token>>::new());
    while *source.peek()? != Token::Open {
        match source.token()? {
            Token::Char('#') => {
                let digit = matches!(source.peek(), Some(Token::Char(c)) if c.is_ascii_digit());
                if !digit || arguments.len() == 9 {
                    return None;
                }
                source.token();
                arguments.push(Vec::new());
            }
            Token::Close | Token::Paragraph => return None,
            other => arguments.last_mut().unwrap_or(&mut first).push(other),
        }
        if first.len() > 20 {
            return None;
        }
    }
    let body = source.group(MOST_ARGUMENT)?;
    let argument = |end: Vec<Token>| match end.iter().all(Token::is_blank) {
        true => Argument::Required,
        false => Argument::Until(end),
    };
    let arguments = arguments.into_iter().map(argument).collect();
    let known = Macro {
        first,
        ..plain(arguments, body)
    };
    Some((name, known))
}

/// `{\name}{text}`
fn operator(source: &mut Source<'_>) -> Option<(String, Macro)> {
    let star = source.take(&Token::Char('*'));
    let name = name(source)?;
    let text = source.group(MOST_BODY)?;
    let mut body = vec![Token::command("operatorname")];
    body.extend(star.then_some(Token::Char('*')));
    body.push(Token::Open);
    body.extend(text);
    body.push(Token::Close);
    Some((name, plain(Vec::new(), body)))
}

/// `{\name}{m o O{default} s d() r<> t! g}{body}`
fn document_command(source: &mut Source<'_>) -> Option<(String, Macro)> {
    let name = name(source)?;
    let list = source.group(MOST_BODY)?;
    let body = source.group(MOST_ARGUMENT)?;
    let none = || vec![Token::command(NO_VALUE)];
    let (mut list, mut arguments) = (Source::of(list), Vec::new());
    loop {
        list.blanks();
        let Some(token) = list.token() else { break };
        let Token::Char(kind) = token else {
            return None;
        };
        arguments.push(match kind {
            '+' | '!' => continue,
            'm' => Argument::Required,
            's' => Argument::Flag(Token::Char('*')),
            't' => Argument::Flag(list.token()?),
            'o' => in_brackets(none()),
            'O' => in_brackets(list.argument(MOST_BODY)?),
            'd' | 'r' => Argument::Optional(list.token()?, list.token()?, none()),
            'D' | 'R' => {
                let (open, close) = (list.token()?, list.token()?);
                Argument::Optional(open, close, list.argument(MOST_BODY)?)
            }
            'g' => Argument::Optional(Token::Open, Token::Close, none()),
            'G' => Argument::Optional(Token::Open, Token::Close, list.argument(MOST_BODY)?),
            _ => return None,
        });
    }
    (arguments.len() <= 9).then(|| (name, plain(arguments, body)))
}

/// `{\name}[n]{before}{left}{right}{after}{body}`: with a star the delimiters grow, and an
/// optional argument says how large they are.
fn paired(source: &mut Source<'_>, has_body: bool, has_more: bool) -> Option<(String, Macro)> {
    let name = name(source)?;
    let count = match source.brackets(4).filter(|_| has_body) {
        Some(number) => print(&number).trim().parse().ok().filter(|n| *n <= 7)?,
        None => 1,
    };
    let mut group = |wanted: bool| {
        if wanted {
            source.argument(MOST_BODY).map(|tokens| print(&tokens))
        } else {
            Some(String::new())
        }
    };
    let before = group(has_more)?;
    let (left, right) = (group(true)?, group(true)?);
    let after = group(has_more)?;
    let body = if has_body { group(true)? } else { "#1".into() };
    let moved = |text: &str, size: &str| {
        let mut text = text.replace("\\delimsize", size);
        for number in (1..=7).rev() {
            text = text.replace(&format!("#{number}"), &format!("#{}", number + 2));
        }
        text
    };
    // A delimiter that is none is a full stop for `\left`.
    let grown = |sign: &str| {
        if sign.trim().is_empty() {
            ".".to_owned()
        } else {
            sign.to_owned()
        }
    };
    let sized = |sign: &str| match sign.trim().is_empty() {
        true => String::new(),
        false => format!("#2 {sign}"),
    };
    let text = format!(
        "{}\\IfBooleanTF{{#1}}{{\\left{} {}\\right{} }}{{\\IfNoValueTF{{#2}}{{{left} {}{right} }}{{{} {}{} }}}}{}",
        moved(&before, ""),
        grown(&left),
        moved(&body, "\\middle"),
        grown(&right),
        moved(&body, ""),
        sized(&left),
        moved(&body, "#2"),
        sized(&right),
        moved(&after, ""),
    );
    let mut arguments = vec![
        Argument::Flag(Token::Char('*')),
        in_brackets(vec![Token::command(NO_VALUE)]),
    ];
    arguments.extend(vec![Argument::Required; count]);
    Some((name, plain(arguments, read(&text))))
}
