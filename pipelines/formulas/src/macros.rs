//! The macros that a file and well-known packages define, and formulas with them spelled out.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use crate::tokens::{Source, Token};

mod define;

/// While a formula is spelled out, no more tokens than this are put in.
const MOST_TOKENS: usize = 8 << 10;
/// An argument is not looked for further than this.
const MOST_ARGUMENT: usize = 8 << 10;
/// What stands for an optional argument that is not given.
const NO_VALUE: &str = "-NoValue-";
/// What stands for a star that is there, and one that is not.
const STAR: [&str; 2] = ["BooleanTrue", "BooleanFalse"];
/// Commands of packages, in terms of what the renderer draws.
const PACKAGES: &str = include_str!("packages.tex");

/// Macros by name, without the backslash; the two ends of an environment are `begin{name}` and
/// `end{name}`.
#[derive(Debug, Clone, Default)]
pub struct Macros {
    /// With the place from which on each definition holds, in order.
    known: HashMap<String, Vec<(usize, Macro)>>,
    /// Environments whose content is shown as it is written.
    verbatim: HashSet<String>,
    /// The length of all definitions.
    tokens: usize,
}

#[derive(Debug, Clone)]
struct Macro {
    /// What must stand before the arguments.
    first: Vec<Token>,
    arguments: Vec<Argument>,
    body: Vec<Token>,
    /// Whether the body is a command of LaTeX, whatever its name is made to mean elsewhere.
    is_final: bool,
    /// Whether text that uses it holds a formula.
    math: Math,
}

/// What a macro's body has of a formula in a line of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Math {
    /// Nothing.
    No,
    /// Whole formulas.
    Whole,
    /// Only the beginning or the end of one.
    Part,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Argument {
    Required,
    /// Up to these tokens.
    Until(Vec<Token>),
    /// Between two tokens; with what stands for it where it is missing.
    Optional(Token, Token, Vec<Token>),
    /// A sign that may be there.
    Flag(Token),
}

impl Macros {
    /// The commands of packages.
    pub fn of_packages() -> &'static Self {
        static MACROS: LazyLock<Macros> = LazyLock::new(|| {
            let (mut macros, mut source) = (Macros::default(), Source::latex(PACKAGES));
            while let Some(token) = source.token() {
                if let Token::Command(name) = token {
                    macros.define(&name, &mut source);
                }
            }
            macros
        });
        &MACROS
    }

    /// Whether an environment's content is shown as it is written.
    pub fn is_verbatim(&self, environment: &str) -> bool {
        self.verbatim.contains(environment)
    }

    /// What a macro holds of a formula, where the text has come to `at`.
    pub fn math(&self, name: &str, at: usize) -> Math {
        self.get(name, at).map_or(Math::No, |known| known.math)
    }

    /// The definition that holds at a place: the last one before it, or else the first one.
    fn get(&self, name: &str, at: usize) -> Option<&Macro> {
        let all = self.known.get(name)?;
        let before = all.partition_point(|(from, _)| *from <= at);
        all.get(before.saturating_sub(1)).map(|(_, known)| known)
    }

    /// The body of a macro whose name was just read, with its arguments from `source`.
    ///
    /// Errors with what is wrong if an argument is missing.
    pub fn body(
        &self,
        name: &str,
        at: usize,
        source: &mut Source<'_>,
    ) -> Option<Result<Vec<Token>, String>> {
        let known = self.get(name, at)?;
        Some(known.read(name, source))
    }

    /// A formula's tokens with every macro replaced by what it stands for at `at`.
    ///
    /// Errors with what is wrong if a macro lacks an argument or never comes to an end.
    pub fn expand(&self, tokens: Vec<Token>, at: usize) -> Result<Vec<Token>, String> {
        let (mut source, mut out) = (Source::of(tokens), Vec::new());
        let mut left = MOST_TOKENS;
        while let Some(token) = source.token() {
            let Token::Command(name) = token else {
                out.push(token);
                continue;
            };
            let ends = ["begin", "end"].contains(&name.as_str());
            let environment = if ends {
                environment(&name, &mut source)
            } else {
                None
            };
            let name = environment.as_ref().map_or(&name, |(key, _)| key);
            if let Some(known) = self.get(name, at) {
                let body = known.read(name, &mut source)?;
                left = spent(left, &body, name)?;
                if known.is_final {
                    out.extend(body);
                } else {
                    source.put_back(body);
                }
            } else if let Some((_, written)) = environment {
                out.extend(written);
            } else if let Some(chosen) = branch(name, &mut source) {
                let chosen = chosen?;
                left = spent(left, &chosen, name)?;
                source.put_back(chosen);
            } else {
                out.push(Token::Command(name.clone()));
            }
        }
        Ok(out)
    }
}

