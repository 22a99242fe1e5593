//! Terms and sums of terms, as deep as the level allows.

use rand::Rng;

use super::state::Grammar;

impl Grammar {
    /// How deep parts of a formula are nested at its level.
    fn depth(&self) -> usize {
        [0, 1, 2, 2][self.level - 1]
    }

    /// One side of an equation.
    pub(super) fn side(&mut self) -> String {
        let most = if self.level == 1 { 3 } else { 2 };
        let terms = self.count(1, most);
        self.sum(terms, self.depth())
    }

    /// Some terms joined by signs.
    pub(super) fn sum(&mut self, terms: usize, depth: usize) -> String {
        let mut out = self.term(depth);
        if self.chance(0.08) {
            out.insert(0, '-');
        }
        for _ in 1..terms {
            let (sign, term) = (self.sign(), self.term(depth));
            out.push_str(&format!(" {sign} {term}"));
        }
        out
    }

    /// A short sum for the inside of something else.
    pub(super) fn inner(&mut self, depth: usize) -> String {
        let terms = self.count(1, 2);
        self.sum(terms, depth)
    }

    /// One term.
    pub(super) fn term(&mut self, depth: usize) -> String {
        if depth == 0 {
            return match self.rng.random_range(0..10) {
                0..4 => self.atom(),
                4..7 => format!("{}{}", self.number(), self.variable()),
                _ => self.power(),
            };
        }
        let below = depth - 1;
        match self.rng.random_range(0..20) {
            0..3 => self.atom(),
            3..5 => format!("{}{}", self.number(), self.variable()),
            5..8 => self.power(),
            8..11 => self.fraction(below),
            11..13 => self.root(below),
            13..15 => {
                let (function, inner) = (self.named_function(), self.inner(below));
                self.applied(function, &inner)
            }
            15..17 => {
                let inner = self.sum(2, below);
                let fenced = self.fenced(&inner);
                if self.chance(0.4) {
                    format!("{fenced}^{}", self.exponent())
                } else {
                    format!("{}{fenced}", self.variable())
                }
            }
            17 => {
                let inner = self.inner(below);
                self.absolute(&inner)
            }
            18 => format!("e^{{{}}}", self.inner(0)),
            _ => {
                let (name, inner) = (
                    self.one_of(&["f", "g", "h", "F", "\\varphi"]),
                    self.inner(0),
                );
                format!("{name}({inner})")
            }
        }
    }

    /// A function with its argument, in parentheses where it is more than a symbol.
    pub(super) fn applied(&mut self, function: &str, inner: &str) -> String {
        let short = inner.len() <= 2 || inner.starts_with('\\') && !inner.contains([' ', '{', '_']);
        if short && self.chance(0.6) {
            format!("{function} {inner}")
        } else if inner.contains("\\frac") {
            format!("{function}\\left({inner}\\right)")
        } else {
            format!("{function}({inner})")
        }
    }

    pub(super) fn exponent(&mut self) -> String {
        match self.rng.random_range(0..10) {
            0..6 => self.rng.random_range(2..10u32).to_string(),
            6 => "n".into(),
            7 => format!("{{{}}}", self.rng.random_range(10..30u32)),
            8 => format!("{{-{}}}", self.rng.random_range(1..5u32)),
            _ => format!("{{{}+{}}}", self.letter(), self.rng.random_range(1..4u32)),
        }
    }

    pub(super) fn power(&mut self) -> String {
        let variable = self.letter();
        let exponent = self.exponent();
        if self.level >= 2 && self.chance(0.2) {
            return format!("{variable}_{}^{exponent}", self.index());
        }
        format!("{variable}^{exponent}")
    }

    pub(super) fn fraction(&mut self, depth: usize) -> String {
        let command = self.one_of(&["\\frac", "\\frac", "\\frac", "\\frac", "\\dfrac"]);
        let (above, below) = (self.inner(depth), self.inner(depth.min(1)));
        format!("{command}{{{above}}}{{{below}}}")
    }

    pub(super) fn root(&mut self, depth: usize) -> String {
        let inner = self.inner(depth);
        if self.chance(0.25) {
            let degree = self.one_of(&["3", "4", "5", "n", "m"]);
            format!("\\sqrt[{degree}]{{{inner}}}")
        } else {
            format!("\\sqrt{{{inner}}}")
        }
    }

    /// An expression in delimiters that fit it.
    pub(super) fn fenced(&mut self, inner: &str) -> String {
        let (open, close) = match self.rng.random_range(0..8) {
            0..6 => ("(", ")"),
            6 => ("[", "]"),
            _ => ("\\{", "\\}"),
        };
        let tall = ["\\frac", "\\dfrac", "\\sum", "\\int", "\\sqrt", "\\prod"];
        if tall.iter().any(|part| inner.contains(part)) || self.chance(0.2) {
            format!("\\left{open} {inner} \\right{close}")
        } else {
            format!("{open}{inner}{close}")
        }
    }

    pub(super) fn absolute(&mut self, inner: &str) -> String {
        let tall = inner.contains("\\frac") || inner.contains("\\dfrac");
        let sign = self.one_of(&["|", "|", "\\|"]);
        match (tall, sign) {
            (true, sign) => format!("\\left{sign} {inner} \\right{sign}"),
            (false, "|") if self.chance(0.3) => format!("\\lvert {inner} \\rvert"),
            (false, sign) => format!("{sign}{inner}{sign}"),
        }
    }
}
