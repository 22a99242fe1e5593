//! A formula's tokens with their names and arguments as the normal form has them.

use super::lexeme::Lexeme;
use super::names;
use crate::tokens::{Source, Token, print};

/// Arguments are not looked for further than this.
const MOST: usize = 16 << 10;

/// The lexemes of tokens; what is incomplete at the end stays as characters.
pub(super) fn lexemes(tokens: Vec<Token>) -> Vec<Lexeme> {
    let (mut source, mut out) = (Source::of(tokens), Vec::new());
    while let Some(token) = source.token() {
        match token {
            Token::Open => out.push(Lexeme::Open),
            Token::Close => out.push(Lexeme::Close),
            Token::Char(letter) => out.push(Lexeme::Char(letter)),
            Token::Space | Token::Paragraph => {}
            Token::Command(name) => command(&name, &mut source, &mut out),
        }
    }
    out
}

/// Reads what follows a command.
fn command(name: &str, source: &mut Source<'_>, out: &mut Vec<Lexeme>) {
    let is_word = name.starts_with(|c: char| c.is_ascii_alphabetic());
    match name {
        "\\" => {
            out.push(Lexeme::Command("\\\\".into()));
            // A distance may follow the end of a row.
            if let Some(inner) = source.brackets(16) {
                let text = print(&inner);
                let number = text.trim().trim_start_matches('-');
                if !number.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
                    out.push(Lexeme::Char('['));
                    out.extend(lexemes(inner));
                    out.push(Lexeme::Char(']'));
                }
            }
        }
        "begin" | "end" => {
            let Some(group) = source.group(60) else {
                out.push(Lexeme::Command(format!("\\{name}")));
                return;
            };
            let environment = names::environment(print(&group).trim()).to_owned();
            if name == "end" {
                out.push(Lexeme::End(environment));
                return;
            }
            let mut argument = String::new();
            if (environment == "array" || environment == "alignedat")
                && let Some(columns) = source.group(MOST)
            {
                argument = print(&columns).split_whitespace().collect();
            }
            out.push(Lexeme::Begin(environment, argument));
        }
        "operatorname" => {
            let star = if source.take(&Token::Char('*')) {
                "*"
            } else {
                ""
            };
            let Some(operator) = source.group(MOST) else {
                out.push(Lexeme::Command("\\operatorname".into()));
                return;
            };
            let mut operator: String = print(&operator).split_whitespace().collect();
            for sign in names::INVISIBLE_SIGNS {
                operator = operator.replace(&format!("\\{sign}"), "");
            }
            if names::FUNCTIONS.contains(&operator.as_str()) {
                out.push(Lexeme::Command(format!("\\{operator}")));
            } else {
                out.push(Lexeme::Raw(format!("\\operatorname{star}{{{operator}}}")));
            }
        }
        _ if !is_word => {
            let sign = name.chars().next().unwrap_or(' ');
            if !names::INVISIBLE_SIGNS.contains(&sign) && !sign.is_whitespace() {
                out.push(Lexeme::Command(format!("\\{sign}")));
            }
        }
        _ => match names::raw(name) {
            Some(kind) => raw(name, kind, source, out),
            None if names::INVISIBLE.contains(&name) => {}
            None => out.extend(names::synonym(name)),
        },
    }
}

/// A command with text, colours or lengths for arguments.
fn raw(name: &str, kind: names::Raw, source: &mut Source<'_>, out: &mut Vec<Lexeme>) {
    let Some(argument) = source.group(MOST) else {
        out.push(Lexeme::Command(format!("\\{name}")));
        return;
    };
    let names::Raw::Kept(name) = kind else {
        return;
    };
    // Only the ends of a text may hold a space that the reader sees.
    let argument = print(&argument);
    let words: Vec<&str> = argument.split_whitespace().collect();
    let space = |at_end: bool| if at_end && !words.is_empty() { " " } else { "" };
    let (before, behind) = (
        space(argument.starts_with(char::is_whitespace)),
        space(argument.ends_with(char::is_whitespace)),
    );
    let text = format!("\\{name}{{{before}{}{behind}}}", words.join(" "));
    out.push(Lexeme::Raw(text));
}