/// What of `left` is left when `body` was put in.
fn spent(left: usize, body: &[Token], name: &str) -> Result<usize, String> {
    let left = left.checked_sub(body.len() + 1);
    left.ok_or_else(|| format!("\\{name} is not spelled out after {MOST_TOKENS} tokens"))
}

/// `\begin{name}` and `\end{name}` whose first word was just read: the key of its macro, and
/// all its tokens.
fn environment(word: &str, source: &mut Source<'_>) -> Option<(String, Vec<Token>)> {
    let group = source.group(60)?;
    let name = crate::tokens::print(&group);
    let mut written = vec![Token::command(word), Token::Open];
    written.extend(group);
    written.push(Token::Close);
    Some((format!("{word}{{{}}}", name.trim()), written))
}

impl Macro {
    /// The body with the arguments that stand in `source`.
    fn read(&self, name: &str, source: &mut Source<'_>) -> Result<Vec<Token>, String> {
        for token in &self.first {
            if !source.take(token) {
                return Err(format!(
                    "\\{name} is not followed by what it is defined with"
                ));
            }
        }
        let mut given = Vec::with_capacity(self.arguments.len());
        for (number, argument) in self.arguments.iter().enumerate() {
            let argument = match argument {
                Argument::Required => source.argument(MOST_ARGUMENT),
                Argument::Until(end) => until(end, source),
                Argument::Optional(open, close, default) => {
                    let found = source.enclosed(open, close, MOST_ARGUMENT);
                    Some(found.unwrap_or_else(|| default.clone()))
                }
                Argument::Flag(sign) => {
                    let word = if source.take(sign) { STAR[0] } else { STAR[1] };
                    Some(vec![Token::command(word)])
                }
            };
            let missing = || format!("\\{name} lacks its argument {}", number + 1);
            given.push(argument.ok_or_else(missing)?);
        }
        let mut body = Vec::with_capacity(self.body.len());
        let mut tokens = self.body.iter();
        while let Some(token) = tokens.next() {
            match token {
                Token::Char('#') => {
                    let Some(Token::Char(digit)) = tokens.next() else {
                        continue;
                    };
                    let number = digit.to_digit(10).unwrap_or(0) as usize;
                    if let Some(argument) = number.checked_sub(1).and_then(|n| given.get(n)) {
                        body.extend(argument.iter().cloned());
                    }
                }
                token => body.push(token.clone()),
            }
            if body.len() > MOST_TOKENS {
                return Err(format!("\\{name} is longer than {MOST_TOKENS} tokens"));
            }
        }
        Ok(body)
    }
}

/// What stands before `end`; nothing is taken if that does not come.
fn until(end: &[Token], source: &mut Source<'_>) -> Option<Vec<Token>> {
    let (mut read, mut depth) = (Vec::new(), 0isize);
    while read.len() <= MOST_ARGUMENT && depth >= 0 {
        let Some(token) = source.token() else { break };
        match token {
            Token::Open => depth += 1,
            Token::Close => depth -= 1,
            _ => {}
        }
        read.push(token);
        if depth == 0 && read.ends_with(end) {
            read.truncate(read.len() - end.len());
            if read.first() == Some(&Token::Open) && read.last() == Some(&Token::Close) {
                read.pop();
                read.remove(0);
            }
            return Some(read);
        }
    }
    source.put_back(read);
    None
}

