//! A formula that somebody wrote with other letters, numbers and functions in it, or only one side
//! of it: it looks as if it were written, and nobody has seen it.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use crate::tokens::{Token, print, read};

const INDICES: &[&str] = &["i", "j", "k", "l", "m", "n"];
const SMALL: &[&str] = &[
    "a", "b", "c", "f", "g", "h", "p", "q", "r", "s", "t", "u", "v", "w", "x", "y", "z",
];
const LARGE: &[&str] = &[
    "A", "B", "C", "D", "E", "F", "G", "H", "J", "K", "L", "M", "N", "P", "Q", "R", "S", "T", "U",
    "V", "W", "X", "Y", "Z",
];
const GREEK: &[&str] = &[
    "alpha",
    "beta",
    "gamma",
    "delta",
    "epsilon",
    "varepsilon",
    "zeta",
    "eta",
    "theta",
    "kappa",
    "lambda",
    "mu",
    "nu",
    "xi",
    "pi",
    "rho",
    "sigma",
    "tau",
    "phi",
    "varphi",
    "chi",
    "psi",
    "omega",
];
const LARGE_GREEK: &[&str] = &[
    "Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Phi", "Psi", "Omega",
];
const FUNCTIONS: &[&str] = &[
    "sin", "cos", "tan", "sinh", "cosh", "tanh", "exp", "log", "ln", "cot",
];
/// Commands whose argument is no mathematics, or a word.
pub const WORDS: [&str; 9] = [
    "text",
    "mathrm",
    "operatorname",
    "textbf",
    "textit",
    "texttt",
    "mbox",
    "begin",
    "end",
];
const CLASSES: [&[&str]; 6] = [INDICES, SMALL, LARGE, GREEK, LARGE_GREEK, FUNCTIONS];

/// A variation of `latex`, which may be `latex` itself.
pub fn varied(latex: &str, rng: &mut ChaCha8Rng) -> String {
    let mut tokens = read(latex);
    if rng.random_bool(0.25) {
        tokens = side(tokens, rng);
    }
    let mut changes: Vec<(Token, Token)> = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if matches!(&tokens[at], Token::Command(name) if WORDS.contains(&name.as_str())) {
            at = after_group(&tokens, at + 1);
            continue;
        }
        let old = tokens[at].clone();
        let new = match changes.iter().find(|(from, _)| *from == old) {
            Some((_, new)) => new.clone(),
            None => {
                let new = other(&old, rng);
                changes.push((old, new.clone()));
                new
            }
        };
        tokens[at] = new;
        at += 1;
    }
    print(&tokens).trim().to_owned()
}

/// Where the group that begins at `at` ends.
fn after_group(tokens: &[Token], at: usize) -> usize {
    let mut depth = 0usize;
    for (step, token) in tokens.iter().enumerate().skip(at) {
        match token {
            Token::Open => depth += 1,
            Token::Close if depth <= 1 => return step + 1,
            Token::Close => depth -= 1,
            _ if depth == 0 => return step + 1,
            _ => {}
        }
    }
    tokens.len()
}

/// The part before or after the equals sign that is in no group, if there is one.
fn side(tokens: Vec<Token>, rng: &mut ChaCha8Rng) -> Vec<Token> {
    let mut depth = 0i32;
    let mut places = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Open => depth += 1,
            Token::Close => depth -= 1,
            Token::Command(name) if name == "left" || name == "begin" => depth += 1,
            Token::Command(name) if name == "right" || name == "end" => depth -= 1,
            Token::Char('=') if depth == 0 => places.push(at),
            _ => {}
        }
    }
    match places.choose(rng) {
        Some(at) if rng.random_bool(0.5) => tokens[..*at].to_vec(),
        Some(at) => tokens[at + 1..].to_vec(),
        None => tokens,
    }
}

/// What stands for a token everywhere in the formula.
fn other(token: &Token, rng: &mut ChaCha8Rng) -> Token {
    let name = match token {
        Token::Char(letter) => letter.to_string(),
        Token::Command(name) => name.clone(),
        _ => return token.clone(),
    };
    if name.len() == 1 && name.chars().all(|c| c.is_ascii_digit()) {
        let other = rng.random_range(b'1'..=b'9');
        let keep = name == "0" || rng.random_bool(0.6);
        return if keep {
            token.clone()
        } else {
            Token::Char(char::from(other))
        };
    }
    let is_letter = matches!(token, Token::Char(_));
    let class = CLASSES
        .iter()
        .enumerate()
        .find(|(number, class)| (*number < 3) == is_letter && class.contains(&name.as_str()));
    match class {
        Some((number, class)) if rng.random_bool(0.55) => {
            let chosen = *class.choose(rng).expect("no class is empty");
            match number {
                0..3 => Token::Char(chosen.chars().next().unwrap_or('x')),
                _ => Token::Command(chosen.to_owned()),
            }
        }
        _ => token.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use std::collections::BTreeSet;

    #[test]
    fn a_variation_keeps_words_and_shape_and_most_are_new() {
        let latex = r"\mathrm{erf}(x) = \frac{2}{\sqrt{\pi}} \int_0^x e^{-t^2} \, dt";
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let all: BTreeSet<String> = (0..50).map(|_| varied(latex, &mut rng)).collect();
        assert!(all.len() > 30, "{}", all.len());
        for one in &all {
            let whole = one.contains('=');
            assert!(
                !whole || one.contains(r"\mathrm{erf}") && one.contains(r"\sqrt"),
                "{one}"
            );
            assert_eq!(one.matches('{').count(), one.matches('}').count(), "{one}");
        }
    }

    #[test]
    fn the_same_letter_becomes_the_same_everywhere() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        for _ in 0..50 {
            let one = varied("x+x+x", &mut rng);
            let letters: BTreeSet<char> = one.chars().filter(|c| *c != '+').collect();
            assert_eq!(letters.len(), 1, "{one}");
        }
    }
}
