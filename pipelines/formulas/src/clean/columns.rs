//! The columns of a table as the renderer knows them.

use super::unseen::MOST;
use crate::tokens::{Source, Token, print};

/// The columns of a table by their letters, without what is put between them.
pub(super) fn plain(columns: Vec<Token>) -> Vec<Token> {
    let (mut columns, mut out) = (Source::of(columns), Vec::new());
    while let Some(token) = columns.token() {
        match token {
            Token::Char('@' | '!' | '>' | '<') => drop(columns.group(MOST)),
            Token::Char('p' | 'm' | 'b') => {
                columns.group(MOST);
                out.push(Token::Char('l'));
            }
            Token::Char('*') => {
                let count = columns.argument(MOST).map(|count| print(&count));
                let count = count.and_then(|count| count.trim().parse::<usize>().ok());
                let letters = columns.argument(MOST).unwrap_or_default();
                for _ in 0..count.unwrap_or(1).min(30) {
                    out.extend(letters.iter().take(4).cloned());
                }
            }
            token => out.push(token),
        }
    }
    out
}
