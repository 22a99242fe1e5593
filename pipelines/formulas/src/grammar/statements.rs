//! Whole formulas in one line: equations, laws, sums, integrals, limits, sets, logic.

use rand::Rng;

use super::state::Grammar;

impl Grammar {
    pub(super) fn arithmetic(&mut self) -> String {
        let sign = self.one_of(&["+", "-", "\\times", "\\cdot", "\\div", "/"]);
        let (a, b, c) = (self.decimal(), self.decimal(), self.decimal());
        match self.rng.random_range(0..4) {
            0 => format!("{a} {sign} {b} = {c}"),
            1 => format!("{a} {sign} {b} {} {c}", self.one_of(&["+", "-", "\\cdot"])),
            2 => format!("({a} {sign} {b}) \\cdot {c}"),
            _ => format!("{a}\\% \\cdot {b} \\approx {c}"),
        }
    }

    pub(super) fn equation(&mut self) -> String {
        let (left, relation, right) = (self.side(), self.relation(), self.side());
        format!("{left} {relation} {right}")
    }

    pub(super) fn inequality(&mut self) -> String {
        let less = self.one_of(&["<", "\\leq", "\\le"]);
        match self.rng.random_range(0..3) {
            0 => format!(
                "{} {less} {} {less} {}",
                self.number(),
                self.letter(),
                self.number()
            ),
            1 => format!(
                "|{} - {}| {less} {}",
                self.letter(),
                self.atom(),
                self.greek()
            ),
            _ => {
                let more = self.one_of(&[">", "\\geq", "\\ge", "\\neq"]);
                format!("{} {more} {}", self.side(), self.side())
            }
        }
    }

    pub(super) fn definition(&mut self) -> String {
        let sign = self.one_of(&["=", "=", ":=", "\\equiv", "\\approx"]);
        let name = if self.chance(0.5) {
            self.capital().to_owned()
        } else {
            format!("{}_{}", self.letter(), self.index())
        };
        format!("{name} {sign} {}", self.side())
    }

    pub(super) fn simple_fraction(&mut self) -> String {
        let (a, b, c, d) = (self.atom(), self.atom(), self.atom(), self.atom());
        let sign = self.one_of(&["+", "-", "=", "\\cdot", "<", "\\div"]);
        format!("\\frac{{{a}}}{{{b}}} {sign} \\frac{{{c}}}{{{d}}}")
    }

    pub(super) fn powers(&mut self) -> String {
        match self.rng.random_range(0..3) {
            0 => format!("{} = {}", self.power(), self.side()),
            1 => format!("{} + {} = {}", self.power(), self.power(), self.power()),
            _ => format!("\\sqrt{{{}}} \\approx {}", self.number(), self.decimal()),
        }
    }

    pub(super) fn quadratic(&mut self) -> String {
        let x = self.letter();
        let (b, c, a) = (self.number(), self.number(), self.number());
        match self.rng.random_range(0..3) {
            0 => format!("{a}{x}^2 + {b}{x} - {c} = 0"),
            1 => format!(
                "{x}_{{1,2}} = \\frac{{-{b} \\pm \\sqrt{{{b}^2 - 4 \\cdot {c}}}}}{{2 \\cdot {a}}}"
            ),
            _ => format!("({x} - {a})({x} + {b}) = 0"),
        }
    }

    pub(super) fn trigonometry(&mut self) -> String {
        let angle = if self.chance(0.6) {
            self.greek()
        } else {
            self.letter()
        };
        let (f, g) = (self.named_function(), self.named_function());
        match self.rng.random_range(0..4) {
            0 => format!("{f}^2 {angle} + {g}^2 {angle} = {}", self.number()),
            1 => {
                let other = self.greek();
                format!(
                    "{f}({angle} {} {other}) = {}",
                    self.one_of(&["+", "-", "\\pm"]),
                    self.side()
                )
            }
            2 => format!(
                "{f} {}^\\circ = \\frac{{{}}}{{{}}}",
                self.number(),
                self.atom(),
                self.root(0)
            ),
            _ => {
                let inner = self.inner(1);
                let applied = self.applied(f, &inner);
                format!("{applied} {} {}", self.relation(), self.side())
            }
        }
    }