/// What a condition that can be decided within a formula leaves of what follows it.
///
/// Errors if it lacks something.
fn branch(name: &str, source: &mut Source<'_>) -> Option<Result<Vec<Token>, String>> {
    let holds = match name {
        "ifmmode" | "iftrue" => true,
        "iffalse" => false,
        _ => return value_branch(name, source),
    };
    let (mut taken, mut depth, mut is_first) = (Vec::new(), 0usize, true);
    while let Some(token) = source.token() {
        match (nesting(&token), depth) {
            (Nesting::End, 0) => break,
            (Nesting::Else, 0) => {
                is_first = false;
                continue;
            }
            (Nesting::End, _) => depth -= 1,
            (Nesting::Begin, _) => depth += 1,
            _ => {}
        }
        if is_first == holds {
            taken.push(token);
        }
    }
    Some(Ok(taken))
}

/// Passes by what a condition that does not hold keeps out.
pub fn pass_branch(source: &mut Source<'_>) {
    let mut depth = 0usize;
    while let Some(token) = source.token() {
        match (nesting(&token), depth) {
            (Nesting::End | Nesting::Else, 0) => return,
            (Nesting::End, _) => depth -= 1,
            (Nesting::Begin, _) => depth += 1,
            _ => {}
        }
    }
}

/// What a token is to the conditions around it.
enum Nesting {
    Begin,
    Else,
    End,
    None,
}

fn nesting(token: &Token) -> Nesting {
    let Token::Command(name) = token else {
        return Nesting::None;
    };
    match name.as_str() {
        "fi" => Nesting::End,
        "else" => Nesting::Else,
        name if is_condition(name) => Nesting::Begin,
        _ => Nesting::None,
    }
}

/// Whether a command begins what `\fi` ends.
fn is_condition(name: &str) -> bool {
    let primitive = [
        "if",
        "ifnum",
        "ifdim",
        "ifx",
        "ifodd",
        "ifmmode",
        "ifhmode",
        "ifvmode",
        "ifinner",
        "ifcase",
        "iftrue",
        "iffalse",
        "ifdefined",
        "ifcsname",
        "ifcat",
        "ifvoid",
        "ifeof",
    ];
    primitive.contains(&name) || name.starts_with("if@")
}

