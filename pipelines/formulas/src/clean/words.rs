//! Text within formulas: under one name for each way of writing it, with the formulas that
//! stand in it taken out.

use super::unseen::{MOST, UNSEEN};
use crate::tokens::{Source, Token};

/// The name used for a command whose argument is text.
pub(super) fn kind(name: &str) -> Option<&'static str> {
    Some(match name {
        "text" | "mbox" | "hbox" | "textrm" | "textnormal" | "textup" | "textmd" => "text",
        "textbf" => "textbf",
        "textit" | "emph" | "textsl" => "textit",
        "texttt" => "texttt",
        "textsf" => "textsf",
        _ => return None,
    })
}

/// Text with what it holds of math beside it, which `cleaned` cleans so deep in texts; in braces if
/// it is more than one piece.
pub(super) fn text(
    own: &str,
    tokens: Vec<Token>,
    depth: usize,
    cleaned: fn(Vec<Token>, usize) -> Vec<Token>,
) -> Vec<Token> {
    let mut source = Source::of(tokens);
    let (mut pieces, mut words) = (Vec::new(), Vec::new());
    while let Some(token) = source.token() {
        match token {
            Token::Char('$') => {
                finish(own, &mut words, &mut pieces);
                let mut inner = Vec::new();
                while let Some(token) = source.token().filter(|t| *t != Token::Char('$')) {
                    inner.push(token);
                }
                pieces.push(cleaned(inner, depth + 1));
            }
            Token::Command(name) => match name.as_str() {
                "(" => {
                    finish(own, &mut words, &mut pieces);
                    let mut inner = Vec::new();
                    while let Some(token) = source.token().filter(|t| !t.is(")")) {
                        inner.push(token);
                    }
                    pieces.push(cleaned(inner, depth + 1));
                }
                "ensuremath" => {
                    finish(own, &mut words, &mut pieces);
                    let inner = source.argument(MOST);
                    pieces.extend(inner.map(|inner| cleaned(inner, depth + 1)));
                }
                // What sizes or joins the words shows nothing else.
                "," | ";" | ":" | "!" | "/" | "-" | "relax" | "rm" | "rmfamily" | "normalfont"
                | "small" | "footnotesize" | "scriptsize" | "tiny" | "normalsize" => {}
                " " | "space" | "quad" | "qquad" => words.push(Token::Space),
                name => match UNSEEN.iter().find(|(unseen, _)| *unseen == name) {
                    Some((_, groups)) => {
                        while source.brackets(MOST).is_some() {}
                        for _ in 0..*groups {
                            source.argument(MOST);
                        }
                    }
                    None => words.push(Token::command(kind(name).unwrap_or(name))),
                },
            },
            Token::Char('~') | Token::Paragraph => words.push(Token::Space),
            Token::Open | Token::Close | Token::Space | Token::Char(_) => words.push(token),
        }
    }
    finish(own, &mut words, &mut pieces);
    match pieces.len() {
        0 | 1 => pieces.concat(),
        _ => {
            let mut out = vec![Token::Open];
            out.extend(pieces.concat());
            out.push(Token::Close);
            out
        }
    }
}

/// Puts the words so far under their command, if any of them shows.
fn finish(kind: &str, words: &mut Vec<Token>, pieces: &mut Vec<Vec<Token>>) {
    let words = std::mem::take(words);
    if words.iter().all(Token::is_blank) {
        return;
    }
    let mut piece = vec![Token::command(kind), Token::Open];
    piece.extend(words);
    piece.push(Token::Close);
    pieces.push(piece);
}