    pub(super) fn logarithm(&mut self) -> String {
        let (base, a, b) = (self.number(), self.variable(), self.atom());
        match self.rng.random_range(0..3) {
            0 => format!("\\log_{{{base}}} {a} = \\frac{{\\ln {a}}}{{\\ln {base}}}"),
            1 => format!("\\ln({a} {b}) = \\ln {a} + \\ln {b}"),
            _ => format!(
                "\\log_{{{base}}} ({}) {} {b}",
                self.sum(2, 0),
                self.relation()
            ),
        }
    }

    /// A sum or product over an index.
    pub(super) fn big(&mut self) -> String {
        let i = self.index();
        let from = self.one_of(&["0", "1", "1", "2", "-\\infty"]);
        let to = self.one_of(&["n", "N", "\\infty", "\\infty", "m", "n-1", "2n"]);
        let sign = if self.level >= 3 && self.chance(0.2) {
            self.one_of(&[
                "\\bigcup",
                "\\bigcap",
                "\\bigoplus",
                "\\coprod",
                "\\bigotimes",
            ])
        } else {
            self.one_of(&["\\sum", "\\sum", "\\sum", "\\prod"])
        };
        match self.rng.random_range(0..6) {
            0 => format!("{sign}_{{{i} \\in {}}}", self.capital()),
            1 => format!("{sign}_{i}"),
            _ => format!("{sign}_{{{i}={from}}}^{{{to}}}"),
        }
    }

    pub(super) fn series(&mut self) -> String {
        let (big, i) = (self.big(), self.index());
        let body = match self.rng.random_range(0..6) {
            0 => format!("{i}^{}", self.exponent()),
            1 => format!("\\frac{{{}}}{{{i}!}}", self.power()),
            2 => format!("{}_{i} {}^{i}", self.letter(), self.letter()),
            3 => format!("\\frac{{(-1)^{i}}}{{{}{i} + 1}}", self.number()),
            4 => format!("\\binom{{n}}{{{i}}} {}^{i}", self.letter()),
            _ => self.term(1),
        };
        match self.rng.random_range(0..3) {
            0 => format!("{big} {body}"),
            1 => format!("{} = {big} {body}", self.variable()),
            _ => format!("{big} {body} {} {}", self.relation(), self.term(1)),
        }
    }

    pub(super) fn function(&mut self) -> String {
        let (f, x) = (
            self.one_of(&["f", "g", "h", "F", "\\phi", "\\psi"]),
            self.letter(),
        );
        match self.rng.random_range(0..4) {
            0 => format!("{f} : {} \\to {}", self.space(), self.space()),
            1 => format!("{f}({x}) = {}", self.side()),
            2 => format!("{f}^{{-1}}({x}) = {}", self.side()),
            _ => format!("({f} \\circ g)({x}) = {f}(g({x}))"),
        }
    }

    pub(super) fn derivative(&mut self) -> String {
        let (y, x) = (
            self.letter(),
            self.one_of(&["x", "t", "s", "u", "z", "\\theta"]),
        );
        let d = self.one_of(&["d", "d", "d", "\\partial", "\\mathrm{d} "]);
        let first = match self.rng.random_range(0..5) {
            0 => format!("{y}'({x})"),
            1 => format!("{y}''"),
            2 => format!("\\frac{{{d} {y}}}{{{d} {x}}}"),
            3 => format!("\\frac{{{d}^2 {y}}}{{{d} {x}^2}}"),
            _ => format!(
                "\\frac{{{d}}}{{{d} {x}}} \\left( {} \\right)",
                self.sum(2, 1)
            ),
        };
        format!(
            "{first} {} {}",
            self.one_of(&["=", "=", "+", "-"]),
            self.side()
        )
    }

