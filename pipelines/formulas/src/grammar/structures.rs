//! Formulas of more than one line or with parts above one another: matrices, cases,
//! systems, braces, arrows, accents, operators.

use rand::Rng;

use super::state::Grammar;

impl Grammar {
    fn accented(&mut self) -> String {
        let accent = self.one_of(&[
            "\\hat",
            "\\bar",
            "\\tilde",
            "\\vec",
            "\\dot",
            "\\ddot",
            "\\check",
            "\\widehat",
            "\\overline",
            "\\widetilde",
        ]);
        let inner = if accent.len() > 6 && self.chance(0.6) {
            format!("{}{}", self.capital(), self.capital())
        } else if self.chance(0.8) {
            self.letter().to_owned()
        } else {
            self.greek().to_owned()
        };
        format!("{accent}{{{inner}}}")
    }

    pub(super) fn accents(&mut self) -> String {
        let (a, b, sign) = (self.accented(), self.accented(), self.sign());
        format!("{a} {sign} {b} {} {}", self.relation(), self.side())
    }

    fn vector(&mut self) -> String {
        let letter = self.one_of(&["a", "b", "u", "v", "w", "x", "F", "E", "B", "r", "n"]);
        let font = self.one_of(&[
            "\\vec",
            "\\mathbf",
            "\\mathbf",
            "\\boldsymbol",
            "\\overrightarrow",
        ]);
        format!("{font}{{{letter}}}")
    }

    pub(super) fn vectors(&mut self) -> String {
        let (a, b) = (self.vector(), self.vector());
        match self.rng.random_range(0..5) {
            0 => format!("{a} \\cdot {b} = |{a}| |{b}| \\cos {}", self.greek()),
            1 => format!("{a} \\times {b} = {}", self.vector()),
            2 => format!("\\langle {a}, {b} \\rangle = {}", self.atom()),
            3 => format!("\\left\\| {a} \\right\\|_2 = {}", self.root(1)),
            _ => format!("\\nabla \\times {a} = -\\frac{{\\partial {b}}}{{\\partial t}}"),
        }
    }

    pub(super) fn matrix(&mut self) -> String {
        let kind = self.one_of(&[
            "pmatrix", "bmatrix", "bmatrix", "vmatrix", "pmatrix", "matrix", "Bmatrix",
        ]);
        let most = if self.level >= 4 { 4 } else { 3 };
        let (rows, columns) = (self.count(1, most.min(3)).max(2), self.count(1, most));
        let dots = rows == 3 && columns == 3 && self.chance(0.25);
        let name = self.letter();
        let row = |this: &mut Self, i: usize| -> String {
            let cell = |this: &mut Self, j: usize| -> String {
                if dots {
                    let at = |k: usize| ["1", "", "n"][k];
                    return match (i, j) {
                        (1, 1) => "\\ddots".into(),
                        (1, _) => "\\vdots".into(),
                        (_, 1) => "\\cdots".into(),
                        _ => format!("{name}_{{{}{}}}", at(i), at(j)),
                    };
                }
                match this.rng.random_range(0..10) {
                    0..5 => this.rng.random_range(-9..10i32).to_string(),
                    5..8 => this.variable(),
                    8 => format!("-{}", this.letter()),
                    _ => this.power(),
                }
            };
            (0..columns)
                .map(|j| cell(this, j))
                .collect::<Vec<_>>()
                .join(" & ")
        };
        let rows: Vec<String> = (0..rows).map(|i| row(self, i)).collect();
        let body = rows.join(" \\\\ ");
        let matrix = if self.chance(0.1) {
            format!("\\left[ \\begin{{matrix}} {body} \\end{{matrix}} \\right]")
        } else {
            format!("\\begin{{{kind}}} {body} \\end{{{kind}}}")
        };
        match self.rng.random_range(0..4) {
            0 => format!("{} = {matrix}", self.capital()),
            1 => format!("{matrix} {}", self.vector()),
            2 => format!("\\det {matrix} = {}", self.atom()),
            _ => matrix,
        }
    }

    pub(super) fn cases(&mut self) -> String {
        let rows = self.count(2, 3);
        let x = self.letter();
        let row = |this: &mut Self| {
            let when = match this.rng.random_range(0..4) {
                0 => format!(
                    "\\text{{if }} {x} {} {}",
                    this.one_of(&["<", ">", "=", "\\neq", "\\geq"]),
                    this.number()
                ),
                1 => "\\text{otherwise}".to_owned(),
                _ => format!(
                    "{x} {} {}",
                    this.one_of(&["<", "\\leq", ">", "\\in", "\\ge"]),
                    this.atom()
                ),
            };
            format!("{} & {when}", this.inner(0))
        };
        let rows: Vec<String> = (0..rows).map(|_| row(self)).collect();
        let name = self.one_of(&["f", "g", "h", "u", "\\chi", "\\delta"]);
        format!(
            "{name}({x}) = \\begin{{cases}} {} \\end{{cases}}",
            rows.join(" \\\\ ")
        )
    }

