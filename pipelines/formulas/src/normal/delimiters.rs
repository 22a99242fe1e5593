//! Delimiters of a size that the source gives, `\bigl( .. \bigr)`: in pairs they are as those
//! that grow by themselves, `\left( .. \right)`; alone they are plain.

use super::lexeme::Lexeme;

const OPEN: [&str; 8] = [
    "(", "[", "\\{", "\\langle", "\\lfloor", "\\lceil", "\\lbrace", "<",
];
const CLOSE: [&str; 8] = [
    ")", "]", "\\}", "\\rangle", "\\rfloor", "\\rceil", "\\rbrace", ">",
];

/// What a command for the size of a delimiter says of its side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
    /// Neither, as for `\bigm|`.
    Unknown,
}

/// The side of the delimiter that follows a command, if that is one for its size.
fn side(command: &Lexeme, next: Option<&Lexeme>) -> Option<Side> {
    let Lexeme::Command(name) = command else {
        return None;
    };
    let name = name.strip_prefix('\\')?;
    let size = name.strip_suffix(['l', 'r', 'm']).unwrap_or(name);
    if !["big", "Big", "bigg", "Bigg"].contains(&size) {
        return None;
    }
    let sign = match next {
        Some(Lexeme::Command(name)) => name.clone(),
        Some(Lexeme::Char(sign)) => sign.to_string(),
        _ => String::new(),
    };
    Some(match &name[size.len()..] {
        _ if sign.is_empty() => Side::Unknown,
        "l" => Side::Left,
        "r" => Side::Right,
        "" if OPEN.contains(&sign.as_str()) => Side::Left,
        "" if CLOSE.contains(&sign.as_str()) => Side::Right,
        _ => Side::Unknown,
    })
}

/// Pairs the delimiters of a formula.
pub(super) fn paired(lexemes: Vec<Lexeme>) -> Vec<Lexeme> {
    let mut pairs = vec![None; lexemes.len()];
    // Those that are open in each group; a pair stands within one cell of one group.
    let mut open: Vec<Vec<usize>> = vec![Vec::new()];
    for (at, lexeme) in lexemes.iter().enumerate() {
        match lexeme {
            Lexeme::Open | Lexeme::Begin(..) => open.push(Vec::new()),
            Lexeme::Command(name) if name == "\\left" => open.push(Vec::new()),
            Lexeme::Close | Lexeme::End(_) => drop(open.pop()),
            Lexeme::Command(name) if name == "\\right" => drop(open.pop()),
            Lexeme::Char('&') => open.iter_mut().for_each(Vec::clear),
            Lexeme::Command(name) if name == "\\\\" => open.iter_mut().for_each(Vec::clear),
            lexeme => {
                let before = open.last_mut();
                match side(lexeme, lexemes.get(at + 1)) {
                    Some(Side::Left) => before.into_iter().for_each(|open| open.push(at)),
                    Some(Side::Right) => {
                        if let Some(first) = before.and_then(Vec::pop) {
                            pairs[first] = Some("\\left");
                            pairs[at] = Some("\\right");
                        }
                    }
                    _ => {}
                }
            }
        }
    }
    let mut out = Vec::with_capacity(lexemes.len());
    let mut rest = lexemes.into_iter().zip(pairs).peekable();
    while let Some((lexeme, pair)) = rest.next() {
        let next = rest.peek().map(|(next, _)| next);
        match (pair, side(&lexeme, next)) {
            (Some(command), _) => out.push(Lexeme::Command(command.into())),
            // A full stop in the place of a delimiter is none.
            (None, Some(_)) => drop(rest.next_if(|(next, _)| *next == Lexeme::Char('.'))),
            (None, None) => out.push(lexeme),
        }
    }
    out
}