    pub(super) fn binomial(&mut self) -> String {
        let command = self.one_of(&["\\binom", "\\binom", "\\dbinom"]);
        let (n, k) = (self.one_of(&["n", "N", "m", "2n", "n+1"]), self.index());
        match self.rng.random_range(0..3) {
            0 => format!("{command}{{{n}}}{{{k}}} = \\frac{{{n}!}}{{{k}!({n}-{k})!}}"),
            1 => format!(
                "{command}{{{}}}{{{}}} = {}",
                self.number(),
                self.number(),
                self.number()
            ),
            _ => format!("{} {command}{{{n}}}{{{k}}} {}", self.big(), self.power()),
        }
    }

    pub(super) fn wordy(&mut self) -> String {
        let words = [
            "if ",
            "for all ",
            "where ",
            "otherwise",
            "and",
            "or",
            "such that ",
            "with ",
        ];
        let nouns = [
            "speed", "area", "rate", "cost", "mass", "volume", "loss", "distance", "time", "force",
            "profit", "height", "width", "score", "error", "weight",
        ];
        match self.rng.random_range(0..3) {
            0 => format!(
                "\\text{{{}}} = \\frac{{\\text{{{}}}}}{{\\text{{{}}}}}",
                self.one_of(&nouns),
                self.one_of(&nouns),
                self.one_of(&nouns)
            ),
            1 => {
                let word = self.one_of(&words);
                let (side, other) = (self.equation(), self.inequality());
                format!("{side} \\quad \\text{{{word}}} {other}")
            }
            _ => format!(
                "{}_{{\\text{{{}}}}} = {}",
                self.capital(),
                self.one_of(&["max", "min", "in", "out", "total", "eff"]),
                self.side()
            ),
        }
    }

    pub(super) fn greek_law(&mut self) -> String {
        let (a, b) = (self.greek(), self.greek());
        format!(
            "{a} = {} {b}^{} + {}",
            self.number(),
            self.exponent(),
            self.greek()
        )
    }

    /// A set of numbers or a space.
    pub(super) fn space(&mut self) -> String {
        let letter = self.one_of(&["R", "N", "Z", "Q", "C", "F", "P"]);
        match self.rng.random_range(0..5) {
            0 => format!(
                "\\mathbb{{{letter}}}^{}",
                self.one_of(&["n", "m", "2", "3", "d"])
            ),
            1 => self.capital().to_owned(),
            2 => format!("[{}, {}]", self.rng.random_range(-5..1), self.number()),
            _ => format!("\\mathbb{{{letter}}}"),
        }
    }

    pub(super) fn set_statement(&mut self) -> String {
        let (a, b, c) = (self.capital(), self.capital(), self.capital());
        let operation = self.one_of(&["\\cup", "\\cap", "\\setminus", "\\times"]);
        let contained = self.one_of(&[
            "\\subset",
            "\\subseteq",
            "\\supset",
            "\\supseteq",
            "\\not\\subset",
        ]);
        match self.rng.random_range(0..6) {
            0 => format!("{a} {operation} {b} = {c}"),
            1 => format!("{a} {contained} {b}"),
            2 => format!(
                "{} {} {}",
                self.letter(),
                self.one_of(&["\\in", "\\notin"]),
                self.space()
            ),
            3 => format!(
                "\\{{ {} \\in {} \\mid {} \\}}",
                self.letter(),
                self.space(),
                self.inequality()
            ),
            4 => format!("\\overline{{{a} {operation} {b}}} = \\emptyset"),
            _ => format!("|{a} {operation} {b}| = {}", self.number()),
        }
    }