    pub(super) fn aligned(&mut self) -> String {
        let kind = self.one_of(&["aligned", "aligned", "align*", "split"]);
        let rows = self.count(2, 3);
        let first = self.inner(0);
        let mut lines = vec![format!("{first} &= {}", self.inner(1))];
        for _ in 1..rows {
            let left = if self.chance(0.5) {
                String::new()
            } else {
                self.inner(0)
            };
            lines.push(format!("{left} &= {}", self.inner(1)));
        }
        let body = format!("\\begin{{{kind}}} {} \\end{{{kind}}}", lines.join(" \\\\ "));
        if kind == "aligned" && self.chance(0.35) {
            return format!("\\left\\{{ {body} \\right.");
        }
        body
    }

    pub(super) fn braces(&mut self) -> String {
        let inner = self.sum(3, 0);
        let over = self.chance(0.4);
        let label = if self.chance(0.4) {
            format!(
                "\\text{{{}}}",
                self.one_of(&["total", "first", "rest", "error", "bias", "signal"])
            )
        } else {
            self.inner(0)
        };
        let braced = if over {
            format!("\\overbrace{{{inner}}}^{{{label}}}")
        } else {
            format!("\\underbrace{{{inner}}}_{{{label}}}")
        };
        format!("{braced} {} {}", self.relation(), self.inner(0))
    }

    pub(super) fn arrows(&mut self) -> String {
        let (a, b, c) = (self.capital(), self.capital(), self.capital());
        let arrow = self.one_of(&["\\xrightarrow", "\\xrightarrow", "\\xleftarrow"]);
        match self.rng.random_range(0..5) {
            0 => format!("{a} {arrow}{{{}}} {b}", self.letter()),
            1 => format!(
                "0 \\to {a} \\xrightarrow{{{}}} {b} \\xrightarrow{{{}}} {c} \\to 0",
                self.letter(),
                self.greek()
            ),
            2 => format!("{a} \\overset{{{}}}{{\\longrightarrow}} {b}", self.letter()),
            3 => format!(
                "{} \\stackrel{{\\text{{def}}}}{{=}} {}",
                self.variable(),
                self.side()
            ),
            _ => format!(
                "{a} {} {b} {} {c}",
                self.one_of(&[
                    "\\hookrightarrow",
                    "\\twoheadrightarrow",
                    "\\mapsto",
                    "\\longmapsto"
                ]),
                self.one_of(&[
                    "\\leftrightarrow",
                    "\\rightleftharpoons",
                    "\\Longrightarrow",
                    "\\rightsquigarrow"
                ])
            ),
        }
    }

    pub(super) fn operators(&mut self) -> String {
        let name = self.one_of(&[
            "Hom", "rank", "tr", "Gal", "Spec", "Re", "diag", "softmax", "sgn", "lcm", "Ext", "End",
        ]);
        let (a, b) = (self.capital(), self.capital());
        match self.rng.random_range(0..3) {
            0 => format!("\\operatorname{{{name}}}({a}, {b}) \\cong {}", self.space()),
            1 => format!(
                "\\operatorname*{{arg\\,{}}}_{{{}}} {}",
                self.one_of(&["min", "max"]),
                self.greek(),
                self.term(1)
            ),
            _ => format!(
                "\\operatorname{{{name}}}({a}{b}) {} \\operatorname{{{name}}}({b}{a})",
                self.relation()
            ),
        }
    }

    pub(super) fn continued_fraction(&mut self) -> String {
        let command = self.one_of(&["\\cfrac", "\\frac", "\\frac"]);
        let (a, b, c) = (self.atom(), self.atom(), self.atom());
        let numerator = self.one_of(&["1", "1", "x", "z^2"]);
        format!("{a} + {command}{{{numerator}}}{{{b} + {command}{{{numerator}}}{{{c} + \\cdots}}}}")
    }

    pub(super) fn partial_equation(&mut self) -> String {
        let (u, x, t) = (
            self.one_of(&["u", "\\phi", "\\psi", "\\rho", "T", "\\Psi"]),
            self.one_of(&["x", "y", "z"]),
            "t",
        );
        let right = match self.rng.random_range(0..4) {
            0 => format!("{} \\nabla^2 {u}", self.greek()),
            1 => format!(
                "{} \\frac{{\\partial^2 {u}}}{{\\partial {x}^2}}",
                self.variable()
            ),
            2 => format!("-\\nabla \\cdot ({u} {})", self.vector()),
            _ => format!("\\hat{{H}} {u}"),
        };
        format!("\\frac{{\\partial {u}}}{{\\partial {t}}} = {right}")
    }

    pub(super) fn calligraphy(&mut self) -> String {
        let font = self.one_of(&[
            "\\mathcal",
            "\\mathcal",
            "\\mathfrak",
            "\\mathscr",
            "\\mathbb",
            "\\mathsf",
            "\\mathrm",
            "\\mathbf",
        ]);
        let (a, b) = (self.capital(), self.capital());
        let sign = self.one_of(&[
            "\\otimes", "\\oplus", "\\times", "=", "\\to", "\\cong", "\\subset", "\\vdash",
            "\\models",
        ]);
        match self.rng.random_range(0..3) {
            0 => format!("{font}{{{a}}} {sign} {font}{{{b}}}"),
            1 => format!("{font}{{{a}}}({}) = {}", self.variable(), self.side()),
            _ => format!(
                "{font}{{{a}}}_{} = \\{{ {}_1, \\ldots, {}_n \\}}",
                self.index(),
                self.letter(),
                self.letter()
            ),
        }
    }
}