/// `\IfNoValueTF` and its kin.
fn value_branch(name: &str, source: &mut Source<'_>) -> Option<Result<Vec<Token>, String>> {
    let (test, wants) = name
        .strip_suffix("TF")
        .map(|test| (test, (true, true)))
        .or_else(|| name.strip_suffix('T').map(|test| (test, (true, false))))
        .or_else(|| name.strip_suffix('F').map(|test| (test, (false, true))))?;
    let word = match test {
        "IfNoValue" | "IfValue" => NO_VALUE,
        "IfBoolean" => STAR[0],
        _ => return None,
    };
    let mut argument = || {
        let argument = source.argument(MOST_ARGUMENT);
        argument.ok_or_else(|| format!("\\{name} lacks an argument"))
    };
    let mut chosen = || {
        let asked = argument()?;
        let holds = (asked == [Token::command(word)]) != (test == "IfValue");
        let yes = if wants.0 { argument()? } else { Vec::new() };
        let no = if wants.1 { argument()? } else { Vec::new() };
        Ok(if holds { yes } else { no })
    };
    Some(chosen())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::{print, read};

    const FILE: &str = r"\newcommand{\R}{\mathbb{R}} \newcommand\norm[1]{\left\|#1\right\|}
        \def\pair#1#2{(#1, #2)} \DeclareMathOperator*{\argmin}{arg\,min}
        \newcommand{\maybe}[2][x]{#1_{#2}} \def\loop{\loop a} \newcommand{\two}{\R\times\R}
        \def\upto#1.{[#1]} \let\oldphi\phi \let\phi=\varphi \let\varphi\oldphi
        \DeclarePairedDelimiter{\abs}{\lvert}{\rvert} \newenvironment{mat}{\begin{pmatrix}}{\end{pmatrix}}
        \DeclarePairedDelimiterX\inner[2]{\langle}{\rangle}{#1 \delimsize\vert #2}
        \NewDocumentCommand{\der}{s o m O{x}}{\IfBooleanTF{#1}{\partial}{d}\IfValueT{#2}{^{#2}} #3/#4}
        \newcommand{\mode}{\ifmmode a\else b\fi} \providecommand{\R}{R}
        \DeclareRobustCommand*{\bold}[1]{\mathbf{#1}}";

    fn macros(text: &str) -> Macros {
        let (mut macros, mut source) = (Macros::default(), Source::latex(text));
        while let Some(token) = source.token() {
            if let Token::Command(name) = token {
                macros.define(&name, &mut source);
            }
        }
        macros
    }

    fn expanded(macros: &Macros, source: &str) -> Result<String, String> {
        macros.expand(read(source), usize::MAX).map(|t| print(&t))
    }

    #[test]
    fn macros_are_spelled_out() {
        let macros = macros(FILE);
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
            (r"\maybe{a}\maybe[y]{a}", r"x_{a}y_{a}"),
            (r"\upto a+b. c", r"[a+b] c"),
            (r"\phi\varphi\oldphi", r"\varphi\phi\phi"),
            (r"\abs{x}", r"\lvert x\rvert"),
            (r"\abs*{x}", r"\left\lvert x\right\rvert"),
            (r"\abs[\big]{x}", r"\big\lvert x\big\rvert"),
            (r"\inner{a}{b}", r"\langle a \vert b\rangle"),
            (
                r"\inner*{a}{b}",
                r"\left\langle a \middle\vert b\right\rangle",
            ),
            (r"\begin{mat}1\end{mat}", r"\begin{pmatrix}1\end{pmatrix}"),
            (r"\der{f}\der*[2]{f}[t]", r"df/x\partial^{2}f/t"),
            (r"\mode", r"a"),
            (r"\bold{v}", r"\mathbf{v}"),
        ];
        for (source, wanted) in same {
            let got = expanded(&macros, source).map(|text| text.replace("{ }", ""));
            let plain = |text: &str| text.replace(' ', "");
            let got = got.as_deref().map(plain);
            assert_eq!(got, Ok(plain(wanted)), "{source}");
        }
    }

    #[test]
    fn a_definition_holds_from_its_place_on() {
        let text = r"\def\a{1} \def\a{2}";
        let macros = macros(text);
        let at = |at: usize| print(&macros.expand(read(r"\a"), at).unwrap());
        assert_eq!((at(10).as_str(), at(100).as_str()), ("1", "2"));
        assert_eq!(at(0), "1", "used before it is defined");
    }

    #[test]
    fn macros_that_cannot_be_spelled_out_say_why() {
        let macros = macros(FILE);
        let refused = |source: &str| expanded(&macros, source).unwrap_err();
        assert!(refused(r"\norm").contains("argument 1"));
        assert!(refused(r"\loop").contains("tokens"));
    }

    #[test]
    fn expansions_without_end_are_bounded() {
        let doubling = macros(r"\def\a{\b\b}\def\b{\c\c}\def\c{\a\a}");
        assert!(expanded(&doubling, r"\a").is_err());
        let mut million = String::from(r"\def\ma{xxxxxxxxxx}");
        for pair in ["ab", "bc", "cd", "de", "ef", "fg"] {
            let (one, next) = pair.split_at(1);
            let ten = format!("\\m{one}").repeat(10);
            million.push_str(&format!(r"\def\m{next}{{{ten}}}"));
        }
        let error = expanded(&macros(&million), r"\mg").unwrap_err();
        assert!(error.contains("8192 tokens"), "{error}");
        let growing = macros(r"\def\a#1{\a{#1#1}}");
        assert!(expanded(&growing, r"\a{xy}").is_err());
    }

    #[test]
    fn the_commands_of_packages_are_spelled_out() {
        let packages = Macros::of_packages();
        for (source, wanted) in [
            (r"\mathds{1}", r"\mathbb{1}"),
            (r"\dv{f}{x}", r"\frac{\mathrm{d}f}{\mathrm{d}x}"),
            (r"\pdv[2]{f}{x}", r"\frac{\partial^{2}f}{\partial x^{2}}"),
        ] {
            assert_eq!(
                expanded(packages, source)
                    .map(|text| text.replace("d f", "df").replace("d x", "dx")),
                Ok(wanted.to_owned()),
                "{source}"
            );
        }
    }
}