    pub(super) fn integral(&mut self) -> String {
        let (x, thin) = (
            self.one_of(&["x", "t", "u", "s", "z", "r", "\\theta"]),
            self.thin(),
        );
        let sign = self.one_of(&["\\int", "\\int", "\\int", "\\int", "\\oint", "\\iint"]);
        let limits = match (sign, self.rng.random_range(0..5)) {
            ("\\int", 0) => "_{-\\infty}^{\\infty}".to_owned(),
            ("\\int", 1) => format!("_{{{}}}^{{{}}}", self.number(), self.number()),
            ("\\int", 2) => format!(
                "_0^{}",
                self.one_of(&["1", "\\infty", "\\pi", "{2\\pi}", "T"])
            ),
            ("\\int", 3) => "_a^b".to_owned(),
            ("\\int", _) => String::new(),
            _ => format!(
                "_{}",
                self.one_of(&["C", "S", "D", "\\gamma", "{\\partial\\Omega}"])
            ),
        };
        let body = self.term(1);
        let d = self.one_of(&["d", "d", "\\mathrm{d}"]);
        let end = match self.rng.random_range(0..3) {
            0 => String::new(),
            1 => format!(" = {}", self.term(1)),
            _ => format!(" = {} + C", self.term(1)),
        };
        format!("{sign}{limits} {body} {thin} {d}{x}{end}")
    }

    pub(super) fn limit(&mut self) -> String {
        let x = self.one_of(&["x", "n", "t", "h", "k"]);
        let to = self.one_of(&["0", "\\infty", "a", "1", "0^+", "-\\infty", "\\pi"]);
        let sign = self.one_of(&["\\lim", "\\lim", "\\lim", "\\limsup", "\\sup", "\\max"]);
        let arrow = self.one_of(&["\\to", "\\to", "\\rightarrow"]);
        let body = if self.chance(0.6) {
            self.fraction(0)
        } else {
            self.term(1)
        };
        let value = self.one_of(&["0", "1", "e", "\\infty", "+\\infty", "L"]);
        format!("{sign}_{{{x} {arrow} {to}}} {body} = {value}")
    }

    pub(super) fn probability(&mut self) -> String {
        let (a, b) = (self.capital(), self.capital());
        let p = self.one_of(&["P", "P", "\\mathbb{P}", "\\Pr"]);
        match self.rng.random_range(0..6) {
            0 => format!("{p}({a} \\mid {b}) = \\frac{{{p}({b} \\mid {a}) {p}({a})}}{{{p}({b})}}"),
            1 => format!("\\mathbb{{E}}[{a}] = {} {}", self.big(), self.term(0)),
            2 => format!(
                "{a} \\sim \\mathcal{{N}}({}, {}^2)",
                self.greek(),
                self.greek()
            ),
            3 => {
                format!("\\operatorname{{Var}}({a}) = \\mathbb{{E}}[{a}^2] - \\mathbb{{E}}[{a}]^2")
            }
            4 => format!(
                "{p}({a} {} {}) \\leq {}",
                self.one_of(&["\\geq", ">", "="]),
                self.letter(),
                self.fraction(0)
            ),
            _ => format!(
                "\\bar{{{}}} = \\frac{{1}}{{n}} \\sum_{{i=1}}^n {}_i",
                self.letter(),
                self.letter()
            ),
        }
    }

    pub(super) fn logic(&mut self) -> String {
        let (x, y) = (self.letter(), self.letter());
        let link = self.one_of(&[
            "\\Rightarrow",
            "\\iff",
            "\\implies",
            "\\land",
            "\\lor",
            "\\wedge",
        ]);
        match self.rng.random_range(0..3) {
            0 => format!(
                "\\forall {x} \\in {} \\, \\exists {y} : {}",
                self.space(),
                self.inequality()
            ),
            1 => format!(
                "\\neg ({} {link} {}) \\equiv \\neg {} \\vee {}",
                self.capital(),
                self.capital(),
                self.capital(),
                self.capital()
            ),
            _ => format!("{} {link} {}", self.inequality(), self.inequality()),
        }
    }
}
