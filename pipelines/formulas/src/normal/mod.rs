//! The one form in which an answer is written and compared: two sources that look the
//! same on paper become the same string.
//!
//! What the normal form settles:
//! - White space goes, but for one space where a command's name would run into a letter;
//!   inside `\text{..}` runs of it become one space.
//! - Arguments of commands are always in braces, a script of one symbol never: `\frac{1}{2}`,
//!   `x^2`, `x_{ij}`. Braces around a single character, doubled ones and empty ones go.
//! - A subscript comes before primes, and those before a superscript: `f_n'`, `x_i^2`.
//! - One name for each sign: `\leq` for `\le`, `\to` for `\rightarrow`, `\neq` for `\ne`
//!   and `\not=`, `\ldots` for `\dots`, `\wedge` for `\land`, `\text` for `\mbox`,
//!   `\boldsymbol` for `\bm`, `|` for `\lvert`, `\|` for `\Vert`, and so on (`names`).
//! - What only moves or sizes things goes: `\,` `\;` `\!` `~`, `\displaystyle`, `\limits`,
//!   `\big`, `\label{..}`; `\dfrac` and `\tfrac` are `\frac`; `\qquad` is `\quad`.
//! - `\bigl` and `\bigr` are `\left` and `\right`, and these go where what they enclose is no taller than a line, and stay
//!   where they make the delimiters grow; around a `matrix` they become `pmatrix` and so on.
//! - `{a \over b}` is `\frac{a}{b}`, `{n \choose k}` is `\binom{n}{k}`; `align`, `align*` and
//!   `split` are `aligned`, `gather` is `gathered`; `equation` is what it holds.
//!
//! [`normalise`] takes any text, so that whatever a model answers can be compared.

use crate::clean::clean;
use crate::macros::Macros;
use crate::tokens;

mod delimiters;
mod lexeme;
mod lexer;
mod names;
mod parser;
mod settle;
#[cfg(test)]
mod tests;
mod writer;

/// The normal form of a formula; of a text that is none, the text without white space.
pub fn normalise(latex: &str) -> String {
    let mut form = once(latex);
    // Taking away one pair of braces may leave another bare; a few rounds reach the end.
    for _ in 0..4 {
        let next = once(&form);
        if next == form {
            break;
        }
        form = next;
    }
    form
}

fn once(latex: &str) -> String {
    let tokens = Macros::of_packages().expand(tokens::read(latex), usize::MAX);
    let tokens = clean(tokens.unwrap_or_else(|_| tokens::read(latex)));
    match parser::parse(&delimiters::paired(lexer::lexemes(tokens))) {
        Some(nodes) => writer::write(&settle::settle(nodes)),
        None => latex.split_whitespace().collect::<Vec<_>>().join(" "),
    }
}
