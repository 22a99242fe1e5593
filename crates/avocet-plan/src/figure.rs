//! Numbers that know their formula: what `--explain` prints.
//!
//! A figure's value is what its formula evaluates to with its inputs, so the two cannot disagree.

use serde::Serialize;

/// A number with the formula it came from and the values put in.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// What it is.
    pub name: &'static str,
    /// The number.
    pub value: f64,
    /// Its unit.
    pub unit: &'static str,
    /// How it is computed, over the names of the inputs.
    pub formula: &'static str,
    /// The inputs by name, in the order of the formula.
    pub inputs: Vec<(&'static str, f64)>,
}

impl Figure {
    /// Evaluates `formula` with `inputs`.
    pub(crate) fn new(
        name: &'static str,
        unit: &'static str,
        formula: &'static str,
        inputs: &[(&'static str, f64)],
    ) -> Self {
        let value = evaluate(formula, inputs).expect("formulas are written in this crate");
        Self {
            name,
            value,
            unit,
            formula,
            inputs: inputs.to_vec(),
        }
    }
}

/// The value of an arithmetic expression: + - * / ^, parentheses, numbers, names, and the
/// functions `sqrt`, `exp`, `floor` and `ceil`.
fn evaluate(text: &str, inputs: &[(&'static str, f64)]) -> Result<f64, String> {
    let mut parser = Parser { rest: text, inputs };
    let value = parser.sum()?;
    if parser.peek().is_some() {
        return Err(format!("unexpected {:?} in {text:?}", parser.rest));
    }
    Ok(value)
}

struct Parser<'a> {
    rest: &'a str,
    inputs: &'a [(&'static str, f64)],
}

impl Parser<'_> {
    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.rest = &self.rest[wanted.len_utf8()..];
        }
        found
    }

    fn sum(&mut self) -> Result<f64, String> {
        let mut value = self.product()?;
        loop {
            if self.take('+') {
                value += self.product()?;
            } else if self.take('-') {
                value -= self.product()?;
            } else {
                return Ok(value);
            }
        }
    }

    fn product(&mut self) -> Result<f64, String> {
        let mut value = self.power()?;
        loop {
            if self.take('*') {
                value *= self.power()?;
            } else if self.take('/') {
                value /= self.power()?;
            } else {
                return Ok(value);
            }
        }
    }

    fn power(&mut self) -> Result<f64, String> {
        let base = self.atom()?;
        if self.take('^') {
            return Ok(base.powf(self.power()?));
        }
        Ok(base)
    }

    fn atom(&mut self) -> Result<f64, String> {
        if self.take('(') {
            let value = self.sum()?;
            return if self.take(')') {
                Ok(value)
            } else {
                Err("a parenthesis is not closed".into())
            };
        }
        if self.take('-') {
            return Ok(-self.atom()?);
        }
        let first = self.peek().ok_or("the expression ends early")?;
        let end =
            |keep: fn(char) -> bool, text: &str| text.find(|c| !keep(c)).unwrap_or(text.len());
        if first.is_ascii_digit() {
            let length = end(|c| c.is_ascii_digit() || c == '.', self.rest);
            let (number, rest) = self.rest.split_at(length);
            self.rest = rest;
            return number.parse().map_err(|_| format!("{number:?}"));
        }
        let length = end(|c| c.is_alphanumeric() || c == '_', self.rest);
        let (name, rest) = self.rest.split_at(length);
        self.rest = rest;
        if self.peek() == Some('(') {
            let argument = self.atom()?;
            return match name {
                "sqrt" => Ok(argument.sqrt()),
                "exp" => Ok(argument.exp()),
                "floor" => Ok(argument.floor()),
                "ceil" => Ok(argument.ceil()),
                _ => Err(format!("no function is called {name:?}")),
            };
        }
        let found = self.inputs.iter().find(|(known, _)| *known == name);
        found
            .map(|(_, value)| *value)
            .ok_or_else(|| format!("no input is called {name:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_bind_as_in_arithmetic() {
        let inputs = [("a", 2.0), ("b_c", 3.0)];
        for (text, value) in [
            ("1 + a * b_c ^ 2", 19.0),
            ("(1 + a) * b_c / 9", 1.0),
            ("-a - -b_c", 1.0),
            ("sqrt(a * 8) + floor(2.7) + ceil(b_c / 2)", 8.0),
            ("2 ^ a ^ b_c", 256.0),
        ] {
            assert_eq!(evaluate(text, &inputs), Ok(value), "{text}");
        }
    }

    #[test]
    fn a_wrong_formula_is_an_error() {
        for text in ["a +", "(a", "d", "log(a)", "a b_c"] {
            assert!(evaluate(text, &[("a", 1.0)]).is_err(), "{text}");
        }
    }
}
