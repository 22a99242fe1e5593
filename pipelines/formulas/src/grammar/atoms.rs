//! The smallest parts: numbers, letters and signs.

use rand::Rng;

use super::state::Grammar;

const LETTERS: [&str; 24] = [
    "a", "b", "c", "d", "f", "g", "h", "k", "m", "n", "p", "q", "r", "s", "t", "u", "v", "w", "x",
    "y", "z", "x", "y", "t",
];
const CAPITALS: [&str; 20] = [
    "A", "B", "C", "D", "E", "F", "G", "H", "K", "L", "M", "N", "P", "Q", "R", "S", "T", "V", "X",
    "Y",
];
const GREEK: [&str; 27] = [
    "\\alpha",
    "\\beta",
    "\\gamma",
    "\\delta",
    "\\epsilon",
    "\\varepsilon",
    "\\zeta",
    "\\eta",
    "\\theta",
    "\\vartheta",
    "\\iota",
    "\\kappa",
    "\\lambda",
    "\\mu",
    "\\nu",
    "\\xi",
    "\\pi",
    "\\rho",
    "\\sigma",
    "\\tau",
    "\\upsilon",
    "\\phi",
    "\\varphi",
    "\\chi",
    "\\psi",
    "\\omega",
    "\\ell",
];
const CAPITAL_GREEK: [&str; 10] = [
    "\\Gamma", "\\Delta", "\\Theta", "\\Lambda", "\\Xi", "\\Pi", "\\Sigma", "\\Phi", "\\Psi",
    "\\Omega",
];
const FUNCTIONS: [&str; 16] = [
    "\\sin", "\\cos", "\\tan", "\\cot", "\\sec", "\\csc", "\\arcsin", "\\arctan", "\\sinh",
    "\\cosh", "\\tanh", "\\exp", "\\ln", "\\log", "\\det", "\\dim",
];

/// Those that manuals write with their arguments.
const ELEMENTARY: [&str; 16] = [
    "\\sin", "\\cos", "\\tan", "\\cot", "\\sinh", "\\cosh", "\\tanh", "\\exp", "\\log", "\\ln",
    "\\sec", "\\csc", "\\sin", "\\cos", "\\log", "\\arg",
];

impl Grammar {
    /// A function that manuals write with its argument, common ones more often.
    pub(super) fn elementary_function(&mut self) -> &'static str {
        self.one_of(&ELEMENTARY)
    }

    /// A whole number, small ones more often.
    pub(super) fn number(&mut self) -> String {
        match self.rng.random_range(0..10) {
            0..7 => self.rng.random_range(1..10u32).to_string(),
            7..9 => self.rng.random_range(10..100u32).to_string(),
            _ => self.rng.random_range(100..2000u32).to_string(),
        }
    }

    /// A whole number or one with decimals.
    pub(super) fn decimal(&mut self) -> String {
        if self.chance(0.75) {
            return self.number();
        }
        let (whole, part) = (
            self.rng.random_range(0..50u32),
            self.rng.random_range(1..100u32),
        );
        format!("{whole}.{part}")
    }

    pub(super) fn letter(&mut self) -> &'static str {
        self.one_of(&LETTERS)
    }

    pub(super) fn capital(&mut self) -> &'static str {
        self.one_of(&CAPITALS)
    }

    pub(super) fn greek(&mut self) -> &'static str {
        if self.chance(0.2) {
            self.one_of(&CAPITAL_GREEK)
        } else {
            self.one_of(&GREEK)
        }
    }

    pub(super) fn index(&mut self) -> &'static str {
        self.one_of(&["i", "j", "k", "n", "m", "l"])
    }

    pub(super) fn named_function(&mut self) -> &'static str {
        self.one_of(&FUNCTIONS)
    }

    /// A letter, sometimes Greek, sometimes with an index.
    pub(super) fn variable(&mut self) -> String {
        let name = match self.rng.random_range(0..10) {
            0..6 => self.letter(),
            6..8 => self.capital(),
            _ => self.greek(),
        };
        if self.level >= 2 && self.chance(0.2) {
            let below = match self.rng.random_range(0..4) {
                0 => self.index().to_owned(),
                1 => self.rng.random_range(0..10u32).to_string(),
                2 => format!("{{{}{}}}", self.index(), self.index()),
                _ => format!("{{{}+1}}", self.index()),
            };
            return format!("{name}_{below}");
        }
        name.to_owned()
    }

    /// A number or a variable.
    pub(super) fn atom(&mut self) -> String {
        if self.chance(0.35) {
            self.decimal()
        } else {
            self.variable()
        }
    }

    /// A relation between two sides.
    pub(super) fn relation(&mut self) -> &'static str {
        let plain = [
            "=", "=", "=", "=", "<", ">", "\\leq", "\\geq", "\\le", "\\ge", "\\neq", "\\approx",
        ];
        let more = [
            "\\equiv",
            "\\sim",
            "\\simeq",
            "\\cong",
            "\\propto",
            "\\ll",
            "\\gg",
            "\\to",
            "\\Rightarrow",
            "\\iff",
            "\\coloneqq",
            "\\prec",
            "\\succeq",
            "\\lesssim",
            "\\asymp",
        ];
        if self.level >= 3 && self.chance(0.25) {
            self.one_of(&more)
        } else {
            self.one_of(&plain)
        }
    }

    /// A sign between two terms.
    pub(super) fn sign(&mut self) -> &'static str {
        if self.level >= 3 && self.chance(0.1) {
            return self.one_of(&[
                "\\pm", "\\mp", "\\oplus", "\\otimes", "\\circ", "\\ast", "\\star", "\\wedge",
                "\\odot", "\\ominus", "\\bullet",
            ]);
        }
        self.one_of(&["+", "+", "+", "-", "-", "-", "\\cdot", "\\times"])
    }

    /// A space before a differential, or none.
    pub(super) fn thin(&mut self) -> &'static str {
        self.one_of(&["\\,", "\\,", " ", "\\;"])
    }
}
