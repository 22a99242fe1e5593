//! How far a formula in LaTeX is from another, token by token.

use super::edits::nearest;

/// The tokens of a formula: commands (`\frac`), escaped characters (`\{`), and single characters;
/// spaces, and `\left` and `\right` that only size the delimiter after them, say nothing.
///
/// As im2markup's evaluation (Deng et al. 2017, arXiv:1609.04938) compares formulas token by token
/// after normalising; spaces that LaTeX ignores are dropped instead of needing to agree.
pub(crate) fn formula_tokens(formula: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = formula.trim();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\\' => {
                let name = rest[1..]
                    .chars()
                    .take_while(char::is_ascii_alphabetic)
                    .count();
                let escaped = rest[1..].chars().next().map_or(0, char::len_utf8);
                1 + if name > 0 { name } else { escaped }
            }
            _ => first.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        if !matches!(token, "\\left" | "\\right") {
            tokens.push(token);
        }
        rest = after.trim_start();
    }
    tokens
}

/// Edits of tokens, over the tokens of the nearest reference.
pub fn formula_edit_rate(answer: &str, references: &[String]) -> (usize, usize) {
    nearest(answer, references, formula_tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_one_token_and_spaces_none() {
        let tokens = formula_tokens(r" \frac{ a_1 }{\sqrt x}\{ \left( é \right) ");
        let expected = [
            r"\frac", "{", "a", "_", "1", "}", "{", r"\sqrt", "x", "}", r"\{", "(", "é", ")",
        ];
        assert_eq!(tokens, expected);
        assert_eq!(formula_tokens("\\"), ["\\"]);
        assert_eq!(
            formula_edit_rate(r"\frac ab", &[r"\frac{a}b".into()]),
            (2, 5)
        );
    }
}
